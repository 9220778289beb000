"""The `Reader` of `ingest.reading`: what pages, reports and exports see of what is stored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from analytics.exposure.counts import QuarterExposure
from ingest.database.sqlite import reading
from ingest.reading import Day, Person, Series
from ingest.results.store import ResultStore, key, wearer_of
from poise import notices
from poise.notices import GuardNotice, Presence, SensorStatus
from poise.results import Episode
from poise.samples import Gap
from poise.strain import Exceedance
from poise.topics import Leaf, Wearer

_PERSON = "SELECT wearer, timezone, origin, injections, last_us FROM people"


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """The account of one sensor: every sample is stored or reported missing, once.

    Attributes:
        stored: samples on disk.
        missing: samples reported missing.
        duplicates: samples that came again and were not stored again.
        spread: of estimates: the true number of missing samples lies within missing ± spread.
    """

    sensor: str
    segment: str
    stored: int
    missing: int
    duplicates: int
    spread: int = 0


class StoreReader:
    """Reads with connections of its own, one a call, so any thread may call anything.

    Raises:
        StoreUnavailableError: from every method, if the database or the result store is not there.
    """

    def __init__(self, path: Path, results: ResultStore) -> None:
        self._path, self._results = path, results

    def people(self) -> Sequence[Person]:
        """See `Reader`."""
        with reading(self._path) as c:
            people = [_person(row) for row in c.execute(_PERSON)]
        return sorted(people, key=lambda person: (person.wearer.patient, person.wearer.site))

    def person(self, wearer: Wearer) -> Person | None:
        """See `Reader`."""
        with reading(self._path) as c:
            row = c.execute(f"{_PERSON} WHERE wearer = ?", (key(wearer),)).fetchone()
        return None if row is None else _person(row)

    def series(
        self, wearer: Wearer, streams: Sequence[str], from_s: int, to_s: int, points: int = 0
    ) -> Mapping[str, Series]:
        """See `Reader`."""
        return self._results.series(wearer, streams, from_s, to_s, points)

    def episodes(self, wearer: Wearer, from_us: int, to_us: int) -> Sequence[Episode]:
        """See `Reader`."""
        return self._results.episodes(wearer, from_us, to_us)

    def days(self, wearer: Wearer, first: date, last: date) -> Sequence[Day]:
        """See `Reader`."""
        person = self.person(wearer)
        return () if person is None else self._results.days(wearer, first, last, person.timezone)

    def quarters(self, wearer: Wearer, from_s: int, to_s: int) -> Sequence[QuarterExposure]:
        """See `Reader`."""
        return self._results.quarters(wearer, from_s, to_s)

    def gaps(self, wearer: Wearer, from_us: int, to_us: int) -> Sequence[Gap]:
        """See `Reader`."""
        sql = (
            "SELECT sensor, segment, from_us, to_us, count, estimated, reason, spread FROM gaps "
            "WHERE wearer = ? AND from_us < ? AND to_us >= ? ORDER BY from_us, sensor"
        )
        with reading(self._path) as c:
            rows = c.execute(sql, (key(wearer), to_us, from_us)).fetchall()
        return [Gap(a, b, c, d, e, bool(f), g, h) for a, b, c, d, e, f, g, h in rows]

    def sensors(self, wearer: Wearer) -> Sequence[SensorStatus]:
        """See `Reader`."""
        return [notices.decode(notice, SensorStatus) for notice in self._notices(wearer, Leaf.SENSOR)]

    def calibrated(self, wearer: Wearer) -> Sequence[int]:
        """See `Reader`."""
        sql = "SELECT made_us FROM calibrations WHERE wearer = ? ORDER BY made_us"
        with reading(self._path) as c:
            return [int(made_us) for (made_us,) in c.execute(sql, (key(wearer),))]

    def efforts(self, wearer: Wearer, from_us: int, to_us: int) -> Sequence[Exceedance]:
        """See `Reader`."""
        found = [notices.decode(each, GuardNotice).exceedance for each in self._notices(wearer, Leaf.GUARD)]
        return sorted((e for e in found if from_us <= e.start_us < to_us), key=lambda e: (e.start_us, e.kind))

    def presence(self, wearer: Wearer) -> Presence | None:
        """See `Reader`."""
        found = self._notices(wearer, Leaf.PRESENCE)
        return notices.decode(found[0], Presence) if found else None

    def ledger(self, wearer: Wearer, session: str | None = None) -> Sequence[LedgerRow]:
        """Return the account of each sensor, of one gateway session or of all."""
        sql = (
            "SELECT sensor, segment, sum(stored), sum(missing), sum(duplicates), sum(spread) FROM ledger "
            "WHERE wearer = ? AND session = coalesce(?, session) "
            "GROUP BY sensor, segment ORDER BY segment, sensor"
        )
        with reading(self._path) as c:
            return [LedgerRow(*row) for row in c.execute(sql, (key(wearer), session))]

    def counters(self, wearer: Wearer | None = None) -> Mapping[str, int]:
        """Return what was counted: remarks of the analytics of a wearer, or dead letters by reason."""
        name = "" if wearer is None else key(wearer)
        with reading(self._path) as c:
            return dict(c.execute("SELECT name, count FROM counters WHERE wearer = ? ORDER BY name", (name,)))

    def _notices(self, wearer: Wearer, leaf: Leaf) -> list[bytes]:
        sql = "SELECT notice FROM notices WHERE wearer = ? AND leaf = ? ORDER BY detail"
        with reading(self._path) as c:
            return [row[0] for row in c.execute(sql, (key(wearer), leaf))]


def _person(row: tuple[str, str, str, str, int]) -> Person:
    name, timezone, origin, injections, last_us = row
    days = tuple(date.fromisoformat(day) for day in injections.split(",") if day)
    return Person(wearer_of(name), timezone, origin, days, last_us)
