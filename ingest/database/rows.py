"""Seconds of one stream as columns, as the tables of `poise.db` hold them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from poise.samples import Floats, Int64s


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """Seconds of one stream by time.

    Attributes:
        t_s: (n,) int64 UTC s, increasing.
        values: (4, n) mean, least, greatest in rad, coverage 0 to 1.
        judgement: (n,) int64, which run and calibration.
    """

    t_s: Int64s
    values: Floats
    judgement: Int64s

    def within(self, from_s: int, to_s: int) -> "Rows":
        """Return those in `from_s <= t < to_s`."""
        i, j = (int(k) for k in np.searchsorted(self.t_s, (from_s, to_s)))
        return Rows(self.t_s[i:j], self.values[:, i:j], self.judgement[i:j])

    def over(self, old: "Rows") -> "Rows":
        """Return both by time; of a second that both have, this one."""
        if len(self.t_s) == 0 or len(old.t_s) == 0:
            return old if len(self.t_s) == 0 else self
        kept = ~np.isin(old.t_s, self.t_s)
        both = joined([Rows(old.t_s[kept], old.values[:, kept], old.judgement[kept]), self])
        order = np.argsort(both.t_s, kind="stable")
        return Rows(both.t_s[order], both.values[:, order], both.judgement[order])


NOTHING: Final = Rows(np.zeros(0, np.int64), np.zeros((4, 0)), np.zeros(0, np.int64))


def joined(parts: Sequence[Rows]) -> Rows:
    """Return parts that follow each other as one."""
    if not parts:
        return NOTHING
    return Rows(
        np.concatenate([part.t_s for part in parts]),
        np.concatenate([part.values for part in parts], axis=1),
        np.concatenate([part.judgement for part in parts]),
    )
