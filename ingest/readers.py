"""The `Reader` of a folder with several databases: each wearer's is asked, and for people all are."""

from collections.abc import Callable, Mapping, Sequence
from datetime import date
from pathlib import Path

from analytics.exposure.counts import QuarterExposure
from ingest.database.shards import count_in, shard_of, shards
from ingest.reader import StoreReader
from ingest.reading import Day, Person, Reader, Series
from ingest.results.store import ResultStore
from poise.errors import ConfigurationError, StoreUnavailableError
from poise.notices import Presence, SensorStatus
from poise.results import Episode
from poise.samples import Gap
from poise.strain import Exceedance
from poise.topics import Wearer


def open_reader(folder: Path, results_at: Callable[[Path], ResultStore]) -> Reader:
    """Return the reader of a folder's database, or of all that it has.

    Args:
        folder: the data folder.
        results_at: gives the result store beside a database.

    Raises:
        ConfigurationError: if there is none yet.
    """
    count = count_in(folder)
    if not count:
        raise ConfigurationError(f"There is no database in {folder} yet: start `poise ingest` first.")
    files = [shard.file(folder) for shard in shards(count)]
    readers = [StoreReader(file, results_at(file)) for file in files]
    return readers[0] if count == 1 else ReaderOfAll(readers)


class ReaderOfAll:
    """A `Reader` of several databases; a wearer's bucket says which."""

    def __init__(self, readers: Sequence[StoreReader]) -> None:
        self._readers = readers

    def people(self) -> Sequence[Person]:
        """See `Reader`; a database whose worker has not begun yet holds nobody."""
        people: list[Person] = []
        unavailable: list[StoreUnavailableError] = []
        for reader in self._readers:
            try:
                people += reader.people()
            except StoreUnavailableError as exc:
                unavailable.append(exc)
        if len(unavailable) == len(self._readers):
            raise unavailable[0]
        return sorted(people, key=lambda person: (person.wearer.patient, person.wearer.site))

    def person(self, wearer: Wearer) -> Person | None:
        """See `Reader`."""
        return self._of(wearer).person(wearer)

    def series(
        self, wearer: Wearer, streams: Sequence[str], from_s: int, to_s: int, points: int = 0
    ) -> Mapping[str, Series]:
        """See `Reader`."""
        return self._of(wearer).series(wearer, streams, from_s, to_s, points)

    def episodes(self, wearer: Wearer, from_us: int, to_us: int) -> Sequence[Episode]:
        """See `Reader`."""
        return self._of(wearer).episodes(wearer, from_us, to_us)

    def days(self, wearer: Wearer, first: date, last: date) -> Sequence[Day]:
        """See `Reader`."""
        return self._of(wearer).days(wearer, first, last)

    def quarters(self, wearer: Wearer, from_s: int, to_s: int) -> Sequence[QuarterExposure]:
        """See `Reader`."""
        return self._of(wearer).quarters(wearer, from_s, to_s)

    def gaps(self, wearer: Wearer, from_us: int, to_us: int) -> Sequence[Gap]:
        """See `Reader`."""
        return self._of(wearer).gaps(wearer, from_us, to_us)

    def sensors(self, wearer: Wearer) -> Sequence[SensorStatus]:
        """See `Reader`."""
        return self._of(wearer).sensors(wearer)

    def calibrated(self, wearer: Wearer) -> Sequence[int]:
        """See `Reader`."""
        return self._of(wearer).calibrated(wearer)

    def efforts(self, wearer: Wearer, from_us: int, to_us: int) -> Sequence[Exceedance]:
        """See `Reader`."""
        return self._of(wearer).efforts(wearer, from_us, to_us)

    def presence(self, wearer: Wearer) -> Presence | None:
        """See `Reader`."""
        return self._of(wearer).presence(wearer)

    def _of(self, wearer: Wearer) -> StoreReader:
        return self._readers[shard_of(wearer, len(self._readers))]
