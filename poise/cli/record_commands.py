"""`poise admin …`: options and help texts; the work is in `poise.cli.record`."""

from typing import Annotated, Final

import typer

from poise.cli.options import Data
from poise.cli.running import leave, say
from poise.cli.settings import load

admin: Final = typer.Typer(
    help="Mend accounts of the clinical record, and look whether its audit is whole; on this machine only.",
    no_args_is_help=True,
)


@admin.command()
def reset(
    name: Annotated[str, typer.Argument(help="The account; the first administrator is called admin.")],
    data: Data = None,
) -> None:
    """Give an account a new one-time password, for who has lost theirs; all its sessions end."""
    from poise.cli import record

    leave(say(lambda: record.reset(load(data=data), name)))


@admin.command()
def verify(data: Data = None) -> None:
    """Look whether every row of the audit is as it was written. Exit code 1 if not."""
    from poise.cli import record

    leave(say(lambda: record.verify(load(data=data))))
