"""The raw archive of a data folder: moving hours into it, by hand or once an hour, and looking after it."""

import asyncio
import contextlib
import logging
import os
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Final

from rich.filesize import decimal

from ingest.archive import book
from ingest.database.shards import Shard, count_in, shard_named, shards
from ingest.database.sqlite import Database, reading
from poise.cli import parts
from poise.cli.alone import alone
from poise.cli.running import FAILED, OK, out
from poise.cli.settings import Settings
from poise.errors import ConfigurationError

if TYPE_CHECKING:
    from ingest.archive.archivist import Archivist

log = logging.getLogger("poise.archive")
_FIRST_S: Final = 600.0
_EVERY_S: Final = 3600.0
_HOUR_US: Final = 3_600_000_000
_NICEST: Final = 19


def now(settings: Settings, part: str, background: bool) -> int:
    """Move what is closed, and delete by policy; in the background say only what is wrong."""
    if background and hasattr(os, "nice"):
        os.nice(_NICEST)
    moved = gone = size = 0
    for shard in [shard_named(part)] if part else _shards(settings):
        with _archivist(settings, shard) as archivist:
            now_us = parts.now_us()
            before_us = now_us - round(settings.archive.after_hours * _HOUR_US)
            for entry in archivist.archive(before_us, now_us):
                moved, size = moved + 1, size + entry.bytes
            gone += sum(1 for _ in archivist.forget(settings.archive.keep_days, now_us))
    if not background:
        out.print(f"{_files(moved)} with {decimal(size)} written, {gone} deleted.")
    return OK


def verify(settings: Settings) -> int:
    """Read every file."""
    from ingest.archive.archivist import damages, unlisted

    looked, bad = 0, 0
    entries = _entries(settings)
    folder = settings.data / "archive"
    for damage in damages(folder, entries):
        looked += 1
        if damage is not None:
            bad += 1
            out.print(f"{damage.file} {damage.what}", soft_wrap=True, markup=False)
    for file in unlisted(folder, entries):
        out.print(f"{file} is not in the list of the archive, and nothing reads it", soft_wrap=True)
    out.print(f"{_files(looked)} looked at, {bad or 'none'} wrong.")
    return FAILED if bad else OK


def show(settings: Settings) -> int:
    """Print a line for each file."""
    entries = _entries(settings)
    for e in entries:
        state = "" if e.deleted_us is None else f"  deleted: {e.why}"
        line = f"{e.file}  {e.messages} messages, {e.samples} samples, {decimal(e.bytes)}{state}"
        out.print(line, soft_wrap=True, markup=False)
    kept = [e for e in entries if e.deleted_us is None]
    size = decimal(sum(e.bytes for e in kept))
    out.print(f"{_files(len(kept))} with {size} in {settings.data / 'archive'}", soft_wrap=True)
    return OK


async def hourly(settings: Settings, shard: Shard) -> None:
    """Archive once an hour beside ingest, in a process of its own that gives way to all others."""
    if not settings.archive.hourly:
        return
    await asyncio.sleep(_FIRST_S)
    while True:
        try:
            await _one_life(settings, shard)
        except OSError as exc:
            log.warning("the archiver cannot be started: %s", exc)
        await asyncio.sleep(_EVERY_S)


async def _one_life(settings: Settings, shard: Shard) -> None:
    words = ["archive", "now", "--background", "--part", str(shard), "--data", str(settings.data)]
    # Ctrl-C must reach ingest only, which then ends this one.
    archiver = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "poise.cli.app", *words),
        stdin=asyncio.subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        await archiver.wait()
    finally:
        if archiver.returncode is None:  # it loses nothing: the next one goes on
            with contextlib.suppress(ProcessLookupError):
                archiver.kill()
            await archiver.wait()


@contextmanager
def _archivist(settings: Settings, shard: Shard) -> Iterator["Archivist"]:
    from ingest.archive.archivist import Archivist  # pyarrow, a quarter of a second to read from disk

    path = shard.file(settings.data)
    with alone(path.with_suffix(".archive.lock"), "archiver"), closing(Database(path)) as database:
        yield Archivist(database)


def _entries(settings: Settings) -> list[book.Entry]:
    found: list[book.Entry] = []
    for shard in _shards(settings):
        with reading(shard.file(settings.data)) as c:
            found += book.entries(c)
    return found


def _shards(settings: Settings) -> list[Shard]:
    count = count_in(settings.data)
    if not count:
        raise ConfigurationError(f"There is no database in {settings.data} yet: start `poise ingest` first.")
    return [shard for shard in shards(count) if shard.file(settings.data).exists()]


def _files(number: int) -> str:
    return f"{number} file{'s' * (number != 1)}"
