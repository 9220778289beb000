"""`poise store spread`: the wearers of a data folder in the databases of another number of workers."""

import shutil
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.filesize import decimal

from ingest.database.shards import Shard, count_in, shards, unfinished
from ingest.spreading.spread import spread as move
from poise.cli import parts
from poise.cli.alone import all_alone
from poise.cli.bar import Bar
from poise.cli.running import OK, out
from poise.cli.settings import Settings
from poise.errors import ConfigurationError

_ASIDE: Final = "before-spread-"


def spread(settings: Settings, workers: int, *, remove: bool) -> int:
    """Move, and say where the databases are that were there before.

    Raises:
        ConfigurationError: if a program is at work in the folder, or it cannot be done.
    """
    folder = parts.folder(settings.data)
    moment = datetime.fromtimestamp(parts.now_us() // 1_000_000, UTC)
    with all_alone(_locks(folder, workers)), Bar() as bar:
        done = move(folder, workers, f"{_ASIDE}{moment:%Y%m%dT%H%M%SZ}", bar.show)
    if done is None:
        out.print(f"{folder} has a database for each of {workers} workers already.", soft_wrap=True)
    else:
        out.print(
            f"Compared, nothing is missing: {done.wearers} wearers with {done.rows} rows. {folder} is set up "
            f"for {workers} worker{'s' * (workers != 1)} now.",
            soft_wrap=True,
        )
    _tell_old(folder, remove=remove)
    return OK


def _locks(folder: Path, workers: int) -> Iterator[Path]:
    """Yield the locks of every ingest, archiver, copy and demonstration; a gateway writes no database."""
    there = 0 if unfinished(folder) else count_in(folder)
    for shard in {Shard(1, 1), *shards(there), *shards(max(0, workers))}:
        path = shard.file(folder)
        yield from (path.with_suffix(".lock"), path.with_suffix(".archive.lock"))
    yield from folder.glob("poise*.lock")
    yield from folder.glob("copy-*.lock")
    yield from folder.glob("DEMO")


def _tell_old(folder: Path, *, remove: bool) -> None:
    for aside in sorted(folder.glob(f"{_ASIDE}*")):
        size = decimal(sum(path.stat().st_size for path in aside.rglob("*") if path.is_file()))
        if remove:
            _delete(aside)
            out.print(f"Deleted: {aside}, {size}.", soft_wrap=True, markup=False)
        else:
            out.print(
                f"What was there before is in {aside}, {size}. Delete it when all is well, or let the same "
                "command do it with --remove.",
                soft_wrap=True,
                markup=False,
            )


def _delete(aside: Path) -> None:
    try:
        shutil.rmtree(aside)
    except OSError as exc:
        raise ConfigurationError(f"{aside} cannot be deleted ({exc.strerror or exc})") from exc
