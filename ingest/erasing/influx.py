"""A person's series in InfluxDB, in every bucket or policy of ours.

Names come from the server itself: it is asked which sites and patients it knows, and who of them is on the
list goes. What it has deleted is no longer answered; its files let go of it when it next compacts them. A
`tsi1` index (always in 2.x) goes on naming a pseudonym among its tag values, without a series or a point,
until it is built anew: https://github.com/influxdata/influxdb/issues/10285 and 25471.
"""

from collections import Counter
from collections.abc import Callable
from typing import Final

from ingest.erasing.register import Note, Register
from ingest.results.influxdb.layout import CONCLUSIONS, TABLES
from ingest.results.influxdb.lines import wearer_in
from ingest.results.influxdb.results import of
from ingest.results.influxdb.server import InfluxServer
from ingest.results.store import key
from poise.errors import StoreUnavailableError, WireError
from poise.topics import BUCKETS, Wearer

_SUFFIXES: Final = tuple(table.suffix for table in (CONCLUSIONS, *TABLES.values()))
_MEASUREMENTS: Final = {
    CONCLUSIONS.suffix: ("posture_episode", "posture_exposure", "posture_quarter"),
    **{table.suffix: (table.measurement,) for table in TABLES.values()},
}


class InfluxErasure:
    """Carries the list out at the server; called by the forwarder alone, so that nothing is on its way there.

    Args:
        server: InfluxDB.
        register: the list.
        database: name of the database whose outbox goes there: it comes first.
        clock: UTC µs.
        buckets: whose wearers' lines this outbox holds.
    """

    def __init__(
        self,
        server: InfluxServer,
        register: Register,
        database: str,
        clock: Callable[[], int],
        buckets: frozenset[int] = frozenset(range(BUCKETS)),
    ) -> None:
        self._server, self._register, self._database = server, register, database
        self._clock, self._buckets = clock, buckets
        self._settled = False

    def look(self) -> None:
        """Delete the series of whoever is on the list and has nothing left in the outbox.

        Raises:
            StoreUnavailableError: if the server is not there; it is tried again.
        """
        if self._register.refresh():
            self._settled = False
        if self._settled:
            return
        place = place_of(self._database)
        pending = dict(self._register.pending(place))
        due = {person for person, order in pending.items() if self._left(person, order.asked_us)}
        self._settled = not pending
        if not due:
            return
        removed = self._delete(due)
        orders = self._register.all
        for person in due:
            note = Note(
                asked_us=orders[person].asked_us, at_us=self._clock(), removed=removed.get(person, {})
            )
            self._register.note(person, place, note)

    def refuses(self, line: bytes) -> bool:
        """Return whether a line is of somebody who was erased."""
        try:
            return bool(self._register) and self._register.is_erased(key(wearer_in(line)))
        except WireError:
            return False

    def _left(self, person: str, asked_us: int) -> bool:
        """Return whether a person's lines have left the outbox, so that none can follow."""
        note = self._register.notes(person).get(self._database)
        return note is not None and note.asked_us >= asked_us

    def _delete(self, due: set[str]) -> dict[str, Counter[str]]:
        removed: dict[str, Counter[str]] = {}
        for wearer in known(self._server):
            person = self._register.person(key(wearer))
            if person in due and wearer.bucket in self._buckets and self._register.is_erased(key(wearer)):
                removed[person] = erase(self._server, wearer)
        return removed


def place_of(database: str) -> str:
    """Return as what the deletion at the server is noted for the outbox of a database."""
    return f"influxdb-{database}"


def known(server: InfluxServer) -> set[Wearer]:
    """Return all whom the server may hold: every site with every patient that it names.

    Raises:
        StoreUnavailableError: if it does not answer.
    """
    found: set[Wearer] = set()
    for suffix in _SUFFIXES:
        sites, patients = (_values(server, name, suffix) for name in ("site", "patient"))
        found |= {Wearer(patient, site) for site in sites for patient in patients}
    return found


def erase(server: InfluxServer, wearer: Wearer) -> Counter[str]:
    """Delete a wearer's series; return how many points there were, by measurement.

    Raises:
        StoreUnavailableError: if the server does not answer, or still holds something.
    """
    before = {suffix: _points(server, wearer, suffix) for suffix in _SUFFIXES}  # 1.8 deletes in all at once
    for suffix in (suffix for suffix in _SUFFIXES if before[suffix]):
        server.delete(wearer.site, wearer.patient, suffix)
    if any(_points(server, wearer, suffix) for suffix in _SUFFIXES):
        raise StoreUnavailableError("InfluxDB still holds what it was told to delete; run again")
    return sum(before.values(), Counter[str]())


def _points(server: InfluxServer, wearer: Wearer, suffix: str) -> Counter[str]:
    """Return how many points of each field there are, the most of a measurement's fields."""
    counts = Counter[str]()
    for measurement in _MEASUREMENTS[suffix]:
        sql = f'SELECT count(*) FROM "{measurement}" WHERE {of(wearer)}'  # noqa: S608 - quoted
        for _, rows in server.query(sql, suffix):
            counts[measurement] += max((int(number or 0) for row in rows for number in row[1:]), default=0)
    return +counts


def _values(server: InfluxServer, tag: str, suffix: str) -> set[str]:
    rows = (row for _, part in server.query(f'SHOW TAG VALUES WITH KEY = "{tag}"', suffix) for row in part)
    return {str(row[1]) for row in rows if _is_name(str(row[1]))}


def _is_name(text: str) -> bool:
    try:
        Wearer(text)
    except WireError:
        return False
    return True
