"""What a wearer costs live: a thousand wearers' states, fed messages of one second in turn.

Data: one simulated wearer (script desk, seed 1), five sensors at 50 Hz; every state begins at another moment
of it, so that no two do the same at once. In turn means that each state has left the processor's caches
before its next second. Rival: vqf alone over the same messages, five filters a wearer, in the same turn.
Times are the processor's own, so that other programs do not count.
"""

import resource
import time
from collections.abc import Callable

import numpy as np
from vqf import VQF

from analytics.pipeline import Pipeline
from device.wearer.wearer import Wearer
from poise.samples import ImuBatch

WEARERS = 1000
WARM_S = 5
SECONDS = 12
SPREAD_S = 240
START_US = 1_790_000_000_000_000
SENSORS = ("head", "c7", "t4", "scapula_left", "scapula_right")
Batches = tuple[ImuBatch, ...]


def in_turn(messages: list[Batches], first: int, last: int, feed: Callable[[int, Batches], object]) -> float:
    """Feed every wearer its seconds `first` to `last`, a second of each in turn; return s."""
    began = time.process_time()
    for second in range(first, last):
        for wearer in range(WEARERS):
            feed(wearer, messages[(wearer * 7) % SPREAD_S + second])
    return time.process_time() - began


def kilobytes() -> int:
    """Return the most memory this process ever held, kB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    """Print the cost of a wearer-second and of a state."""
    worn = Wearer("desk", seed=1, segments=SENSORS, rate_hz=50.0)
    length = SPREAD_S + WARM_S + SECONDS
    messages = [m.batches for m in worn.to_messages(START_US, "bench", stop_s=length)]
    filters = [{batch.segment: VQF(batch.period_ns * 1e-9) for batch in messages[0]} for _ in range(WEARERS)]

    def bare(wearer: int, batches: Batches) -> None:
        for batch in batches:
            gyr, acc = np.ascontiguousarray(batch.gyr_si), np.ascontiguousarray(batch.acc_si)
            filters[wearer][batch.segment].updateBatch(gyr, acc)

    before = kilobytes()
    states = [Pipeline() for _ in range(WEARERS)]
    for state in states:
        state.calibrate(worn.true_calibration(START_US - 1))
    in_turn(messages, 0, WARM_S, lambda wearer, batches: states[wearer].update(batches))
    rival = in_turn(messages, WARM_S, WARM_S + SECONDS, bare)
    ours = in_turn(messages, WARM_S, WARM_S + SECONDS, lambda wearer, batches: states[wearer].update(batches))
    saved = [len(state.save()) for state in states]
    print(f"{WEARERS} wearers, {len(SENSORS)} sensors at 50 Hz, {SECONDS} s of each in turn")
    cost = ours / WEARERS / SECONDS * 1e6
    print(f"bare VQF        {rival / WEARERS / SECONDS * 1e6:7.0f} µs a wearer-second")
    print(
        f"whole pipeline  {ours / WEARERS / SECONDS * 1e6:7.0f} µs a wearer-second, {ours / rival:.1f} times"
    )
    print(f"one core keeps up with {WEARERS * SECONDS / ours:.0f} wearers")
    print(f"memory {(kilobytes() - before) / WEARERS:.0f} kB a wearer, in this process")
    print(
        f"live, alone: {cost:.0f} µs a wearer-second, "
        f"state {np.mean(saved):.0f} bytes a wearer saved (at most {max(saved)})"
    )


if __name__ == "__main__":
    main()
