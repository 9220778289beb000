"""The commands around the raw archive: their options and help texts; the work is in `poise.cli.archiving`."""

from datetime import datetime
from pathlib import Path
from typing import Annotated, Final

import typer

from poise.cli.running import leave, say
from poise.cli.settings import load

archive: Final = typer.Typer(
    help="Raw samples in Parquet files, a file for each wearer and hour.", no_args_is_help=True
)
Data = Annotated[Path | None, typer.Option(help="Folder of the database and its archive.")]
Site = Annotated[str | None, typer.Option(help="Clinic or home; the one in the settings by default.")]


@archive.command()
def now(
    data: Data = None,
    part: Annotated[str, typer.Option(hidden=True)] = "",
    background: Annotated[bool, typer.Option("--background", hidden=True)] = False,
) -> None:
    """Move the hours that are closed into the archive, and delete what has been kept long enough."""
    from poise.cli import archiving

    leave(say(lambda: archiving.now(load(data=data), part, background)))


@archive.command()
def verify(data: Data = None) -> None:
    """Read every file, and name those that are damaged or missing."""
    from poise.cli import archiving

    leave(say(lambda: archiving.verify(load(data=data))))


@archive.command("list")
def list_(data: Data = None) -> None:
    """Show the files of the archive, also those that were deleted."""
    from poise.cli import archiving

    leave(say(lambda: archiving.show(load(data=data))))


def recompute(
    patient: Annotated[str, typer.Argument(help="The wearer's pseudonym, for example P-0142.")],
    site: Site = None,
    begin: Annotated[datetime | None, typer.Option("--from", help="From then on, UTC.")] = None,
    end: Annotated[datetime | None, typer.Option("--to", help="Up to then, UTC.")] = None,
    into: Annotated[Path | None, typer.Option(help="A new folder for the results.")] = None,
    data: Data = None,
) -> None:
    """Compute a wearer's results again from the raw samples, and compare them with those stored."""
    from poise.cli import recomputing

    settings = load(patient=patient, site=site, data=data)
    leave(say(lambda: recomputing.recompute(settings, begin, end, into)))
