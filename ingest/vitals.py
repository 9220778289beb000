"""How a worker does, in plain numbers: what it has counted since its start, and how it stands now."""

import bisect
from collections import Counter
from typing import Final

import msgspec

from ingest.judging.outcome import IntakeCounts, Outcome

LAGS_S: Final = (0.1, 0.25, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 300.0, 3600.0)
"""Upper edges of the histogram of lags: a message of one second is due after 0.1, one of thirty after 30."""
STALE_US: Final = 10_000_000
"""A worker tells every second; one that has not for so long hangs or is gone."""
_MOST_NAMED: Final = 100


class Vitals(msgspec.Struct, frozen=True, kw_only=True):
    """What a worker tells of itself.

    Attributes:
        worker: its part of the databases, "1/2".
        at_us: UTC µs at which this was so.
        since_us: of its start.
        connected: the broker is there.
        trouble: why the store takes nothing now, a sentence; "" if it does.
        counts: what came, since its start.
        dead: dead letters by reason.
        refused: messages that were more than may wait, by wearer's `site/patient`; the most of them.
        refused_in_all: of all wearers.
        waiting: messages that have come and are not on the disk.
        wearers: whose messages were stored within the last minute.
        newest_us: UTC µs of the newest sample that is stored and was judged live, 0 for none.
        lags: of messages that were judged live: how many were on disk with their last sample within each of
            `LAGS_S` and not within the one before; one more for those beyond.
        lag_sum_s: s from last sample to disk, of all of these.
        outbox: lines that wait for InfluxDB, about.
        free_bytes: that the disk of the data has left.
    """

    worker: str
    at_us: int
    since_us: int
    connected: bool
    trouble: str
    counts: IntakeCounts
    dead: dict[str, int]
    refused: dict[str, int]
    refused_in_all: int
    waiting: int
    wearers: int
    newest_us: int
    lags: list[int]
    lag_sum_s: float
    outbox: int = 0
    free_bytes: int = 0

    def unready(self, now_us: int) -> str:
        """Say why nothing can be stored by this worker now, "" if it can."""
        if abs(now_us - self.at_us) > STALE_US:
            return f"worker {self.worker} has said nothing for {abs(now_us - self.at_us) // 1_000_000} s"
        if self.trouble:
            return f"worker {self.worker}: {self.trouble}"
        return "" if self.connected else f"worker {self.worker} has no connection to the broker"


class Tally:
    """Counts what `Vitals` tells beside `IntakeCounts`."""

    def __init__(self) -> None:
        self.dead: Counter[str] = Counter()
        self.lags = [0] * (len(LAGS_S) + 1)
        self.lag_sum_s = 0.0
        self.newest_us = 0
        self._seen_us: dict[str, int] = {}

    def note(self, outcome: Outcome, now_us: int) -> None:
        """Count what a commit has made true."""
        self.dead.update(reason for _, reason in outcome.dead)
        for newest_us in outcome.newest_us:
            lag_s = max(0.0, (now_us - newest_us) / 1e6)
            self.lags[bisect.bisect_left(LAGS_S, lag_s)] += 1
            self.lag_sum_s += lag_s
            self.newest_us = max(self.newest_us, min(newest_us, now_us))
        for wearer, _ in outcome.sessions:
            self._seen_us[f"{wearer.site}/{wearer.patient}"] = now_us

    def wearers(self, now_us: int, within_us: int = 60_000_000) -> int:
        """Return of how many wearers something came lately."""
        self._seen_us = {name: at for name, at in self._seen_us.items() if now_us - at < within_us}
        return len(self._seen_us)


def most(refused: Counter[str]) -> dict[str, int]:
    """Return the worst offenders."""
    return dict(refused.most_common(_MOST_NAMED))


def encode(vitals: Vitals) -> bytes:
    """Return them as one line of JSON."""
    return msgspec.json.encode(vitals)


def decode(line: bytes) -> Vitals | None:
    """Return what `encode` wrote, None if it is something else."""
    try:
        return msgspec.json.decode(line, type=Vitals)
    except msgspec.MsgspecError:
        return None
