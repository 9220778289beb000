"""What a gateway costs: CPU at eight sensors of 60 Hz, and memory over a simulated day of twelve hours.

Data: bytes of virtual Movella DOT whose samples number themselves.

1. **CPU, in real time.** Eight sensors at 60 Hz over HCI, ATT and GATT into one gateway process with cues,
   spool and a calibration; the radio room is a process of its own. Figure: share of one core. Rival in the
   same run: a bare bleak client that only subscribes to the same eight sensors and counts notifications.
2. **Memory, accelerated.** The gateway's own path from notification to spool (decoder, clock, assembler,
   spool on disk, each message confirmed 30 s later) fed with twelve hours of eight sensors as fast as it can,
   with a break of one sensor every ten minutes. Figure: resident memory after each hour. Twelve take the best
   part of an hour of one core: each notification goes its own way, as in a gateway. `HOURS=3` is less.
"""

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from bleak import BleakClient, BleakScanner  # noqa: E402
from makers import Counted  # noqa: E402
from servers import free_port  # noqa: E402

from device.cueing.edge import Edge  # noqa: E402
from device.gateway import Gateway  # noqa: E402
from device.radio.central import open_central  # noqa: E402
from device.radio.room import RadioRoom, serve_room  # noqa: E402
from device.spooling.spool import DiskSpool  # noqa: E402
from device.stream.assembler import Assembler  # noqa: E402
from device.stream.clock import Moment  # noqa: E402
from device.vendors import movella_dot_frames as dot  # noqa: E402
from device.vendors import vendor_named  # noqa: E402
from device.vendors.base import Notification, Samples  # noqa: E402
from poise.calibration import Alignment, Calibration, Verdict  # noqa: E402
from poise.notices import Stored  # noqa: E402
from poise.topics import Leaf, Wearer  # noqa: E402

SEGMENTS = ("head", "c7", "t4", "t12", "lumbar", "scapula_left", "scapula_right", "upper_arm_left")
SECONDS = 60.0
HOURS = int(os.environ.get("HOURS", "12"))
DOT = vendor_named("movella_dot")


class Dots:
    """Counted samples at 60 Hz on any segment."""

    def samples_by_index(self, segment: str, i0: int, i1: int) -> Any:
        """See `SampleSource`."""
        del segment
        return Counted().samples_by_index("movella_dot", i0, i1)


def nobody(leaf: Leaf, payload: bytes, *, detail: str = "", retain: bool = True) -> None:
    """Nobody listens."""


async def room(hci_port: int) -> None:
    """The sensors' process."""
    async with (
        RadioRoom(Dots(), SEGMENTS) as here,
        serve_room(here, f"tcp-server:127.0.0.1:{hci_port}", 0),
    ):
        print(*here.worn, flush=True)
        await asyncio.Event().wait()


async def gateway(hci_port: int, folder: str, addresses: list[str]) -> None:
    """Run a gateway for a while and print its CPU seconds a second once all sensors stream."""
    worn = dict(zip(addresses, SEGMENTS, strict=True))
    edge = Edge()
    sensors = {s: Alignment(a, (1.0, 0.0, 0.0, 0.0), 0.0) for a, s in worn.items()}
    edge.calibrate(Calibration("bench", 1, "static", Verdict.GOOD, sensors))
    async with open_central(f"tcp-client:127.0.0.1:{hci_port}") as backend:
        spool = DiskSpool(Path(folder) / "spool.db")
        mine = Gateway(Wearer("bench"), worn, spool, nobody, backend=backend, edge=edge)
        task = asyncio.create_task(mine.run())
        while mine.stats().streaming < len(SEGMENTS):  # noqa: ASYNC110 - there is no event for it
            await asyncio.sleep(0.1)
        await _print_share(lambda: mine.stats().samples)
        task.cancel()


async def bare(hci_port: int, _folder: str, addresses: list[str]) -> None:
    """The rival: subscribe and count."""
    count = 0

    def heard(_characteristic: object, _value: bytearray) -> None:
        nonlocal count
        count += 1

    async with open_central(f"tcp-client:127.0.0.1:{hci_port}") as backend:
        found = await BleakScanner.discover(2, backend=backend.scanner)
        for device in [d for d in found if d.address in addresses]:
            client = BleakClient(device, backend=backend.client)
            await client.connect()
            await client.start_notify(dot.MEDIUM_PAYLOAD, heard)
            await client.write_gatt_char(dot.MEASUREMENT_CONTROL, dot.START, response=True)
        await _print_share(lambda: count)


async def _print_share(samples: Any) -> None:
    await asyncio.sleep(5)
    cpu, began, before = time.process_time(), time.monotonic(), samples()
    await asyncio.sleep(SECONDS)
    share = (time.process_time() - cpu) / (time.monotonic() - began)
    print(share, (samples() - before) / (time.monotonic() - began), flush=True)


def cpu() -> None:
    """Print both shares."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    shares = {}
    for name in ("gateway", "bare"):
        port = str(free_port())
        with tempfile.TemporaryDirectory() as folder:
            sensors = subprocess.Popen(
                [sys.executable, __file__, "room", port], stdout=subprocess.PIPE, env=environment, text=True
            )
            assert sensors.stdout is not None  # noqa: S101 - it is a pipe
            addresses = sensors.stdout.readline().split()
            words = [sys.executable, __file__, name, port, folder, *addresses]
            told = subprocess.run(words, stdout=subprocess.PIPE, env=environment, text=True, check=True)
            sensors.kill()
            sensors.wait()
        share, rate = (float(word) for word in told.stdout.split())
        shares[name] = share
        print(f"  {name:8} {share:6.1%} of a core, {rate:5.0f} samples/s")
    print(f"  a gateway costs {shares['gateway'] / shares['bare']:.1f} times a bare subscription")


def seconds_of_bytes(hours: int) -> Iterator[tuple[int, dict[str, list[bytes]]]]:
    """Yield every second's notifications of eight sensors; every ten minutes one of them is away for 20 s."""
    source = Dots()
    for second in range(hours * 3600):
        ticks, acc, gyr = source.samples_by_index("", second * 60, second * 60 + 60)
        values = dot.encode(Samples(ticks, acc, gyr))
        away = SEGMENTS[second // 600 % len(SEGMENTS)] if second % 600 < 20 else ""
        yield second, {s: values for s in SEGMENTS if s != away}


def memory() -> tuple[float, float]:
    """Feed twelve hours; return MB resident after one hour and at the end."""
    assembler, after_one = Assembler("bench"), 0.0
    for segment in SEGMENTS:
        assembler.add(segment, segment, DOT)
    utc0, host0, began = 1_800_000_000_000_000, 5_000_000_000, time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        spool = DiskSpool(Path(folder) / "spool.db")
        for second, heard in seconds_of_bytes(HOURS):
            for segment, values in heard.items():
                at = np.arange(len(values)) * 16_667 + second * 1_000_000 + 9_000
                for offset, value in zip(at.tolist(), values, strict=True):
                    moment = Moment(host0 + offset, utc0 + offset)
                    assembler.push(segment, Notification(dot.MEDIUM_PAYLOAD, value), moment)
            now = Moment(host0 + second * 1_000_000 + 999_000, utc0 + second * 1_000_000 + 999_000)
            for message in assembler.advance(now):
                sequence = spool.put(message, assembler.marks("bench"))
                spool.confirm(Stored(session="bench", through=sequence - 30, highest=sequence - 30))
            if second % 3600 == 3599:
                print(f"  after {second // 3600 + 1} h: {resident():.0f} MB resident", flush=True)
                after_one = after_one or resident()
        spool.close()
    spent = time.monotonic() - began
    print(f"  {HOURS} h in {spent:.0f} s; missing {sum(t.counts.missing for t in assembler.tracks.values())}")
    return after_one, resident()


def resident() -> float:
    """Return MB of memory that this process holds."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    """Print both parts and the figure."""
    words = sys.argv[1:]
    if words and words[0] in ("gateway", "bare"):
        asyncio.run((gateway if words[0] == "gateway" else bare)(int(words[1]), words[2], words[3:]))
        return
    if words:
        asyncio.run(room(int(words[1])))
        return
    print("CPU, eight sensors at 60 Hz:", flush=True)
    cpu()
    print("memory:", flush=True)
    one, twelve = memory()
    print(f"\nresident after 1 h {one:.0f} MB, after {HOURS} h {twelve:.0f} MB")


if __name__ == "__main__":
    main()
