"""Several databases in one folder, one for each worker process: no two programs write to the same file.

Which wearers a database holds follows from their buckets, so it never changes while the number of databases
stays; that number stands in the files' names.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from poise.errors import ConfigurationError
from poise.topics import BUCKETS, Wearer

_ALONE: Final = "poise.db"
_NAMED: Final = re.compile(r"poise-(\d{1,2})of(\d{1,2})\.db")
_UNFINISHED: Final = re.compile(r"spreading-to-(\d{1,2})\.json")
MOST: Final = 32


class Shard(NamedTuple):
    """One of a folder's databases.

    Attributes:
        number: from 1.
        of: how many the folder has.
    """

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"

    @property
    def buckets(self) -> list[int]:
        """The buckets whose wearers it holds."""
        return list(range(self.number - 1, BUCKETS, self.of))

    def file(self, folder: Path) -> Path:
        """Where it is."""
        return folder / (_ALONE if self.of == 1 else f"poise-{self.number}of{self.of}.db")


WHOLE: Final = Shard(1, 1)
"""The only database of a folder, with all wearers."""


def shards(count: int) -> list[Shard]:
    """Return all of a folder with so many."""
    return [Shard(number, count) for number in range(1, count + 1)]


def shard_named(text: str) -> Shard:
    """Return the shard that `str` wrote.

    Raises:
        ConfigurationError: if there is none such.
    """
    number, _, of = text.partition("/")
    if number.isdecimal() and of.isdecimal() and 1 <= int(number) <= int(of) <= MOST:
        return Shard(int(number), int(of))
    raise ConfigurationError(f"{text!r} is no part of the databases: write 1/4 for the first of four")


def shard_of(wearer: Wearer, count: int) -> int:
    """Return the index, from 0, of the database that holds a wearer."""
    return wearer.bucket % count


def count_in(folder: Path) -> int:
    """Return how many databases a folder has been set up for, 0 for a new one.

    Raises:
        ConfigurationError: if its files do not belong together, or are just being exchanged.
    """
    refuse_unfinished(folder)
    named = [_NAMED.fullmatch(path.name) for path in folder.glob("poise-*of*.db")]
    counts = {int(match[2]) for match in named if match} | ({1} if (folder / _ALONE).exists() else set())
    if len(counts) > 1:
        raise ConfigurationError(
            f"{folder} holds databases that do not belong together (for {_several(sorted(counts))} workers). "
            "Keep those of one number and move the others elsewhere."
        )
    return counts.pop() if counts else 0


def order_file(folder: Path, count: int) -> Path:
    """Return the file that is there while a folder's databases are being exchanged for so many others."""
    return folder / f"spreading-to-{count}.json"


def unfinished(folder: Path) -> int:
    """Return for how many databases a folder's are being exchanged, 0 if they are not."""
    named = (_UNFINISHED.fullmatch(path.name) for path in folder.glob("spreading-to-*.json"))
    return next((int(match[1]) for match in named if match), 0)


def refuse_unfinished(folder: Path) -> None:
    """Refuse a folder of which some databases may be in place and others not.

    Raises:
        ConfigurationError: if its databases are being exchanged.
    """
    if count := unfinished(folder):
        raise ConfigurationError(
            f"The databases of {folder} are being exchanged for {count}, or that was cut off: "
            f"`poise store spread --workers {count}` finishes it"
        )


def shards_for(folder: Path, workers: int | None) -> list[Shard]:
    """Return the folder's databases, or those that a new folder is to get.

    Args:
        folder: where they are.
        workers: how many are wanted; None for as many as there are, one in a new folder.

    Raises:
        ConfigurationError: if the folder was set up for another number.
    """
    there = count_in(folder)
    if workers is not None and there not in (0, workers):
        raise ConfigurationError(
            f"{folder} was set up for {there} worker{'s' * (there > 1)}, and each database has its own "
            f"wearers. Start with --workers {there}, move the wearers with `poise store spread --workers "
            f"{workers}`, or choose a new folder with --data."
        )
    return shards(workers or there or 1)


def _several(counts: Sequence[int]) -> str:
    return " and ".join(str(count) for count in counts)
