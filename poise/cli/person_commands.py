"""`poise person …`: options and help texts; the work is in `poise.cli.person.erasing`."""

from typing import Annotated, Final

import typer

from poise.cli.options import Data
from poise.cli.running import leave, run
from poise.cli.settings import load

person: Final = typer.Typer(
    help="End collecting when consent ends, and erase a person from all that was measured and recorded.",
    no_args_is_help=True,
)
Whose = Annotated[
    str, typer.Argument(metavar="SITE/PATIENT", help="For example home/P-0142; P-0142 is of your own site.")
]


@person.command()
def erase(
    whose: Whose,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; for scripts.")] = False,
    data: Data = None,
) -> None:
    """Erase a person from all that was measured and recorded, for good; again it goes on with what was left.

    Exit code 1 while something is still to be done.
    """
    from poise.cli.person import erasing

    settings = load(data=data)
    leave(run(erasing.erase(settings, erasing.wearer(whose, settings), yes=yes)))


@person.command()
def stop(whose: Whose, data: Data = None) -> None:
    """Consent is withdrawn: collect nothing any more, at once; what is stored stays."""
    from poise.cli.person import erasing

    settings = load(data=data)
    leave(run(erasing.stop(settings, erasing.wearer(whose, settings))))


@person.command()
def resume(whose: Whose, data: Data = None) -> None:
    """Consent is given again: collecting may go on."""
    from poise.cli.person import erasing

    settings = load(data=data)
    leave(run(erasing.resume(settings, erasing.wearer(whose, settings))))
