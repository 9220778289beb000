"""What recordings were begun, how far each has come home, and which stretch of time it is to fill.

Kept in the spool's own database: a message and what it brings home become true in one transaction.

When a recording begins, the sensor's newest sample leaves the table from which a gateway would count what is
missing, and opens a *stretch*; the first live sample after it ends the stretch. So whoever comes first, the
recording or the next live samples, each sample is counted once: as stored, or as missing when the stretch is
settled.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

from device.recall.timing import Anchor
from device.spooling.spool import Connection, DiskSpool
from device.stream.track import LastSample

ASKED, BEGUN, FETCHED, STORED, LOST = "asked", "begun", "fetched", "stored", "lost"
OUT: Final = (ASKED, BEGUN)
"""States of a recording that is, or may be, on its sensor only."""


@dataclass(frozen=True, slots=True)
class Recording:
    """One recording that this gateway began.

    Attributes:
        sensor: its address.
        start_s: UTC seconds as the sensor was told; with `sensor`, its name.
        segment: where it was worn.
        calibration: id of the calibration in force then, "" for none.
        begun_us: UTC µs at which the sensor acknowledged the order.
        before: a look at its clock before that, None without one.
        after: likewise after it had ended.
        state: `ASKED` (the order may not have arrived), `BEGUN`, `FETCHED` (all on this machine's disk),
            `STORED` (all in the spool), `LOST` (it was not on the sensor any more).
        packets: how many have come.
        spooled: samples that are in the spool.
    """

    sensor: str
    start_s: int
    segment: str
    calibration: str
    begun_us: int
    before: Anchor | None = None
    after: Anchor | None = None
    state: str = ASKED
    packets: int = 0
    spooled: int = 0


@dataclass(frozen=True, slots=True)
class Stretch:
    """Time of one sensor that recordings are to fill.

    Attributes:
        row: its number.
        sensor: its address.
        opened_us: UTC µs at which its first recording was begun.
        last: the newest sample counted in it, None if the sensor never had one.
        to: the first live sample after it, None before that came.
    """

    row: int
    sensor: str
    opened_us: int
    last: LastSample | None
    to: LastSample | None


class Book:
    """The recordings of one wearer."""

    def __init__(self, spool: DiskSpool) -> None:
        """Take the wearer's spool."""
        self.spool = spool

    def recordings(self, *states: str, sensor: str = "") -> list[Recording]:
        """Return those in one of these states, in any if none is given; the oldest first."""
        with self.spool.transaction() as db:
            rows = db.execute("SELECT * FROM recording ORDER BY begun_us").fetchall()
        found = [_recording(row) for row in rows]
        return [r for r in found if (not states or r.state in states) and sensor in ("", r.sensor)]

    def begin(self, recording: Recording) -> None:
        """Note a recording before the sensor is told, so that none is ever on a sensor unknown."""
        with self.spool.transaction() as db:
            _put(db, recording)
            newest = db.execute("SELECT * FROM sensor WHERE sensor = ?", (recording.sensor,)).fetchone()
            if _open(db, recording.sensor) is None:
                last = newest[1:3] if newest else (None, None)
                row = (recording.sensor, recording.begun_us, *last)
                db.execute(
                    "INSERT INTO stretch (sensor, opened_us, from_tick, from_us) VALUES (?, ?, ?, ?)", row
                )
                db.execute("DELETE FROM sensor WHERE sensor = ?", (recording.sensor,))

    def note(self, recording: Recording) -> None:
        """Note what has become of a recording."""
        with self.spool.transaction() as db:
            _put(db, recording)

    def stretches(self) -> list[Stretch]:
        """Return the stretches that are not settled, the oldest first."""
        with self.spool.transaction() as db:
            return [_stretch(row) for row in db.execute(f"{_SELECT} ORDER BY opened_us")]

    def stretch_of(self, recording: Recording) -> Stretch | None:
        """Return the stretch that a recording is to fill."""
        mine = [s for s in self.stretches() if s.sensor == recording.sensor]
        return next((s for s in reversed(mine) if s.opened_us <= recording.begun_us), None)

    def settle(self, stretch: Stretch) -> None:
        """End a stretch in which nothing is missing."""
        with self.spool.transaction() as db:
            settle(db, stretch)

    def unsettled(self, stretch: Stretch) -> bool:
        """May a recording come home yet that lies in it?"""
        waiting = self.recordings(*OUT, FETCHED, sensor=stretch.sensor)
        return any(self.stretch_of(recording) == stretch for recording in waiting)


def advance(db: Connection, recording: Recording, spooled: int, newest: LastSample) -> Recording:
    """Note, with the message that holds them, how many of a recording's samples are in the spool."""
    further = replace(recording, spooled=spooled)
    _put(db, further)
    db.execute(
        "UPDATE stretch SET from_tick = ?, from_us = ? WHERE rowid = (SELECT rowid FROM stretch WHERE"
        " sensor = ? AND opened_us <= ? ORDER BY opened_us DESC LIMIT 1)",
        (newest.tick, newest.t_us, recording.sensor, recording.begun_us),
    )
    return further


def settle(db: Connection, stretch: Stretch) -> None:
    """End a stretch: if nothing live has come since, what comes next is counted from its newest sample."""
    db.execute("DELETE FROM stretch WHERE rowid = ?", (stretch.row,))
    if stretch.to is None and stretch.last is not None:
        row = (stretch.sensor, stretch.last.tick, stretch.last.t_us)
        db.execute("INSERT OR REPLACE INTO sensor (sensor, tick, t_us) VALUES (?, ?, ?)", row)


_SELECT: Final = "SELECT rowid, sensor, opened_us, from_tick, from_us, to_tick, to_us FROM stretch"


def _open(db: Connection, sensor: str) -> Stretch | None:
    row = db.execute(f"{_SELECT} WHERE sensor = ? AND to_us IS NULL", (sensor,)).fetchone()
    return None if row is None else _stretch(row)


def _stretch(row: Sequence[int | str | None]) -> Stretch:
    number, sensor, opened_us, from_tick, from_us, to_tick, to_us = row
    last = _sample(from_tick, from_us)
    return Stretch(int(number or 0), str(sensor), int(opened_us or 0), last, _sample(to_tick, to_us))


def _sample(tick: int | str | None, t_us: int | str | None) -> LastSample | None:
    return None if tick is None or t_us is None else LastSample(int(tick), int(t_us))


def _recording(row: Sequence[int | str | None]) -> Recording:
    sensor, start_s, segment, calibration, begun_us, *looks, state, packets, spooled = row
    before, after = (_sample(*pair) for pair in (looks[:2], looks[2:]))
    return Recording(
        str(sensor), int(start_s or 0), str(segment), str(calibration), int(begun_us or 0),
        None if before is None else Anchor(before.tick, before.t_us),
        None if after is None else Anchor(after.tick, after.t_us),
        str(state), int(packets or 0), int(spooled or 0),
    )  # fmt: skip


def _put(db: Connection, r: Recording) -> None:
    row = (
        r.sensor, r.start_s, r.segment, r.calibration, r.begun_us, *(r.before or (None, None)),
        *(r.after or (None, None)), r.state, r.packets, r.spooled,
    )  # fmt: skip
    db.execute("INSERT OR REPLACE INTO recording VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", row)
