"""Many more patients in a result store, who have what its last one has, under other names.

Made for `store_queries.py`, which wants a store as full as a clinic's without making up all of it. SQLite
copies within the database. For InfluxDB the last patient's lines are kept as the ordinary filling sends them
(seconds, minutes, hours, episodes and exposure) and sent again with another patient in their tag. Patient by
patient, not week by week: a year lies in two or three files of time (`layout.py`), and what a server gets of
one series at once it need not sort into older files later.
"""

import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial
from pathlib import Path

import msgspec

from ingest.results.influxdb.layout import CONCLUSIONS, TABLES
from ingest.results.influxdb.results import of
from ingest.results.influxdb.server import InfluxServer, InfluxSettings
from poise.errors import StoreUnavailableError
from poise.topics import Wearer

BODY_LINES = 10_000
THREADS = 2
TRIES = 60
SAMPLE = 5
MEASURED = (
    (TABLES[1], "posture_second", "mean"),
    (TABLES[60], "posture_minute", "mean"),
    (TABLES[3600], "posture_hour", "mean"),
    (CONCLUSIONS, "posture_episode", "until_us"),
    (CONCLUSIONS, "posture_exposure", "seconds"),
)
"""Where there is something of each patient, and a field that each point has."""


def sqlite_crowd(path: Path, numbers: range) -> None:
    """Give more patients, by their numbers, what the last one in `poise.db` has, copied within it."""
    with closing(sqlite3.connect(path, isolation_level=None)) as c:
        (like,) = c.execute("SELECT max(wearer) FROM streams WHERE wearer < 'home/Q'").fetchone()
        for number in numbers:
            who = {"who": f"home/{_name(number)}", "like": like}
            c.execute("BEGIN")
            c.execute(
                "INSERT INTO streams (wearer, name) SELECT :who, name FROM streams WHERE wearer = :like", who
            )
            c.execute(
                "INSERT INTO pieces SELECT mine.id, from_s, body FROM pieces "
                "JOIN streams AS theirs ON theirs.id = stream "
                "JOIN streams AS mine ON mine.wearer = :who AND mine.name = theirs.name "
                "WHERE theirs.wearer = :like",
                who,
            )
            for table, rest in (
                ("episodes", "id, start_us, last_us, end_us, origin, episode"),
                ("exposures", "quarter_s, run_us, kind, seconds"),
            ):
                c.execute(f"INSERT INTO {table} SELECT :who, {rest} FROM {table} WHERE wearer = :like", who)  # noqa: S608
            c.execute("COMMIT")


class CrowdedServer(InfluxServer):
    """An InfluxDB that keeps what it was sent of one patient, and can be sent it again for others.

    Args:
        settings: where it is.
        like: whose lines are kept.
        path: a file for them.
    """

    def __init__(self, settings: InfluxSettings, like: Wearer, path: Path) -> None:
        super().__init__(settings)
        self._like, self._tag, self._path = like, _tag(like.patient), path
        self._sent: dict[str, list[bytes]] = {}

    def write(self, body: bytes, suffix: str = "") -> int:
        """See `InfluxServer.write`; a body is of one patient."""
        if self._tag in body.partition(b" ")[0] + b",":
            self._sent.setdefault(suffix, []).append(body)
        return super().write(body, suffix)

    def crowd(self, numbers: range) -> None:
        """Write more patients, by their numbers, and look whether they are there.

        Raises:
            SystemExit: if one of a sample has less than the patient whose lines they got.
        """
        bodies = [(suffix, body) for suffix, sent in self._kept().items() for body in _bodies(sent)]

        def one(number: int) -> None:
            tag = _tag(_name(number))
            for suffix, body in bodies:
                _again(partial(super(CrowdedServer, self).write, body.replace(self._tag, tag), suffix))

        with ThreadPoolExecutor(THREADS) as threads:
            list(threads.map(one, numbers))
        self._check(numbers)

    def _kept(self) -> dict[str, list[bytes]]:
        if self._sent:
            self._path.write_bytes(msgspec.msgpack.encode(self._sent))
        return msgspec.msgpack.decode(self._path.read_bytes(), type=dict[str, list[bytes]])

    def _check(self, numbers: range) -> None:
        wanted = self._counts(self._like)
        if not all(wanted):
            raise SystemExit(f"the last patient lacks something: {wanted}; no figure")
        for number in {*numbers[:: -(-len(numbers) // SAMPLE)], numbers[-1]}:
            if (found := self._counts(Wearer(_name(number)))) != wanted:
                raise SystemExit(f"{_name(number)} has {found} points, not {wanted}: no figure")

    def _counts(self, wearer: Wearer) -> list[int]:
        return [
            sum(
                row[1]
                for _, rows in self.query(
                    f'SELECT count("{field}") FROM "{measurement}" WHERE {of(wearer)}',  # noqa: S608
                    table.suffix,
                )
                for row in rows
            )
            for table, measurement, field in MEASURED
        ]


def _again(write: Callable[[], int]) -> None:
    """Write until the server takes it: one that packs says so (5xx) or lets one wait too long."""
    for tried in range(TRIES):
        try:
            if write():
                raise SystemExit("the server lets lines fall that are too old for it: no figure")
        except StoreUnavailableError as exc:
            print(f"once more: {exc}"[:200], file=sys.stderr, flush=True)
            time.sleep(min(1 + tried, 10))
        else:
            return
    raise SystemExit("the server takes nothing more: no figure")


def _bodies(sent: Sequence[bytes]) -> Iterator[bytes]:
    lines = b"\n".join(sent).split(b"\n")
    for first in range(0, len(lines), BODY_LINES):
        yield b"\n".join(lines[first : first + BODY_LINES])


def _name(number: int) -> str:
    return f"Q-{number:04d}"


def _tag(patient: str) -> bytes:
    return f",patient={patient},".encode()
