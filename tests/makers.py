"""Virtual sensors of every maker, whose samples tell their own index, and what came of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from device.radio.sensor import Ledger
from device.vendors import VENDORS
from device.vendors.base import Timing, Vendor
from poise.samples import Floats, Gap, ImuBatch, Int64s, SampleMessage

ROUND = 4096
START_US = 1_000_000_000
BY_NAME: dict[str, Vendor] = {vendor.name: vendor for vendor in VENDORS}


class Counted:
    """Acceleration z counts the samples modulo 4096, in counts of the maker's scale; segments are makers."""

    def samples_by_index(self, segment: str, i0: int, i1: int) -> tuple[Int64s, Floats, Floats]:
        vendor, n, i = BY_NAME[segment], i1 - i0, np.arange(i0, i1)
        acc, gyr = np.zeros((n, 3)), np.zeros((n, 3))
        acc[:, 2] = (i % ROUND) * vendor.scale.acc_nano * 1e-9
        gyr[:, 0] = 0.5
        return START_US + np.rint(i * 1e6 / vendor.rate_hz).astype(np.int64), acc, gyr


@dataclass
class Fate:
    """What the messages say of one maker's sensor."""

    vendor: Vendor
    batches: list[ImuBatch] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)

    @property
    def indexes(self) -> list[int]:
        """The index of every sample stored, in the order of time; the count goes round within a minute."""
        found: list[int] = []
        for batch in sorted(self.batches, key=lambda b: int(b.t_us[0])):
            for count in batch.acc[:, 2].tolist():
                least = found[-1] + 1 if found else 0
                found.append(least + (count - least) % ROUND)
        return found

    def closes(self, ledger: Ledger) -> None:
        """Between the first and the last sample stored each is stored once or reported missing."""
        indexes, name = self.indexes, self.vendor.name
        assert indexes[-1] <= ledger.last_index, f"{name}: a sample is stored twice"
        assert ledger.first_index <= indexes[0], name
        missing = indexes[-1] - indexes[0] + 1 - len(indexes)
        reported, spread = sum(g.count for g in self.gaps), sum(g.spread for g in self.gaps)
        assert abs(missing - reported) <= spread, f"{name}: {missing} missing, reported {reported} ± {spread}"
        if self.vendor.timing is not Timing.NONE:
            assert spread == 0, name
            assert not any(g.estimated for g in self.gaps), name


def fates(messages: Sequence[SampleMessage]) -> dict[str, Fate]:
    """Collect what the messages hold by maker."""
    found = {name: Fate(vendor) for name, vendor in BY_NAME.items()}
    for message in messages:
        for batch in message.batches:
            found[batch.segment].batches.append(batch)
        for gap in message.gaps:
            found[gap.segment].gaps.append(gap)
    return found
