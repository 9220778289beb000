"""Rows of messages and runs that were given new numbers after files with the old ones had been written.

When two databases become one, the rows of one of them are numbered after those of the other. Files of the
archive are never changed; beside a wearer's files stands by how much what is in them is to be raised.
"""

from pathlib import Path
from typing import Final, NamedTuple

import msgspec

from ingest.database.files import write_whole
from poise.errors import StoreError
from poise.topics import Wearer

_NAME: Final = "numbering.json"


class Raised(NamedTuple):
    """Rows up to `upto` have the old numbers; `by`, not less than `upto`, makes them those of today."""

    upto: int
    by: int


class Numbering:
    """Says today's number of a row of messages or runs; a row that has it already keeps it.

    Args:
        raised: each time that rows were raised, in order.
    """

    def __init__(self, raised: list[Raised]) -> None:
        self._raised = sorted(raised)

    def __call__(self, row: int) -> int:
        """Return today's number."""
        for upto, by in self._raised:
            if row <= upto:
                row += by
        return row


def numbering_of(archive: Path, wearer: Wearer) -> Numbering:
    """Return the numbering of a wearer's files.

    Raises:
        StoreError: if it cannot be read.
    """
    return Numbering(_read(_file(archive, wearer)))


def note(archive: Path, wearer: Wearer, raised: Raised) -> None:
    """Note that rows were raised; again it changes nothing."""
    file = _file(archive, wearer)
    known = _read(file)
    if raised not in known:
        file.parent.mkdir(parents=True, exist_ok=True)
        write_whole(file, msgspec.json.encode([*known, raised]))


def _file(archive: Path, wearer: Wearer) -> Path:
    return archive / wearer.site / wearer.patient / _NAME


def _read(file: Path) -> list[Raised]:
    if not file.exists():
        return []
    try:
        return msgspec.json.decode(file.read_bytes(), type=list[Raised])
    except (OSError, msgspec.MsgspecError) as exc:
        raise StoreError(f"{file} cannot be read ({exc}): the rows of these files are not known") from exc
