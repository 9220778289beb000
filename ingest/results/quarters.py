"""Full exposure of quarters of an hour as stores keep it: the JSON of `QuarterExposure.to_plain`."""

import zlib
from collections.abc import Sequence

import msgspec

from analytics.conclusions import Conclusions
from analytics.exposure.counts import QuarterExposure
from poise.errors import StoreError
from poise.results import Results


def quarters_in(results: Results) -> Sequence[QuarterExposure]:
    """Return the full exposure among results."""
    return results.quarters if isinstance(results, Conclusions) else ()


def to_text(quarter: QuarterExposure) -> bytes:
    """Return a quarter as JSON."""
    return msgspec.json.encode(quarter.to_plain())


def from_text(text: str | bytes) -> QuarterExposure:
    """Read what `to_text` gave.

    Raises:
        StoreError: if it is something else.
    """
    try:
        return QuarterExposure.from_plain(msgspec.json.decode(text))
    except (msgspec.MsgspecError, KeyError, ValueError, TypeError, IndexError) as exc:
        raise StoreError(f"a quarter's exposure cannot be read: {exc!r}") from exc


def pack(quarter: QuarterExposure) -> bytes:
    """Return a quarter as SQLite keeps it: most counts are small or nothing and shrink well."""
    return zlib.compress(to_text(quarter))


def unpack(data: bytes) -> QuarterExposure:
    """Read what `pack` gave.

    Raises:
        StoreError: if it is something else.
    """
    try:
        return from_text(zlib.decompress(data))
    except zlib.error as exc:
        raise StoreError(f"a quarter's exposure cannot be read: {exc}") from exc
