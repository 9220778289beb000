"""The gateway under faults: does the account close, to the sample?

Data: two rounds of four virtual sensors each, of different makers, whose samples number themselves; their
bytes go through HCI, ATT and GATT over TCP from a process of their own. The gateway is a process, Mosquitto a
real one, and ingest writes to a real disk. While samples flow, sensors drop their links or go out of range
and come back, the broker is stopped or killed, the gateway is killed with SIGKILL and started again, one
sensor loses power, and the host's clock is set forward.

For each sensor, over everything between the first and the last sample stored: samples taken = stored (those
that had waited in the sensor's own memory among them) + reported missing. That must come out exactly where a
sensor stamps or numbers its samples, and within the reported interval elsewhere and where one lost power;
none may be stored twice. The rival is what goes without saying in most loggers: only what is stored is known,
so everything in the column "missing" is silently missing.

Arguments: --faults N (1,000), --seed N.
"""

import argparse
import asyncio
import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))

from makers import BY_NAME, Counted, Fate, fates  # noqa: E402
from servers import Mosquitto, free_port, running_mosquitto  # noqa: E402

from device.radio.central import open_central  # noqa: E402
from device.radio.room import RadioRoom, RoomControl, serve_room  # noqa: E402
from device.radio.sensor import Ledger  # noqa: E402
from device.stream.clock import Moment, SystemClock  # noqa: E402
from device.vendors.base import Timing  # noqa: E402
from ingest.database.sqlite import Database  # noqa: E402
from ingest.mqtt.settings import BrokerSettings  # noqa: E402
from ingest.results.store import SqliteResults  # noqa: E402
from ingest.worker import Ingest  # noqa: E402
from poise.cli import parts  # noqa: E402
from poise.samples import SampleMessage  # noqa: E402
from poise.topics import Wearer  # noqa: E402
from poise.wire import decode_samples  # noqa: E402

ROUNDS: Final = (
    ("movella_dot", "capture2go", "polar_verity_sense", "openearable"),
    ("open_profile", "esense", "witmotion", "thingy52"),
)
WHO: Final = Wearer("P-FAULTS")
CLOCK_STEP_US: Final = 90_000_000
_SETTLE_S: Final = 25.0
PAUSE_S: Final = 0.9
"""Between two faults: sensors come back within half a second, so most faults hit a link that streams."""


class SteppedClock(SystemClock):
    """The host's clock, set by as much as a file says."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file, self._looked, self._step_us = file, 0.0, 0

    def now(self) -> Moment:
        """See `HostClock`."""
        if time.monotonic() - self._looked > 0.2:
            self._looked = time.monotonic()
            with contextlib.suppress(OSError, ValueError):
                self._step_us = int(self._file.read_text())
        moment = super().now()
        return Moment(moment.host_us, moment.utc_us + self._step_us)


async def room(names: Sequence[str], hci_port: int) -> None:
    """Run the sensors' process: print the control port, then every sensor's address."""
    makers = {name: BY_NAME[name] for name in names}
    async with (
        RadioRoom(Counted(), names, vendors=makers) as here,
        serve_room(here, f"tcp-server:127.0.0.1:{hci_port}", 0) as control,
    ):
        print(control, *here.worn, flush=True)
        await asyncio.Event().wait()


async def gateway(hci_port: int, broker_port: int, data: Path, worn: Mapping[str, str]) -> None:
    """Run the gateway's process until SIGTERM, then send what is left."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with (
        open_central(f"tcp-client:127.0.0.1:{hci_port}") as backend,
        parts.wearing(
            WHO,
            worn,
            BrokerSettings(port=broker_port),
            data,
            backend=backend,
            drain_s=60,
            clock=SteppedClock(data / "step"),
        ),
    ):
        print("ready", flush=True)
        await stop.wait()


@dataclass
class House:
    """Everything that runs, and what was done to it."""

    names: Sequence[str]
    folder: Path
    mosquitto: Mosquitto
    random: random.Random
    hci_port: int = field(default_factory=free_port)
    worn: dict[str, str] = field(default_factory=dict)
    control: Any = None
    gate: Any = None
    away: dict[int, float] = field(default_factory=dict)
    done: dict[str, int] = field(default_factory=dict)

    async def start(self) -> Any:
        """Start the sensors and the gateway; return the sensors' process."""
        sensors = await self._spawn("room", ",".join(self.names), str(self.hci_port))
        port, *addresses = (await asyncio.wait_for(sensors.stdout.readline(), 60)).decode().split()
        self.worn = dict(zip(addresses, self.names, strict=True))
        self.control = await RoomControl.connect(int(port))
        await self.start_gateway()
        return sensors

    async def start_gateway(self) -> None:
        """Start the gateway's process and wait until it is at work."""
        worn = ",".join(f"{a}={s}" for a, s in self.worn.items())
        ports = (str(self.hci_port), str(self.mosquitto.port))
        self.gate = await self._spawn("gateway", *ports, str(self.folder), worn)
        await asyncio.wait_for(self.gate.stdout.readline(), 60)

    async def _spawn(self, *words: str) -> Any:
        environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
        return await asyncio.create_subprocess_exec(
            sys.executable, __file__, *words, stdout=subprocess.PIPE, env=environment
        )

    async def torment(self, faults: int, outages: int, kills: int) -> None:
        """Do so many things to the sensors, and spread the others evenly between them."""
        reboot_at, step_at = faults // 3, faults // 2
        for n in range(faults):
            await self._come_back()
            await self._trouble_a_sensor(reboot=n == reboot_at)
            if n == step_at:
                (self.folder / "step").write_text(str(CLOCK_STEP_US))
                self._count("clock steps")
            if kills and n % max(1, faults // kills) == max(1, faults // kills) - 1:
                await self._kill_gateway()
            if outages and n % max(1, faults // outages) == max(1, faults // outages) // 2:
                await self._stop_broker()
            await asyncio.sleep(self.random.uniform(0.3, 1.7) * PAUSE_S)
        while self.away:
            await asyncio.sleep(0.2)
            await self._come_back()

    async def _trouble_a_sensor(self, *, reboot: bool) -> None:
        free = [i for i in range(len(self.names)) if i not in self.away]
        if not free:
            return
        i = 0 if reboot and 0 in free else self.random.choice(free)
        verb = "reboot" if reboot else self.random.choice(["drop", "vanish"])
        await self.control.order(verb, i)
        self._count({"drop": "drops", "vanish": "vanishings", "reboot": "reboots"}[verb])
        if verb != "drop":
            self.away[i] = time.monotonic() + self.random.expovariate(1 / 2.0)

    async def _come_back(self) -> None:
        for i in [i for i, until in self.away.items() if time.monotonic() >= until]:
            del self.away[i]
            await self.control.order("reappear", i)

    async def _kill_gateway(self) -> None:
        self.gate.send_signal(signal.SIGKILL)
        await self.gate.wait()
        self._count("gateway kills")
        await self.start_gateway()

    async def _stop_broker(self) -> None:
        """SIGKILL every other time, else stop it in good order; back after a moment."""
        kill = self.done.get("broker kills", 0) <= self.done.get("broker outages", 0)
        if kill:
            self.mosquitto.kill()
        elif self.mosquitto.process is not None:
            self.mosquitto.process.terminate()
            self.mosquitto.process.wait()
        self._count("broker kills" if kill else "broker outages")
        await asyncio.sleep(self.random.uniform(0.5, 4.0))
        self.mosquitto.start()

    def _count(self, what: str) -> None:
        self.done[what] = self.done.get(what, 0) + 1


async def one_round(names: Sequence[str], folder: Path, share: tuple[int, int, int], seed: int) -> bool:
    """Torment four sensors and settle the account; return whether it closes."""
    with running_mosquitto(folder) as mosquitto:
        house = House(names, folder, mosquitto, random.Random(seed))  # noqa: S311 - a seed, no secret
        database = Database(folder / "poise.db")
        results = SqliteResults(database.path)
        ingest = Ingest(mosquitto.settings, database, results, clock=parts.now_us)
        serving = asyncio.create_task(ingest.run())
        sensors = await house.start()
        began = time.monotonic()
        try:
            await asyncio.sleep(8)
            await house.torment(*share)
            await asyncio.sleep(_SETTLE_S)
            ledgers = await house.control.ledgers()
            house.gate.terminate()
            await asyncio.wait_for(house.gate.wait(), 120)
            await asyncio.sleep(2)
        finally:
            for process in (house.gate, sensors):
                with contextlib.suppress(ProcessLookupError):
                    process.kill()
            serving.cancel()
            await asyncio.gather(serving, return_exceptions=True)
        with database.transaction() as c:
            rows = c.execute("SELECT payload FROM messages ORDER BY id").fetchall()
        database.close()
    print(f"\n{', '.join(names)}: {time.monotonic() - began:.0f} s, {house.done}")
    return settle([decode_samples(row[0]) for row in rows], names, house.worn, ledgers)


def settle(
    messages: Sequence[SampleMessage],
    names: Sequence[str],
    worn: Mapping[str, str],
    ledgers: Mapping[str, Ledger],
) -> bool:
    """Print a row for each sensor; return whether all is accounted for."""
    print("                      taken   stored  from memory   missing ±         off  twice")
    found, sound = fates(messages), True
    by_name = {segment: ledgers[address] for address, segment in worn.items()}
    for name in names:
        row = account(found[name], by_name[name])
        sound &= row.sound
        kept, word = by_name[name].kept, "closes" if row.sound else "DOES NOT CLOSE"
        print(
            f"  {name:18} {row.taken:8d} {row.stored:8d} {kept:8d} {row.missing:12d} ±{row.spread:<6d}"
            f" {row.off:6d} {row.twice:6d}  {word}"
        )
    return sound


@dataclass(frozen=True)
class Row:
    """One sensor's account; `off` is what is left over, `sound` whether it may be."""

    taken: int
    stored: int
    missing: int
    spread: int
    off: int
    twice: int
    sound: bool


def account(fate: Fate, ledger: Ledger) -> Row:
    """Settle one sensor's account."""
    every = fate.all_indexes()
    stored = len(set(every))
    taken = max(every) - min(every) + 1
    missing, spread = sum(g.count for g in fate.gaps), sum(g.spread for g in fate.gaps)
    off = taken - stored - missing
    told = any(g.reason == "sensor restarted" for g in fate.gaps) or fate.vendor.timing is Timing.NONE
    exact = fate.vendor.timing is Timing.STAMPED and not ledger.reboots
    sound = abs(off) <= (0 if exact else spread) and len(every) == stored and (told or not ledger.reboots)
    return Row(taken, stored, missing, spread, off, len(every) - stored, sound)


async def both(faults: int, seed: int) -> bool:
    """Run both rounds."""
    sound = True
    for n, names in enumerate(ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            share = (faults // 2, max(1, faults // 100), max(1, faults // 100))
            sound &= await one_round(names, Path(folder), share, seed + n)
    return sound


def main() -> None:
    """Run a part, or everything, and print the figure."""
    words = sys.argv[1:]
    if words[:1] == ["room"]:
        asyncio.run(room(words[1].split(","), int(words[2])))
        return
    if words[:1] == ["gateway"]:
        worn = dict(pair.split("=") for pair in words[4].split(","))
        asyncio.run(gateway(int(words[1]), int(words[2]), Path(words[3]), worn))
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--faults", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    sound = asyncio.run(both(given.faults, given.seed))
    print(f"\n{given.faults} faults at the sensors: the account {'closes' if sound else 'DOES NOT CLOSE'}")
    sys.exit(not sound)


if __name__ == "__main__":
    main()
