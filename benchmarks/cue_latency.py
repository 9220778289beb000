"""From sensor to cue at the gateway: how long after its delay a held posture is cued.

Data: a simulated wearer with three virtual Movella DOT whose bytes go through real HCI, ATT and GATT; the
gateway decodes, times, spools, judges and cues as at a desk, in real time. Cues come by threshold, 2 s after
a posture began and again every 3 s, so that there are many.

Two delays, both to the moment at which the signal is given: from the moment at which the cue was due by the
time of its samples (the figure, which the dwell is no part of), and, as rival, the same wearer's cues decided
from whole messages of a second, as ingest could give them at best.
"""

import asyncio
import contextlib
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from analytics.cues.cue import CueMode
from analytics.cues.plan import CuePlan
from device.cueing.edge import Edge
from device.gateway import Gateway
from device.radio.room import RadioRoom
from device.spooling.spool import DiskSpool
from device.wearer.wearer import Wearer as VirtualWearer
from poise.calibration import Alignment, Calibration, Verdict
from poise.samples import SampleMessage
from poise.topics import Leaf, Wearer

SECONDS = 90
SEGMENTS = ("c7", "t4", "lumbar")
PLAN = CuePlan(
    mode=CueMode.THRESHOLD, delay_s=2.0, refractory_s=3.0, fading=(), quiet_hours=(), budget_per_day=10**6
)


def silent(leaf: Leaf, payload: bytes, *, detail: str = "", retain: bool = True) -> None:
    """Nobody listens."""


def calibration(wearer: VirtualWearer, worn: dict[str, str]) -> Calibration:
    true = wearer.true_calibration(1).alignments
    found = {s: Alignment(a, true[s].q_sensor_from_segment, 0.0) for a, s in worn.items()}
    return Calibration("true", 1, "simulated truth", Verdict.GOOD, found)


async def measure(folder: Path) -> tuple[list[float], list[float]]:
    """Return the delays of the gateway's cues and of those from whole messages, ms."""
    script = folder / "held.txt"
    script.write_text("upright 3 s\n" + "slouch 20 s, over 1 s, by 30 deg\nupright 5 s, over 1 s\n" * 20)
    wearer, spool = VirtualWearer(str(script), seed=1), DiskSpool(folder / "spool.db")
    late: list[float] = []
    late_messages: list[float] = []
    edge, slow = Edge(PLAN), Edge(PLAN)
    slow.cued = lambda cue: late_messages.append(time.time() * 1e3 - cue.t_us / 1e3)

    def spooled(message: SampleMessage) -> None:
        slow.feed(message.batches, time.time_ns() // 1000)

    async with RadioRoom(wearer, SEGMENTS) as room, room.central() as backend:
        for judge in (edge, slow):
            judge.calibrate(calibration(wearer, room.worn))
        gateway = Gateway(
            Wearer("bench"), room.worn, spool, silent, backend=backend, edge=edge, observers=[spooled]
        )
        gateway.signals.given = lambda notice: late.append((notice.given_us - notice.t_us) / 1e3)
        task = asyncio.create_task(gateway.run())
        await asyncio.sleep(SECONDS)
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
    spool.close()
    return late, late_messages


def row(name: str, late: Sequence[float]) -> str:
    p50, p95 = np.percentile(late, [50, 95])
    return f"{name:28} {len(late):4d} cues   p50 {p50:6.0f} ms   p95 {p95:6.0f} ms   most {max(late):6.0f} ms"


def main() -> None:
    """Print both rows and the figure."""
    with tempfile.TemporaryDirectory() as folder:
        late, late_messages = asyncio.run(measure(Path(folder)))
    if len(late) < 5 or len(late_messages) < 5:
        sys.exit("too few cues came: is the machine too busy?")
    print(row("at the gateway", late))
    print(row("from whole messages (rival)", late_messages))
    print(f"\nsensor to cue, beyond the delay: p95 {np.percentile(late, 95):.0f} ms (goal 300)")


if __name__ == "__main__":
    main()
