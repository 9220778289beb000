"""`poise store …`: options and help texts; the work is in `poise.cli.store`."""

from typing import Annotated, Final

import typer

from poise.cli.options import Data
from poise.cli.running import leave, say
from poise.cli.settings import load

store: Final = typer.Typer(
    help="Make the result store, and copy results into another one.", no_args_is_help=True
)
PLACES: Final = (
    "sqlite (the data folder's), influxdb (as in [store]), a file, or http://host:8086/bucket?org=name with "
    "its token in POISE_FROM_TOKEN or POISE_TO_TOKEN."
)


@store.command("init")
def store_init(data: Data = None) -> None:
    """Make what the result store needs: buckets or retention policies, and how long each is kept."""
    from poise.cli import store as storing

    leave(say(lambda: storing.init(load(data=data))))


@store.command("copy")
def store_copy(
    source: Annotated[str, typer.Option("--from", help=PLACES)],
    target: Annotated[str, typer.Option("--to", help="The same.")],
    data: Data = None,
) -> None:
    """Copy all results into another store, and compare both; after a break the same command goes on."""
    from poise.cli import store as storing

    leave(say(lambda: storing.copy(source, target, load(data=data))))


@store.command("spread")
def store_spread(
    workers: Annotated[
        int, typer.Option(help="How many workers, each with a database, there are to be.", min=1, max=32)
    ],
    data: Data = None,
    remove: Annotated[
        bool,
        typer.Option("--remove", help="Delete the databases that were there before, also of earlier times."),
    ] = False,
) -> None:
    """Move all wearers into the databases of another number of workers, while no ingest is at work.

    The new databases are compared with the old ones, row for row, before they take their place; the old ones
    are put aside. After a break the same command goes on.
    """
    from poise.cli import spreading

    leave(say(lambda: spreading.spread(load(data=data), workers, remove=remove)))
