"""Pure helpers of the spool: what a message leaves behind in its tables."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Final

from device.stream.track import Marks
from poise.notices import Stored
from poise.samples import Gap, ImuBatch, SampleMessage
from poise.wire import decode_samples, encode_samples

SPOOL_FULL: Final = "spool full"


def newest(batches: Iterable[ImuBatch], marks: Marks | None) -> list[tuple[str, int, int, str, int]]:
    """Return a row for each batch's last sample; a later batch of a sensor replaces it."""
    rows = []
    for batch in batches:
        tick, t_us = batch.part(len(batch) - 1, len(batch)).first_tick, int(batch.t_us[-1])
        known = marks is not None and batch.sensor in marks.utc_less_host_us
        boot = marks.boot if marks is not None and known else ""
        host_us = t_us - marks.utc_less_host_us[batch.sensor] if marks is not None and known else 0
        rows.append((batch.sensor, tick, t_us, boot, host_us))
    return rows


def in_hole(sequence: int, stored: Stored) -> bool:
    """Is the message within a hole of what ingest has?"""
    return any(first <= sequence <= last for first, last in stored.holes)


def given_up(message: SampleMessage) -> list[Gap]:
    """What is missing once a whole message is dropped: its samples, and the gaps it would have reported."""
    return [
        *(Gap(b.sensor, b.segment, int(b.t_us[0]), int(b.t_us[-1]), len(b), reason=SPOOL_FULL)
          for b in message.batches),
        *message.gaps,
    ]  # fmt: skip


def with_floor(payload: bytes, floor: int) -> bytes:
    """A message written before older ones were given up says so when it is sent at last."""
    return encode_samples(replace(decode_samples(payload), floor=floor))
