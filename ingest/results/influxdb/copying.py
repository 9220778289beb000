"""The results in InfluxDB, to be copied from and to."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from ingest.results.copying import Gathered
from ingest.results.influxdb import lines
from ingest.results.influxdb.downsampling import make_hours
from ingest.results.influxdb.forwarder import BODY_LINES
from ingest.results.influxdb.layout import CONCLUSIONS, TABLES, Table
from ingest.results.influxdb.results import during, of
from ingest.results.influxdb.server import InfluxServer
from ingest.results.quarters import from_text
from ingest.results.store import EPISODE, wearer_of
from poise.results import QUARTER_S, Exposure, Results, Second
from poise.topics import Wearer

_EVER: Final = during(-(2**62), 2**62)
_DAY_S: Final = 86_400
_KEPT: Final = (
    (TABLES[1], "posture_second", "coverage"),
    (CONCLUSIONS, "posture_episode", "until_us"),
    (CONCLUSIONS, "posture_exposure", "seconds"),
    (CONCLUSIONS, "posture_quarter", "run_us"),
)
"""Where results are, and a field that each of their points has."""
_SECONDS: Final = (
    'SELECT "mean", "low", "high", "coverage", "run_us", "calibration", "origin" FROM "posture_second" '
    'WHERE {where} GROUP BY "stream"'
)
_EPISODES: Final = 'SELECT "origin", "episode" FROM "posture_episode" WHERE {where}'
_EXPOSURES: Final = (
    'SELECT "seconds", "run_us", "origin" FROM "posture_exposure" WHERE {where} GROUP BY "kind"'
)
_QUARTERS: Final = 'SELECT "origin", "counts" FROM "posture_quarter" WHERE {where}'


class InfluxCopy:
    """See `Copyable`.

    Attributes:
        expired: points that the server let fall because they are older than it keeps anything.
    """

    def __init__(self, server: InfluxServer) -> None:
        self._server = server
        self.expired = 0

    def wearers(self) -> Sequence[Wearer]:
        """See `Copyable`."""
        found: set[str] = set()
        for table, measurement, field in _KEPT:
            sql = f'SELECT first("{field}") FROM "{measurement}" WHERE {_EVER} GROUP BY "site", "patient"'  # noqa: S608
            found |= {
                f"{tags['site']}/{tags['patient']}" for tags, _ in self._server.query(sql, table.suffix)
            }
        return [wearer_of(name) for name in sorted(found)]

    def days(self, wearer: Wearer) -> Mapping[int, bool]:
        """See `Copyable`."""
        found: dict[int, bool] = {}
        for table, measurement, field in reversed(_KEPT):
            found |= dict.fromkeys(self._days_in(wearer, table, measurement, field), bool(table.step_s))
        return found

    def read(self, wearer: Wearer, from_s: int, to_s: int) -> Sequence[tuple[str, Results]]:
        """See `Copyable`."""
        where = f"{of(wearer)} AND {during(from_s * 1_000_000, to_s * 1_000_000)}"
        found = Gathered()
        for tags, rows in self._server.query(_SECONDS.format(where=where), TABLES[1].suffix):
            for t_us, mean, low, high, coverage, run_us, calibration, origin in rows:
                values = (float(mean), float(low), float(high), float(coverage))
                second = Second(t_us // 1_000_000, tags["stream"], *values, run_us, calibration)
                found.of(origin).seconds.append(second)
        for _, rows in self._server.query(_EPISODES.format(where=where)):
            for _, origin, episode in rows:
                found.of(origin).episodes.append(EPISODE.decode(episode))
        # Asked together: only exposure comes with a tag.
        for tags, rows in self._server.query(f"{_EXPOSURES}; {_QUARTERS}".format(where=where)):
            for row in rows:
                if tags:
                    found.of(row[3]).exposures.append(_exposure(tags["kind"], *row[:3]))
                else:
                    found.of(row[1]).quarters.append(from_text(row[2]))
        return found.results()

    def write(self, wearer: Wearer, results: Sequence[tuple[str, Results]]) -> None:
        """See `Copyable`."""
        for origin, part in results:
            seconds, others = Results(seconds=part.seconds), replace(part, seconds=())
            for table, some in ((TABLES[1], seconds), (CONCLUSIONS, others)):
                for body in _bodies(lines.lines(wearer, origin, some)):
                    self.expired += self._server.write(body, table.suffix)

    def conclude(self, wearer: Wearer, from_s: int, to_s: int) -> None:
        """See `Copyable`."""
        make_hours(self._server, wearer, from_s, to_s)

    def close(self) -> None:
        """Let go of the connections."""
        self._server.close()

    def _days_in(self, wearer: Wearer, table: Table, measurement: str, field: str) -> Iterator[int]:
        ends = []
        for end in ("first", "last"):
            sql = f'SELECT {end}("{field}") FROM "{measurement}" WHERE {of(wearer)} AND {_EVER}'  # noqa: S608
            ends += [row[0] for _, rows in self._server.query(sql, table.suffix) for row in rows]
        if not ends:
            return
        sql = (
            f'SELECT count("{field}") FROM "{measurement}" WHERE {of(wearer)} '  # noqa: S608 - quoted
            f"AND {during(ends[0], ends[1] + 1)} GROUP BY time(1d) fill(none)"
        )
        for _, rows in self._server.query(sql, table.suffix):
            for row in rows:
                yield row[0] // 1_000_000 // _DAY_S * _DAY_S


def _bodies(all_lines: Sequence[bytes]) -> Iterator[bytes]:
    for first in range(0, len(all_lines), BODY_LINES):
        yield b"\n".join(all_lines[first : first + BODY_LINES])


def _exposure(kind: str, t_us: int, seconds: float, run_us: int) -> Exposure:
    return Exposure(t_us // 1_000_000 // QUARTER_S * QUARTER_S, run_us, kind, float(seconds))
