"""The only file that knows influxdb-client: results into InfluxDB 1.8 or 2 by way of an outbox, and back.

Lines are written to a table of `poise.db` in the transaction that stores the raw messages; a forwarder
carries them to the server and deletes them only after it said yes. So neither a dead server nor a killed
program loses one. Read back with InfluxQL on `/query`, the one language that 1.8, 2 and 3 all answer.
"""

import asyncio
import json
import logging
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

import msgspec
import urllib3
from influxdb_client.client.exceptions import InfluxDBError
from influxdb_client.client.influxdb_client import InfluxDBClient
from influxdb_client.client.write_api import SYNCHRONOUS
from influxdb_client.rest import ApiException

from ingest import lines
from ingest.reading import Day, Series
from ingest.sqlite import Connection, Database
from ingest.store import days_of, series_of, span_of
from poise.errors import StoreError, StoreRejectedError, StoreUnavailableError
from poise.results import QUARTER_S, Episode, Exposure, Results
from poise.topics import Wearer

log = logging.getLogger("poise.influx")
BODY_LINES: Final = 5000
_TIMEOUT_MS: Final = 10_000
_IDLE_S: Final = 0.5
_LONGEST_WAIT_S: Final = 60.0
_DAY_US: Final = 86_400_000_000
_EVER_US: Final = 9_000_000_000_000_000
_BAD_DATA: Final = (400, 413, 422)
_MICROSECONDS: Any = "us"


@dataclass(frozen=True, slots=True, kw_only=True)
class InfluxSettings:
    """Where InfluxDB is.

    Attributes:
        url: for example http://127.0.0.1:8086.
        token: of 2.x; for 1.8 `user:password`.
        org: of 2.x; for 1.8 "-".
        bucket: of 2.x; for 1.8 `database/retention policy`.
    """

    url: str
    token: str = field(repr=False)
    org: str
    bucket: str


class InfluxServer:
    """Synchronous calls to one server, its failures in our words."""

    def __init__(self, settings: InfluxSettings) -> None:
        self.settings = settings
        self._client = InfluxDBClient(
            url=settings.url, token=settings.token, org=settings.org, timeout=_TIMEOUT_MS
        )
        self._writer = self._client.write_api(write_options=SYNCHRONOUS)
        self._http = urllib3.PoolManager(retries=False, timeout=_TIMEOUT_MS / 1000)

    def write(self, body: bytes) -> None:
        """Write joined lines; returns when the server has them.

        Raises:
            StoreRejectedError: if the lines are at fault.
            StoreUnavailableError: if the server or the way to it is.
        """
        with self._in_our_words():
            self._writer.write(self.settings.bucket, self.settings.org, body, write_precision=_MICROSECONDS)

    def query(self, influxql: str) -> Iterator[tuple[Mapping[str, str], list[dict[str, Any]]]]:
        """Yield tags and rows (columns by name, `time` in UTC µs) of each series of the answer.

        Raises:
            StoreUnavailableError: if there is none.
        """
        database, _, policy = self.settings.bucket.partition("/")
        fields = {"db": database, "q": influxql, "epoch": "u"} | ({"rp": policy} if policy else {})
        with self._in_our_words():
            answer = self._http.request(
                "GET",
                f"{self.settings.url.rstrip('/')}/query",
                fields=fields,
                headers={"Authorization": f"Token {self.settings.token}"},
            )
            if answer.status >= 300:
                raise StoreUnavailableError(
                    _advice(self.settings.url, self.settings.bucket, answer.status, answer.data[:200])
                )
            results = json.loads(answer.data).get("results", [])
        for result in results:
            if "error" in result:
                raise StoreUnavailableError(f"InfluxDB does not answer: {result['error']}")
            for series in result.get("series", []):
                rows = [dict(zip(series["columns"], row, strict=True)) for row in series["values"]]
                yield series.get("tags", {}), rows

    def close(self) -> None:
        """Let go of the connections."""
        self._writer.close()  # type: ignore[no-untyped-call]
        self._client.close()  # type: ignore[no-untyped-call]
        self._http.clear()

    @contextmanager
    def _in_our_words(self) -> Iterator[None]:
        url = self.settings.url
        try:
            yield
        except (ApiException, InfluxDBError) as exc:
            status = int(getattr(exc, "status", None) or getattr(exc.response, "status", 0) or 0)
            if status in _BAD_DATA:
                raise StoreRejectedError(f"InfluxDB refuses a line: {exc}") from exc
            raise StoreUnavailableError(_advice(url, self.settings.bucket, status, exc)) from exc
        except (urllib3.exceptions.HTTPError, OSError, ValueError) as exc:
            raise StoreUnavailableError(f"no answer from InfluxDB at {url}: {exc}") from exc


def _advice(url: str, bucket: str, status: int, what: object) -> str:
    if status in (401, 403):
        return f"InfluxDB at {url} refuses the token; set one that may read and write {bucket!r}"
    if status == 404:
        return (
            f"InfluxDB at {url} has no bucket {bucket!r} or no such organisation; make it or change the name"
        )
    return f"InfluxDB at {url} cannot be used now (status {status}): {what!s}"


class InfluxResults:
    """A `ResultStore`: writes lines into the outbox, reads from the server."""

    def __init__(self, server: InfluxServer) -> None:
        self._server = server

    def write(self, connection: Connection, wearer: Wearer, origin: str, results: Results) -> None:
        """Put the results into the outbox, in the caller's transaction."""
        connection.executemany(
            "INSERT INTO outbox (line) VALUES (?)", [(line,) for line in lines.lines(wearer, origin, results)]
        )

    def series(self, wearer: Wearer, streams: Sequence[str], from_s: int, to_s: int) -> Mapping[str, Series]:
        """See `ResultStore`."""
        found: dict[str, Series] = {}
        for stream in streams:
            sql = (
                'SELECT "mean", "low", "high", "coverage" FROM "posture_second" '  # noqa: S608 - quoted
                f'WHERE {_of(wearer)} AND "stream" = {lines.literal(stream)} '
                f"AND {_during(from_s * 1_000_000, to_s * 1_000_000)}"
            )
            rows = [row for _, part in self._server.query(sql) for row in part]
            found[stream] = series_of(
                (r["time"] // 1_000_000, r["mean"], r["low"], r["high"], r["coverage"]) for r in rows
            )
        return found

    def episodes(self, wearer: Wearer, from_us: int, to_us: int) -> Sequence[Episode]:
        """See `ResultStore`; an episode is found if it began at most a day before `from_us`."""
        sql = (
            f'SELECT "episode" FROM "posture_episode" WHERE {_of(wearer)} AND "until_us" >= {from_us} '  # noqa: S608
            f"AND {_during(from_us - _DAY_US, to_us)}"
        )
        rows = [row["episode"] for _, part in self._server.query(sql) for row in part]
        episodes = [msgspec.json.decode(row, type=Episode) for row in rows]
        return sorted(episodes, key=lambda episode: (episode.start_us, episode.id))

    def days(self, wearer: Wearer, first: date, last: date, timezone: str) -> Sequence[Day]:
        """See `ResultStore`."""
        from_s, to_s = span_of(first, last, timezone)
        sql = (
            f'SELECT "seconds", "run_us" FROM "posture_exposure" WHERE {_of(wearer)} '  # noqa: S608
            f'AND {_during(from_s * 1_000_000, to_s * 1_000_000)} GROUP BY "kind"'
        )
        exposures = [
            Exposure(
                row["time"] // 1_000_000 // QUARTER_S * QUARTER_S, row["run_us"], tags["kind"], row["seconds"]
            )
            for tags, part in self._server.query(sql)
            for row in part
        ]
        return days_of(exposures, first, last, timezone)


def _during(from_us: int, to_us: int) -> str:
    """Limit the time; the server's ends in the year 2262."""
    start, stop = (min(max(t_us, -_EVER_US), _EVER_US) for t_us in (from_us, to_us))
    return f"time >= {start}u AND time < {stop}u"


def _of(wearer: Wearer) -> str:
    return f'"site" = {lines.literal(wearer.site)} AND "patient" = {lines.literal(wearer.patient)}'


class Forwarder:
    """Carries the outbox to InfluxDB: `run` it as a task beside the ingest.

    Attributes:
        forwarded: lines that the server has confirmed since the start.
        refused: lines put aside as dead letters.
        trouble: what is wrong now, a sentence; "" if nothing.
    """

    def __init__(self, database: Database, server: InfluxServer) -> None:
        self._database, self._server = database, server
        self.forwarded = 0
        self.refused = 0
        self.trouble = ""

    async def run(self) -> None:
        """Forward until cancelled; waits longer each time the server is not there."""
        wait_s = _IDLE_S
        while True:
            try:
                done = await asyncio.to_thread(self.forward)
            except StoreError as exc:
                self._say(str(exc))
                wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
            else:
                self._say("")
                wait_s = _IDLE_S
                if done == BODY_LINES:
                    continue
            await asyncio.sleep(wait_s * random.uniform(0.7, 1.3))  # noqa: S311 - spreads retries

    def forward(self) -> int:
        """Carry the oldest lines and return how many left the outbox.

        Raises:
            StoreUnavailableError: if the server is not there; nothing is lost.
        """
        with self._database.transaction() as c:
            rows = c.execute("SELECT id, line FROM outbox ORDER BY id LIMIT ?", (BODY_LINES,)).fetchall()
        if not rows:
            return 0
        refused = self._write([row[1] for row in rows])
        with self._database.transaction() as c:
            c.executemany(
                "INSERT INTO dead_letters (topic, payload, reason, sentence, received_us) "
                "VALUES ('influxdb', ?, 'refused', ?, 0)",
                refused,
            )
            c.execute("DELETE FROM outbox WHERE id <= ?", (rows[-1][0],))
        self.forwarded += len(rows) - len(refused)
        self.refused += len(refused)
        return len(rows)

    def waiting(self) -> int:
        """Return how many lines wait for the server."""
        with self._database.transaction() as c:
            return int(c.execute("SELECT count(*) FROM outbox").fetchone()[0])

    def _write(self, body: list[bytes]) -> list[tuple[bytes, str]]:
        """Write the lines, halving until those that the server refuses stand alone; return these."""
        try:
            self._server.write(b"\n".join(body))
        except StoreRejectedError as exc:
            if len(body) == 1:
                return [(body[0], str(exc)[:500])]
            middle = len(body) // 2
            return self._write(body[:middle]) + self._write(body[middle:])
        return []

    def _say(self, trouble: str) -> None:
        if trouble and not self.trouble:
            log.warning("%s; results wait in the outbox", trouble)
        elif self.trouble and not trouble:
            log.info("InfluxDB takes results again")
        self.trouble = trouble
