"""A recording on its way home: its packets as they came, in a file beside the spool.

Each packet is the sample's 28 bytes, or 28 times `0xFF` (no finite number) where the sensor cannot read it.
How many of them are safe stands in the book; the rest is asked for again.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np

from device.vendors.base import Samples
from device.vendors.movella_dot_frames import SAMPLE_BYTES, decode_rows

_UNREADABLE: Final = 0xFF


class Staged:
    """One recording's file."""

    def __init__(self, spool: Path, sensor: str, start_s: int) -> None:
        """Take the spool's path, and what names the recording."""
        sensor = re.sub(r"[^0-9A-Za-z]", "", sensor)
        self.path = spool.with_name(f"{spool.stem}-{sensor}-{start_s}.recalled")

    def resume(self, packets: int) -> int:
        """Forget what may not be whole; return how many packets are there."""
        self.path.touch()
        there = min(packets, self.path.stat().st_size // SAMPLE_BYTES)
        os.truncate(self.path, there * SAMPLE_BYTES)
        return there

    def append(self, packets: Sequence[bytes]) -> None:
        """Write packets, b"" for one without a sample; when this returns, they are on the disk."""
        with self.path.open("ab") as file:
            file.write(b"".join(packet or bytes([_UNREADABLE] * SAMPLE_BYTES) for packet in packets))
            file.flush()
            os.fsync(file.fileno())

    def samples(self, packets: int) -> Samples:
        """Return the samples among the first packets."""
        raw = self.path.read_bytes()[: packets * SAMPLE_BYTES]
        rows = np.frombuffer(raw, np.uint8).reshape(-1, SAMPLE_BYTES)
        return decode_rows(rows[(rows != _UNREADABLE).any(axis=1)].tobytes())

    def delete(self) -> None:
        """Remove the file: its samples are in the spool."""
        self.path.unlink(missing_ok=True)
