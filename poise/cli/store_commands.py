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
