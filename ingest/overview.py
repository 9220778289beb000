"""What a database holds of each wearer and what was put aside, for people who look after an ingest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ingest.database.sqlite import reading
from ingest.judging.guards import CLOCK_OFF, REFUSED, SECOND_GATEWAY
from ingest.results.influxdb import outbox
from ingest.results.store import wearer_of
from poise import notices
from poise.errors import WireError
from poise.notices import Presence
from poise.topics import Leaf, Wearer

_DEAD = "dead letter: "


@dataclass(frozen=True, slots=True)
class Kept:
    """What is on disk of one wearer.

    Attributes:
        last_us: UTC µs of the newest sample, 0 for none.
        stored: samples of all sensors.
        missing: samples that gateways reported missing.
        held_off: guards that have counted something, by name.
        presence: what the gateway said last, None if nothing.
    """

    wearer: Wearer
    origin: str
    last_us: int
    stored: int
    missing: int
    held_off: Mapping[str, int]
    presence: Presence | None


@dataclass(frozen=True, slots=True)
class Overview:
    """What is on disk in one database.

    Attributes:
        wearers: each, by name.
        dead: dead letters by reason, since the beginning.
        newest_dead: sentences of the newest ones.
        outbox: lines that wait for InfluxDB.
    """

    wearers: Sequence[Kept] = ()
    dead: Mapping[str, int] = field(default_factory=dict)
    newest_dead: Sequence[str] = ()
    outbox: int = 0


def overview(file: Path) -> Overview:
    """Read it.

    Raises:
        StoreUnavailableError: if the database is not there.
    """
    with reading(file) as c:
        people = c.execute("SELECT wearer, origin, last_us FROM people ORDER BY wearer").fetchall()
        ledger = c.execute("SELECT wearer, sum(stored), sum(missing) FROM ledger GROUP BY wearer")
        sums = {name: (stored, missing) for name, stored, missing in ledger}
        counters = c.execute("SELECT wearer, name, count FROM counters").fetchall()
        said = dict(c.execute("SELECT wearer, notice FROM notices WHERE leaf = ?", (Leaf.PRESENCE,)))
        newest = c.execute("SELECT sentence FROM dead_letters ORDER BY id DESC LIMIT 3").fetchall()
    held: dict[str, dict[str, int]] = {}
    for name, what, count in counters:
        if what in (REFUSED, SECOND_GATEWAY, CLOCK_OFF):
            held.setdefault(name, {})[what] = count
    wearers = [
        Kept(
            wearer_of(name),
            origin,
            last_us,
            *sums.get(name, (0, 0)),
            held.get(name, {}),
            _presence(said.get(name)),
        )
        for name, origin, last_us in people
    ]
    dead = {what.removeprefix(_DEAD): n for name, what, n in counters if not name and what.startswith(_DEAD)}
    return Overview(wearers, dead, [row[0] for row in newest], outbox_in(file))


def outbox_in(file: Path) -> int:
    """Return how many lines wait for InfluxDB.

    Raises:
        StoreUnavailableError: if the database is not there.
    """
    with reading(file) as c:
        return outbox.waiting(c).lines


def _presence(notice: bytes | None) -> Presence | None:
    try:
        return None if notice is None else notices.decode(notice, Presence)
    except WireError:
        return None
