"""What the analysis costs: the whole pipeline against the bare orientation filter on the same samples.

Data: a simulated wearer (script desk, seed 1), six sensors at 60 Hz, ten minutes; once as it comes live, in
messages of one second, and once as a re-analysis reads it, in messages of one minute.
Rival: vqf's own updateBatch over the same samples, one call a message and sensor.
"""

import time
from collections.abc import Callable

import numpy as np
from vqf import VQF

from analytics.pipeline import Pipeline
from device.wearer.wearer import Wearer
from poise.samples import SampleMessage, merge

SECONDS = 600
START_US = 1_790_000_000_000_000


def bare_filter(messages: list[SampleMessage]) -> None:
    """Run VQF alone."""
    filters: dict[str, VQF] = {}
    for message in messages:
        for batch in message.batches:
            filter_ = filters.setdefault(batch.segment, VQF(batch.period_ns * 1e-9))
            filter_.updateBatch(np.ascontiguousarray(batch.gyr_si), np.ascontiguousarray(batch.acc_si))


def whole_pipeline(messages: list[SampleMessage], wearer: Wearer) -> None:
    """Run everything from samples to episodes."""
    pipeline = Pipeline()
    pipeline.calibrate(wearer.true_calibration(START_US - 1))
    for message in messages:
        pipeline.update(message.batches)
    pipeline.finish()


def best(work: Callable[[], None], times: int = 3) -> float:
    """Return the least of several durations, s."""
    durations = []
    for _ in range(times):
        began = time.perf_counter()
        work()
        durations.append(time.perf_counter() - began)
    return min(durations)


def by_minute(messages: list[SampleMessage]) -> list[SampleMessage]:
    """Join the messages of each minute."""
    joined = []
    for first in range(0, len(messages), 60):
        minute = messages[first : first + 60]
        sensors = zip(*(message.batches for message in minute), strict=True)
        joined.append(SampleMessage("bench", first, tuple(merge(batches) for batches in sensors)))
    return joined


def main() -> None:
    """Print the table and the ratios."""
    wearer = Wearer("desk", seed=1)
    live = list(wearer.to_messages(START_US, "bench", stop_s=SECONDS))
    samples = sum(message.samples for message in live)
    print(f"{samples} samples, {SECONDS} s of one wearer with {len(wearer.sensors)} sensors")
    for name, messages in (("live, 1 s", live), ("again, 60 s", by_minute(live))):
        rival = best(lambda messages=messages: bare_filter(messages))
        ours = best(lambda messages=messages: whole_pipeline(messages, wearer))
        print(
            f"{name:12} bare VQF {rival / SECONDS * 1e6:5.0f} µs a wearer-second, whole pipeline "
            f"{ours / SECONDS * 1e6:5.0f}, ratio {ours / rival:.2f}"
        )


if __name__ == "__main__":
    main()
