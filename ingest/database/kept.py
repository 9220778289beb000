"""The state of a running analysis on the disk, so that a worker that takes a wearer over begins there.

It only saves time: without it, or if it cannot be read, the open run is fed again from its first raw message,
with the same results bit for bit.
"""

import logging
import zlib
from typing import Final

import msgspec

from analytics.wearing.trust import Trust
from analytics.wearing.worn import TakenOff
from ingest.database.sqlite import Connection
from ingest.results.store import key
from poise.errors import StateError
from poise.topics import Wearer

log = logging.getLogger("poise.ingest")
EVERY_US: Final = 300_000_000
"""Of samples between two saves. One costs 1.6 ms; after a death half of it is fed again on average, at 0.25
ms a second of samples: project decision."""
_VERSION: Final = 1


class Kept(msgspec.Struct, array_like=True, frozen=True, kw_only=True):
    """What a live stream was when it was kept.

    Attributes:
        version: of these fields; the analysis has one of its own.
        run_message: row of the message with which its run began.
        run_us: UTC µs of the run's first sample.
        message: row of the last message that was fed.
        analysed_us: UTC µs of the newest sample fed.
        origin: of that message.
        session: of that message.
        sequence: of that message.
        trust: what was known of the calibration, as of the newest doubt.
        taken_off: sensors that were not worn.
        analysis: the saved `Pipeline`.
    """

    version: int = _VERSION
    run_message: int
    run_us: int
    message: int
    analysed_us: int
    origin: str
    session: str
    sequence: int
    trust: Trust
    taken_off: tuple[TakenOff, ...]
    analysis: bytes


def keep(c: Connection, wearer: Wearer, kept: Kept) -> None:
    """Put it in the place of what was kept before."""
    state = msgspec.msgpack.encode(kept)
    c.execute("INSERT OR REPLACE INTO states (wearer, state) VALUES (?, ?)", (key(wearer), state))


def kept_of(c: Connection, wearer: Wearer) -> Kept | None:
    """Return what was kept last, None if there is nothing that this program can read."""
    row = c.execute("SELECT state FROM states WHERE wearer = ?", (key(wearer),)).fetchone()
    if row is None:
        return None
    try:
        kept = msgspec.msgpack.decode(row[0], type=Kept)
        if kept.version != _VERSION:
            raise StateError(f"kept by version {kept.version}, this program reads {_VERSION}")  # noqa: TRY301
    except (msgspec.MsgspecError, StateError) as exc:
        unreadable(wearer, exc)
        return None
    return kept


def unreadable(wearer: Wearer, exc: Exception) -> None:
    """Say that the longer way is gone."""
    log.warning("a kept state cannot be read (%s); its run is fed again", exc, extra={"wearer": key(wearer)})


def begins_at(wearer: Wearer) -> int:
    """Return how many µs into a run it is kept first: not all wearers at once after a restart."""
    return zlib.crc32(key(wearer).encode()) % EVERY_US
