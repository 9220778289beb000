"""The results in `poise.db`, to be copied from and to."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ingest.database import chunks
from ingest.database.sqlite import Connection, Database, reading
from ingest.results.copying import Gathered
from ingest.results.quarters import unpack
from ingest.results.store import EPISODE, SqliteResults, key, wearer_of
from poise.results import Exposure, Results, Second
from poise.topics import Wearer

_DAY_S = 86_400


class SqliteCopy:
    """See `Copyable`.

    Args:
        path: `poise.db`.
        timezone: IANA zone of wearers that it does not know yet.
    """

    def __init__(self, path: Path, timezone: str = "UTC") -> None:
        self._path, self._timezone = path, timezone
        self._database: Database | None = None

    def wearers(self) -> Sequence[Wearer]:
        """See `Copyable`."""
        sql = (
            "SELECT wearer FROM streams UNION SELECT wearer FROM episodes UNION SELECT wearer FROM exposures "
            "UNION SELECT wearer FROM quarters"
        )
        with reading(self._path) as c:
            return [wearer_of(name) for (name,) in c.execute(f"{sql} ORDER BY wearer")]

    def days(self, wearer: Wearer) -> Mapping[int, bool]:
        """See `Copyable`."""
        others = (
            "SELECT DISTINCT start_us / 1000000 / 86400 * 86400 FROM episodes WHERE wearer = ? "
            "UNION SELECT DISTINCT quarter_s / 86400 * 86400 FROM exposures WHERE wearer = ? "
            "UNION SELECT DISTINCT quarter_s / 86400 * 86400 FROM quarters WHERE wearer = ?"
        )
        with reading(self._path) as c:
            found = {day: False for (day,) in c.execute(others, [key(wearer)] * 3)}
            for (stream,) in c.execute("SELECT id FROM streams WHERE wearer = ?", (key(wearer),)):
                found |= dict.fromkeys(chunks.times(c, stream, _DAY_S), True)
        return found

    def read(self, wearer: Wearer, from_s: int, to_s: int) -> Sequence[tuple[str, Results]]:
        """See `Copyable`; seconds and exposure have the origin of their run's samples."""
        name, found = key(wearer), Gathered()
        with reading(self._path) as c:
            origins, usual = _origins(c, name)
            for second in _seconds(c, name, from_s, to_s):
                found.of(origins.get(second.run_us, usual)).seconds.append(second)
            sql = "SELECT origin, episode FROM episodes WHERE wearer = ? AND start_us >= ? AND start_us < ?"
            for origin, episode in c.execute(sql, (name, from_s * 1_000_000, to_s * 1_000_000)):
                found.of(origin).episodes.append(EPISODE.decode(episode))
            during = "WHERE wearer = ? AND quarter_s >= ? AND quarter_s < ?"
            sql = f"SELECT quarter_s, run_us, kind, seconds FROM exposures {during}"  # noqa: S608 - ours
            for row in c.execute(sql, (name, from_s, to_s)):
                found.of(origins.get(row[1], usual)).exposures.append(Exposure(*row))
            sql = f"SELECT origin, counts FROM quarters {during}"  # noqa: S608 - ours
            for origin, counts in c.execute(sql, (name, from_s, to_s)):
                found.of(origin).quarters.append(unpack(counts))
        return found.results()

    def write(self, wearer: Wearer, results: Sequence[tuple[str, Results]]) -> None:
        """See `Copyable`; a wearer that is not known becomes so."""
        if self._database is None:
            self._database = Database(self._path)
        store = SqliteResults(self._path)
        with self._database.transaction() as c:
            c.execute(
                "INSERT OR IGNORE INTO people (wearer, timezone, origin) VALUES (?, ?, ?)",
                (key(wearer), self._timezone, results[-1][0]),
            )
            for origin, part in results:
                store.write(c, wearer, origin, part)

    def conclude(self, wearer: Wearer, from_s: int, to_s: int) -> None:  # noqa: ARG002 - of the protocol
        """See `Copyable`; longer steps are made when they are read, so here seconds only go into pieces."""
        if self._database is not None:
            with self._database.transaction() as c:
                chunks.settle(c, key(wearer), to_s + chunks.SETTLED_S)

    def close(self) -> None:
        """Close what was opened to be written to."""
        if self._database is not None:
            self._database.close()


def _seconds(c: Connection, name: str, from_s: int, to_s: int) -> Iterable[Second]:
    judged = {row[0]: row[1:] for row in c.execute("SELECT id, run_us, calibration FROM judgements")}
    for stream, number in c.execute("SELECT name, id FROM streams WHERE wearer = ?", (name,)).fetchall():
        rows = chunks.read(c, number, from_s, to_s)
        columns = zip(rows.t_s.tolist(), *rows.values.tolist(), rows.judgement.tolist(), strict=True)
        for t_s, mean, low, high, coverage, judgement in columns:
            yield Second(t_s, stream, mean, low, high, coverage, *judged[judgement])


def _origins(c: Connection, name: str) -> tuple[Mapping[int, str], str]:
    """Return the origin of each run's samples, and that of the wearer for runs that are not known."""
    sql = "SELECT from_us, origin FROM runs JOIN messages ON messages.id = message WHERE runs.wearer = ?"
    usual = c.execute("SELECT origin FROM people WHERE wearer = ?", (name,)).fetchone()
    return dict(c.execute(sql, (name,)).fetchall()), usual[0] if usual else "worn"
