"""What is known of calibrations, on the disk: with the calibration as of now, with each run as it began."""

from typing import Final

import msgspec

from analytics.conclusions import Conclusions
from analytics.wearing.doubts import Doubt
from analytics.wearing.trust import UNDOUBTED, Trust
from ingest.database.sqlite import Connection
from ingest.results.store import key
from poise.results import Results
from poise.topics import Wearer

_WHERE: Final = "WHERE wearer = ? AND id = ?"


def pack(trust: Trust) -> bytes:
    """Return it as MessagePack, in which a number may be missing (NaN); nothing for nothing known."""
    return b"" if trust == UNDOUBTED else msgspec.msgpack.encode(trust)


def unpack(data: bytes) -> Trust:
    """Return what was packed."""
    return msgspec.msgpack.decode(data, type=Trust) if data else UNDOUBTED


def known(c: Connection, wearer: Wearer, calibration: str) -> Trust:
    """Return what is known of a calibration by now, from live and late samples."""
    row = c.execute(f"SELECT trust FROM calibrations {_WHERE}", (key(wearer), calibration)).fetchone()  # noqa: S608
    return unpack(row[0]) if row else UNDOUBTED


def learn(c: Connection, wearer: Wearer, calibration: str, trust: Trust, *, late: bool) -> None:
    """Keep what a run has found; what was found elsewhere stays, and late samples count nothing on."""
    before = known(c, wearer, calibration)
    now = before.with_doubts(trust.doubts) if late else trust.with_doubts(before.doubts)
    c.execute(f"UPDATE calibrations SET trust = ? {_WHERE}", (pack(now), key(wearer), calibration))  # noqa: S608


def doubts_in(results: Results) -> tuple[Doubt, ...]:
    """Return what became known with these results."""
    return results.doubts if isinstance(results, Conclusions) else ()
