"""Seconds as they wait in the outbox: columns, of which lines are made on their way to the server.

As text they are five times as long. To write that, compress it, read and part it again took more than half of
what InfluxDB costs ingest (docs/decisions/0032-columns-in-the-outbox.md).
"""

from typing import Final

import msgspec
import numpy as np

from poise.seconds import SecondBlock
from poise.topics import Wearer

MARK: Final = b"\x9c"
"""How a row of columns begins: MessagePack's array of twelve. No line does, nor compressed ones."""
_FORMS: Final = {"t_s": "<i8", "of": "<u2", "mean": "<f8", "low": "<f8", "high": "<f8", "coverage": "<f8"}


class Columns(msgspec.Struct, array_like=True, frozen=True):
    """A wearer's seconds of one run; units and meaning as in `SecondBlock`, each column as bytes."""

    site: str
    patient: str
    origin: str
    run_us: int
    calibration: str
    streams: tuple[str, ...]
    t_s: bytes
    of: bytes
    mean: bytes
    low: bytes
    high: bytes
    coverage: bytes

    @property
    def wearer(self) -> Wearer:
        """Whose they are."""
        return Wearer(self.patient, self.site)

    def block(self) -> SecondBlock:
        """Return them as they were."""
        read = {name: np.frombuffer(getattr(self, name), form) for name, form in _FORMS.items()}
        return SecondBlock(**read, streams=self.streams, run_us=self.run_us, calibration=self.calibration)


_DECODER: Final = msgspec.msgpack.Decoder(Columns)


def pack(wearer: Wearer, origin: str, block: SecondBlock) -> bytes:
    """Return a block as one row of the outbox."""
    named = wearer.site, wearer.patient, origin, block.run_us, block.calibration, block.streams
    return msgspec.msgpack.encode(
        Columns(*named, *(getattr(block, name).astype(form).tobytes() for name, form in _FORMS.items()))
    )


def unpack(body: bytes) -> Columns:
    """Return what `pack` made a row of."""
    return _DECODER.decode(body)
