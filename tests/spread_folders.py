"""Data folders with several wearers, to be moved into other numbers of databases."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from ingest_helpers import START_US, Shelf, calibration, day, received, samples, take_all

from ingest.database import chunks
from ingest.database.shards import shard_of, shards
from ingest.database.sqlite import reading
from ingest.judging.intake import LATE_IDLE_US
from ingest.mqtt.settings import Received
from ingest.results.store import key
from poise import notices
from poise.notices import CalibrationNotice, Presence
from poise.samples import Gap
from poise.topics import Leaf, Wearer

WEARERS = [Wearer(f"P-{i:04d}") for i in range(5)]
"""Their buckets fall into every one of two and three databases."""
HALF, WHOLE_S = 70, 110
Told = dict[Wearer, list[Received]]


def told(seconds: int = WHOLE_S) -> Told:
    """What each wearer's gateway sends: the same times and calibrations, late samples, a gap, one twice."""
    return {wearer: _day_of(wearer, seconds, 3 * i) for i, wearer in enumerate(WEARERS)}


def _day_of(wearer: Wearer, seconds: int, late: int) -> list[Received]:
    whole = day(seconds)
    whole[5] = replace(whole[5], gaps=(Gap("S1", "head", START_US, START_US + 40_000, 2),))
    behind = whole[20 + late : 26 + late]
    ahead = [m for m in whole if m not in behind]
    known = notices.encode(CalibrationNotice(calibration=calibration(-10.0, "k1")))
    here = notices.encode(Presence(state="online", gateway="g", session="g1", since_us=START_US))
    return [
        received(wearer.topic(Leaf.CALIBRATION), known),
        received(wearer.topic(Leaf.PRESENCE), here),
        *samples(ahead[:50], wearer),
        *samples(behind, wearer),
        *samples(ahead[49:], wearer),
    ]


def feed(folder: Path, count: int, messages: Told, now_us: int = START_US) -> None:
    """Let a worker for each database take what its wearers send, and end in good order."""
    for shard in shards(count):
        shelf = Shelf(shard.file(folder))
        shelf.now_us = now_us
        mine = [m for wearer, m in messages.items() if shard_of(wearer, count) == shard.number - 1]
        for at in range(0, max(map(len, mine), default=0), 20):
            for some in mine:
                take_all(shelf, some[at : at + 20])
        shelf.now_us += LATE_IDLE_US + 1
        shelf.intake.close_late_runs()
        shelf.intake.keep_all()
        shelf.database.close()


def settle(folder: Path, count: int, after_s: int = 10_000) -> None:
    """Put old seconds into pieces."""
    for shard in shards(count):
        shelf = Shelf(shard.file(folder))
        shelf.now_us = START_US + after_s * 1_000_000
        while shelf.intake.settle(0):
            pass
        shelf.database.close()


def concluded(folder: Path, count: int, wearers: Sequence[Wearer] = tuple(WEARERS)) -> dict[str, object]:
    """Everything that is stored of each wearer, without the numbers of rows."""
    return {
        wearer.patient: _of(shards(count)[shard_of(wearer, count)].file(folder), key(wearer))
        for wearer in wearers
    }


def _of(path: Path, name: str) -> dict[str, object]:
    plain = {
        "messages": "session, sequence, lane, received_us, payload",
        "runs": "late, from_us, calibration, closed",
        "sessions": "*", "ledger": "*", "gaps": "sensor, from_us, count", "calibrations": "*", "notices": "*",
        "people": "*", "episodes": "*", "exposures": "*", "quarters": "*", "archived": "*", "counters": "*",
    }  # fmt: skip
    with reading(path) as c:
        found: dict[str, object] = {
            table: sorted(c.execute(f"SELECT {what} FROM {table} WHERE wearer = ?", (name,)))  # noqa: S608
            for table, what in plain.items()
        }
        judged = {row[0]: row[1:] for row in c.execute("SELECT id, run_us, calibration FROM judgements")}
        for stream, what in c.execute("SELECT id, name FROM streams WHERE wearer = ?", (name,)).fetchall():
            rows = chunks.read(c, stream, 0, 2**40)
            judgements = [judged[number] for number in rows.judgement.tolist()]
            found[f"seconds of {what}"] = (rows.t_s.tolist(), rows.values.tobytes(), judgements)
    return found
