"""Options that several commands of `poise` share."""

from pathlib import Path
from typing import Annotated

import typer

from poise.errors import ConfigurationError

Data = Annotated[Path | None, typer.Option(help="Folder for the database, spools and calibrations.")]
Patient = Annotated[str | None, typer.Option(help="The wearer's pseudonym, for example P-0142.")]
PagesPort = Annotated[int, typer.Option(help="Port of the pages, on this machine only.", min=1, max=65535)]
Script = Annotated[
    str, typer.Option(help="What the simulated wearer does: desk, distractors, short, or a file.")
]
Hci = Annotated[str, typer.Option(help="A controller without the system's Bluetooth, e.g. usb:0.")]
Worn = Annotated[
    list[str] | None, typer.Option("--sensor", help="A sensor and where it is worn: D4:22:CD:00:00:01=head.")
]
Simulated = Annotated[bool, typer.Option("--simulated", help="The sensors are virtual: say so.")]
Seed = Annotated[
    int, typer.Option(help="Decides everything that is random about the simulated wearer.", min=0)
]


def origin(simulated: bool) -> str:
    """Return the word that stands on every sample."""
    return "simulated" if simulated else "worn"


def worn(given: list[str] | None) -> dict[str, str] | None:
    """Return the segment by address of what `--sensor` gave.

    Raises:
        ConfigurationError: if one is not written as address and segment.
    """
    if not given:
        return None
    pairs = [entry.partition("=") for entry in given]
    if wrong := [address for address, sign, segment in pairs if not (address and sign and segment)]:
        raise ConfigurationError(f"--sensor {wrong[0]}: write it as ADDRESS=segment, e.g. …:01=head")
    return {address: segment for address, _, segment in pairs}
