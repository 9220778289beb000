"""A folder of n databases becomes one of m: copied beside, compared, and only then exchanged.

The old databases are only read until the new ones have been compared with them. The exchange is a list of
renamings that stands in a file: while that file is there nobody else opens the folder, and a program that was
killed does what is left of it. Whoever stops before that may go on using the old ones; what was copied of a
database that has changed since is thrown away.
"""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final

import msgspec

from ingest.archive import files as archive
from ingest.archive.numbering import Raised, note
from ingest.database.files import move_aside, sync, write_whole
from ingest.database.shards import MOST, Shard, count_in, order_file, shards, unfinished
from ingest.database.sqlite import Database, reading
from ingest.results.store import wearer_of
from ingest.spreading.checking import Compared, compare
from ingest.spreading.filling import fill, forget_marks
from ingest.spreading.sources import Source, opened, parts_for
from poise.errors import ConfigurationError, StoreError, StoreUnavailableError

STAGE: Final = "spreading"
_PLAN: Final = "plan.json"
_MORE: Final = 1.05
"""How much more the new databases may take than the old ones do: project decision."""
_BESIDE: Final = 64_000_000
"""Room for logs while they are written: project decision."""
Tell = Callable[[str, int, int], None]


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What has been begun.

    Attributes:
        there: how many databases the folder has.
        to: how many it is to have.
        state: size and time of change of each old one, by name.
        filled: whether the new ones are whole.
    """

    there: int
    to: int
    state: dict[str, tuple[int, int]]
    filled: bool = False


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done once everything has been compared.

    Attributes:
        there: how many databases the folder had.
        to: how many it is to have.
        aside: name of the folder for the old ones.
        wearers: how many were compared.
        rows: how many rows of theirs.
        raised: by wearer's key, which rows of files in the archive have other numbers now.
    """

    there: int
    to: int
    aside: str
    wearers: int
    rows: int
    raised: dict[str, Raised]


def spread(folder: Path, count: int, aside: str, tell: Tell) -> Order | None:
    """Give a folder, in which no program is at work, another number of databases.

    Args:
        folder: the data folder.
        count: how many it is to have.
        aside: name of the folder, within, for the old ones.
        tell: is told what is being done and how far it is; also called whenever something is on the disk.

    Returns:
        What was done, None if there are as many already: then what was begun towards others is given up.

    Raises:
        ConfigurationError: if it cannot be done, or there is too little room.
        StoreUnavailableError: if the disk refuses; the same call goes on later.
        StoreError: if the new databases are not what the old ones are; then nothing is exchanged.
    """
    if not 1 <= count <= MOST:
        raise ConfigurationError(f"{count} workers cannot be: write a number from 1 to {MOST}")
    going_on = unfinished(folder)
    if going_on not in (0, count):
        raise ConfigurationError(
            f"the databases of {folder} are being exchanged for {going_on}: finish that first, with "
            f"--workers {going_on}"
        )
    if not going_on:
        there = count_in(folder)
        if not there:
            raise ConfigurationError(f"there is no database in {folder}; choose the data folder with --data")
        if there == count:
            _clear(folder / STAGE)
            return None
        with _in_our_words(folder):
            _prepare(folder, there, count, aside, tell)
    with _in_our_words(folder):
        return _exchange(folder, count, tell)


def _prepare(folder: Path, there: int, count: int, aside: str, tell: Tell) -> None:
    """Make and compare the new databases, and write down how they are to be exchanged."""
    old = [shard for shard in shards(there) if shard.file(folder).exists()]
    for shard in old:
        Database(shard.file(folder)).close()  # brings old tables up, and the log into the file
    stage, plan = _begin(folder, Plan(there=there, to=count, state=_state(folder, old)), tell)
    with opened(folder, old) as sources:
        if not plan.filled:
            with _room(folder, stage, old):
                _fill(stage, count, sources, tell)
            _keep_plan(stage, msgspec.structs.replace(plan, filled=True))
            tell("wearers compared", 0, 1)
        for shard in shards(count):
            with closing(Database(shard.file(stage))) as database:
                forget_marks(database)
        order = _compared(stage, plan, sources, aside, tell)
    write_whole(order_file(folder, count), msgspec.json.encode(order))
    tell("databases exchanged", 0, 1)


def _begin(folder: Path, plan: Plan, tell: Tell) -> tuple[Path, Plan]:
    """Return where the new databases are made, and how far that is; what does not fit any more goes."""
    stage = folder / STAGE
    known = _plan_in(stage)
    if known is not None and msgspec.structs.replace(known, filled=False) == plan:
        return stage, known
    _clear(stage)
    stage.mkdir()
    _keep_plan(stage, plan)
    tell("wearers copied", 0, 1)
    return stage, plan


def _clear(stage: Path) -> None:
    """Take away what was made, its plan first: nobody goes on with what a death leaves of it."""
    (stage / _PLAN).unlink(missing_ok=True)
    shutil.rmtree(stage, ignore_errors=True)


def _plan_in(stage: Path) -> Plan | None:
    try:
        return msgspec.json.decode((stage / _PLAN).read_bytes(), type=Plan)
    except (OSError, msgspec.MsgspecError):
        return None


def _keep_plan(stage: Path, plan: Plan) -> None:
    write_whole(stage / _PLAN, msgspec.json.encode(plan))


def _state(folder: Path, old: Sequence[Shard]) -> dict[str, tuple[int, int]]:
    stats = {shard.file(folder).name: shard.file(folder).stat() for shard in old}
    return {name: (stat.st_size, stat.st_mtime_ns) for name, stat in stats.items()}


def _fill(stage: Path, count: int, sources: Sequence[Source], tell: Tell) -> None:
    total, done = sum(len(source.wearers) for source in sources), 0

    def step() -> None:
        tell("wearers copied", done, total)

    for shard in shards(count):
        with closing(Database(shard.file(stage))) as database:
            for _ in fill(database, shard, sources, step):
                done += 1
    step()


def _compared(stage: Path, plan: Plan, sources: Sequence[Source], aside: str, tell: Tell) -> Order:
    total, found = sum(len(source.wearers) for source in sources), Compared()
    try:
        with opened(stage, shards(plan.to)) as targets:
            for _ in compare(targets, sources, found):
                tell("wearers compared", found.wearers, total)
    except StoreUnavailableError:
        raise
    except StoreError:
        _clear(stage)
        raise
    return Order(
        there=plan.there, to=plan.to, aside=aside, wearers=found.wearers, rows=found.rows.total(),
        raised=_raised(plan.to, sources),
    )  # fmt: skip


def _raised(count: int, sources: Sequence[Source]) -> dict[str, Raised]:
    """Return whose files in the archive have other numbers than their rows now."""
    parts = [part for shard in shards(count) for part in parts_for(shard, sources) if part.by]
    return {
        wearer: Raised(part.source.top, part.by)
        for part in parts
        for wearer in part.wearers
        if part.source.c.execute("SELECT 1 FROM archive WHERE wearer = ? LIMIT 1", (wearer,)).fetchone()
    }


def _exchange(folder: Path, count: int, tell: Tell) -> Order:
    """Do what is left of the order; each step may have been done already."""
    file, stage = order_file(folder, count), folder / STAGE
    order = msgspec.json.decode(file.read_bytes(), type=Order)
    for wearer, raised in order.raised.items():
        note(folder / archive.FOLDER, wearer_of(wearer), raised)
        tell("databases exchanged", 0, 1)
    for shard in shards(order.there):
        move_aside([shard.file(folder)], folder / order.aside)
        tell("databases exchanged", 0, 1)
    for shard in shards(count):
        if (new := shard.file(stage)).exists():
            new.replace(shard.file(folder))
            tell("databases exchanged", 0, 1)
    sync(folder)
    _clear(stage)
    tell("databases exchanged", 0, 1)
    file.unlink()
    sync(folder)
    tell("databases exchanged", 1, 1)
    return order


@contextmanager
def _room(folder: Path, stage: Path, old: Sequence[Shard]) -> Iterator[None]:
    """Refuse to begin what would fill the disk, and say how much is needed if it is filled all the same."""
    needed = room_needed(folder, old)
    free, there = shutil.disk_usage(folder).free, sum(path.stat().st_size for path in stage.iterdir())
    if free < needed - there:
        raise ConfigurationError(
            f"the new databases need {_words(needed - there)} beside the old ones, and {folder} has only "
            f"{_words(free)} free. Make room; the old ones are as they were"
        )
    try:
        yield
    except StoreUnavailableError as exc:
        raise StoreUnavailableError(
            f"{exc}. The new databases need {_words(needed)} in all; the old ones are as they were, and the "
            "same command goes on"
        ) from exc


def room_needed(folder: Path, old: Sequence[Shard]) -> int:
    """Return how many bytes the new databases are going to take, about: what is in use of the old ones."""
    used = 0
    for shard in old:
        with reading(shard.file(folder)) as c:
            (pages,), (free,), (size,) = (
                c.execute(f"PRAGMA {name}").fetchone()
                for name in ("page_count", "freelist_count", "page_size")
            )
        used += (pages - free) * size
    return round(used * _MORE) + _BESIDE


@contextmanager
def _in_our_words(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise StoreUnavailableError(
            f"the databases of {folder} cannot be exchanged now ({exc.strerror or exc}); nothing is lost, "
            "and the same command goes on"
        ) from exc


def _words(size: int) -> str:
    """Return a size in words."""
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
