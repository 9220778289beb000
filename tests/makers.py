"""Virtual sensors of every maker, whose samples tell their own index, and what came of them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from device.radio.sensor import Ledger
from device.vendors import VENDORS
from device.vendors.base import Timing, Vendor
from poise.samples import Floats, Gap, ImuBatch, Int64s, SampleMessage

ROUND = 1024
STEP = 9.80665e-3
"""m/s², a thousandth of g: every maker's bytes tell that apart."""
START_US = 1_000_000_000
BY_NAME: dict[str, Vendor] = {vendor.name: vendor for vendor in VENDORS}


class Counted:
    """Acceleration z and y count the samples, as two digits of base 1024; segments are makers."""

    def samples_by_index(self, segment: str, i0: int, i1: int) -> tuple[Int64s, Floats, Floats]:
        vendor, n, i = BY_NAME[segment], i1 - i0, np.arange(i0, i1)
        acc, gyr = np.zeros((n, 3)), np.zeros((n, 3))
        acc[:, 2], acc[:, 1] = i % ROUND * STEP, i // ROUND % ROUND * STEP
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
        """The index of every sample stored, oldest first."""
        found = self.all_indexes()
        assert len(set(found)) == len(found), f"{self.vendor.name}: a sample is stored twice"
        assert found == sorted(found), self.vendor.name
        return found

    def all_indexes(self) -> list[int]:
        """The same, whatever may be wrong with it."""
        in_order = sorted(self.batches, key=lambda b: b.first_tick)
        digits = np.rint(np.concatenate([b.acc_si for b in in_order]) / STEP).astype(int)
        found: list[int] = (digits[:, 1] * ROUND + digits[:, 2]).tolist()
        return found

    def closes(self, ledger: Ledger) -> None:
        """Between the first and the last sample stored each is stored once or reported missing."""
        indexes, name = self.indexes, self.vendor.name
        assert indexes[-1] <= ledger.last_index, name
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
