"""Seconds joined to minutes and hours in InfluxDB, hour by hour, from what the server holds.

Each write of seconds marks their hours as stale in `poise.db`, in its own transaction. When an hour is over,
all that was written of it is confirmed and nothing has come since for a while, its seconds are read back and
its minutes and its hour written; doing so again changes nothing. Late or rewritten seconds mark it again.
"""

from collections.abc import Callable, Collection
from typing import Final

from ingest.database.sqlite import Connection, Database
from ingest.reading import Series
from ingest.results.coarse import coarser
from ingest.results.influxdb import lines, outbox
from ingest.results.influxdb.layout import TABLES
from ingest.results.influxdb.server import InfluxServer
from ingest.results.store import key, series_of, wearer_of
from poise.topics import LONGEST_S, Wearer

HOUR_S: Final = 3600
QUIET_S: Final = 1.5 * LONGEST_S
"""How long nothing must have come of an hour that is over: longer than a message; project decision."""
_MOST_AT_ONCE: Final = 50
_DAY_S: Final = 86_400
Mark = tuple[str, int, int]


def mark(c: Connection, wearer: Wearer, hours: Collection[int], row: int) -> None:
    """Note that seconds of these hours (UTC s) wait in a row of the outbox."""
    c.executemany(
        "INSERT OR REPLACE INTO stale_hours (wearer, hour_s, upto) VALUES (?, ?, ?)",
        [(key(wearer), hour, row) for hour in hours],
    )


def stale_hours(c: Connection, wearer: Wearer, from_s: int, to_s: int) -> list[int]:
    """Return the hours that overlap the time whose minutes are not made yet, UTC s, increasing."""
    sql = "SELECT hour_s FROM stale_hours WHERE wearer = ? AND hour_s > ? AND hour_s < ? ORDER BY hour_s"
    return [row[0] for row in c.execute(sql, (key(wearer), from_s - HOUR_S, to_s))]


class Downsampler:
    """Makes minutes and hours.

    Args:
        database: `poise.db`.
        server: InfluxDB.
        clock: UTC µs.
        quiet_s: how long nothing must have come of an hour.
    """

    def __init__(
        self, database: Database, server: InfluxServer, clock: Callable[[], int], quiet_s: float = QUIET_S
    ) -> None:
        self._database, self._server, self._clock = database, server, clock
        self._quiet_us = quiet_s * 1e6
        self._noticed_us: dict[Mark, int] = {}

    def work(self) -> int:
        """Make what is due, some hours at a time, and return how many.

        Raises:
            StoreUnavailableError: if the server is not there; the hours stay marked.
        """
        due = self._due()[:_MOST_AT_ONCE]
        for name, hour_s, upto in due:
            if not self._expired(hour_s):
                make_hours(self._server, wearer_of(name), hour_s, hour_s + HOUR_S)
            with self._database.transaction() as c:
                # Seconds that came meanwhile have marked it again.
                sql = "DELETE FROM stale_hours WHERE wearer = ? AND hour_s = ? AND upto = ?"
                c.execute(sql, (name, hour_s, upto))
        return len(due)

    def _due(self) -> list[Mark]:
        now_us = self._clock()
        with self._database.transaction() as c:
            sent = (
                "SELECT wearer, hour_s, upto FROM stale_hours WHERE upto < ? AND hour_s <= ? ORDER BY hour_s"
            )
            waits = outbox.first(c)
            latest_s = (now_us - self._quiet_us) / 1e6 - HOUR_S
            found: list[Mark] = c.execute(sent, (2**62 if waits is None else waits, latest_s)).fetchall()
        # A clock that was set back begins the wait again instead of ending it late.
        before = {m: t_us for m, t_us in self._noticed_us.items() if t_us <= now_us}
        self._noticed_us = {one: before.get(one, now_us) for one in found}
        return [one for one in found if now_us - self._noticed_us[one] >= self._quiet_us]

    def _expired(self, hour_s: int) -> bool:
        """Return whether the server may have deleted seconds of the hour: what was made of them stays."""
        keep_days = self._server.settings.keep_1s_days
        return bool(keep_days) and hour_s < self._clock() / 1e6 - keep_days * _DAY_S


def make_hours(server: InfluxServer, wearer: Wearer, from_s: int, to_s: int) -> None:
    """Make the minutes and hours of a wearer's whole hours from the seconds that the server holds.

    Raises:
        StoreUnavailableError: if it is not there.
    """
    sql = (
        f'SELECT "mean", "low", "high", "coverage" FROM "{TABLES[1].measurement}" WHERE '  # noqa: S608 - quoted
        f'"site" = {lines.literal(wearer.site)} AND "patient" = {lines.literal(wearer.patient)} '
        f'AND time >= {from_s}s AND time < {to_s}s GROUP BY "stream"'
    )
    bodies: dict[int, list[bytes]] = {60: [], HOUR_S: []}
    for tags, rows in server.query(sql, TABLES[1].suffix):
        seconds = series_of(rows)
        seconds = Series(seconds.t_s // 1_000_000, *seconds.columns[1:])
        for step_s, body in bodies.items():
            body += lines.joined_seconds(wearer, tags["stream"], coarser(seconds, step_s))
    for step_s, body in bodies.items():
        if body:
            server.write(b"\n".join(body), TABLES[step_s].suffix)
