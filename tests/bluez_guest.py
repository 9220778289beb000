"""A guest with Linux's own Bluetooth: Debian's kernel and bluetoothd in QEMU; the sensors outside.

QEMU emulates in software, so nothing is asked of the host but its packages (`tools/bluez.sh`). The guest's
root is the host's / over 9p, read-only under a layer in memory: it runs this checkout with this Python.

The guest's clock counts its instructions, one a nanosecond, and passes with the host's when it is idle. The
sensors outside are paced by that clock. So a slow or busy host makes the test longer and changes nothing
else: by the host's own clock, a gateway on an emulated processor beside other work could not keep up.
"""

import asyncio
import contextlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bumble.hci import HCI_ErrorCode, LeFeatureMask
from bumble.transport import open_transport
from servers import cache_folder, missing

from device.radio.central import CentralController
from device.radio.room import RadioRoom

TOOLS = Path(__file__).parent / "bluez"
ADVICE = (
    "no guest with BlueZ: on Debian, apt-get install qemu-system-x86 bluez dbus busybox-static cpio kmod, "
    "and then run tools/bluez.sh"
)
BLUETOOTHD = Path("/usr/libexec/bluetooth/bluetoothd")
BOOT_S = 150.0
PATIENCE_S = 120.0
"""Both of the host's time: emulation is slow, and slower beside other work."""


def kernel_folder() -> Path:
    """Where tools/bluez.sh put the kernel; skips the test, or fails it in CI, without one."""
    made = sorted(cache_folder().glob("bluez-*/initrd.gz"), key=lambda path: path.stat().st_mtime)
    if not made or shutil.which("qemu-system-x86_64") is None or not BLUETOOTHD.exists():
        missing(ADVICE)
    return made[-1].parent


class LinuxController(CentralController):
    """A software controller that Linux can drive, with few connections, as real adapters have.

    It has no public address: Linux then gives it a random one, the only kind between which bumble 0.0.236
    carries data. And it does not claim what bumble would not do: Linux waits for the events of both features.
    """

    slots = 5

    def __init__(self, **kwargs: Any) -> None:
        super().__init__("linux", **kwargs)
        self.le_features &= ~(LeFeatureMask.LL_PRIVACY | LeFeatureMask.LE_EXTENDED_ADVERTISING)
        self.refusals = 0

    def on_hci_le_create_connection_command(self, command: Any) -> None:
        """Core specification 5.4, volume 1, part F, 2.9: connection limit exceeded."""
        if len(self.le_connections) >= self.slots:
            self.refusals += 1
            self._send_hci_command_status(HCI_ErrorCode.CONNECTION_LIMIT_EXCEEDED_ERROR, command.op_code)
        else:
            super().on_hci_le_create_connection_command(command)


class PacedRoom(RadioRoom):
    """A radio room whose time is a guest's."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.clock: asyncio.Queue[float] = asyncio.Queue()

    async def _run(self) -> None:
        while True:
            elapsed = await self.clock.get()
            for sensor, rate in zip(self.sensors, self._rates, strict=True):
                await sensor.run_to(int(elapsed * rate))


@dataclass
class Guest:
    """A booted guest: what was ordered, and what it told last.

    Attributes:
        folder: shared with the guest; after `switch_off` the spool lies there.
        now: seconds on the guest's clock, 0 before it told.
        links: by address, what the gateway says of each connection.
        stats: the gateway's sums.
        changes: (`now`, address, state) of every change.
    """

    folder: Path
    controller: LinuxController
    room: PacedRoom
    now: float = 0.0
    process: asyncio.subprocess.Process | None = None
    writer: asyncio.StreamWriter | None = None
    told: dict[str, Any] = field(default_factory=dict)
    links: dict[str, dict[str, Any]] = field(default_factory=dict)
    stats: dict[str, Any] = field(default_factory=dict)
    changes: list[tuple[float, str, str]] = field(default_factory=list)
    _ending: bool = False
    _ports: list[asyncio.Server] = field(default_factory=list)
    _listening: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def streaming(self) -> int:
        return int(self.stats.get("streaming", 0))

    @property
    def console(self) -> str:
        path = self.folder / "console.txt"
        return path.read_text(errors="replace")[-6000:] if path.exists() else "nothing at all"

    async def boot(self, kernel: Path) -> None:
        """Start QEMU and wait until the guest answers."""

        async def orders(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self.writer = writer
            await self._listen(self.hear_facts(reader), writer)

        async def clock(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await self._listen(self.hear_time(reader), writer)

        for served in (orders, clock):
            self._ports.append(await asyncio.start_unix_server(served, self.folder / served.__name__))
        self.process = await asyncio.create_subprocess_exec(*_command(kernel, self.folder))
        await self.until("the guest boots", lambda: "booted" in self.told, BOOT_S)

    async def _listen(self, hearing: Coroutine[Any, Any, None], writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(hearing)
        self._listening.append(task)
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            await task
        writer.close()

    async def end(self) -> None:
        """Leave nothing of the guest."""
        if self.process is not None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            await self.process.wait()
        if self._listening:
            await asyncio.wait(self._listening, timeout=5)  # the sockets' ends
        for port in self._ports:
            port.close()
        await asyncio.sleep(0)

    async def hear_time(self, reader: asyncio.StreamReader) -> None:
        """Let the room's time follow the guest's."""
        while clock := await reader.readexactly(8):
            self.now = int.from_bytes(clock, "little") / 1e6
            self.room.clock.put_nowait(self.now)

    async def sleep(self, seconds: float) -> None:
        """Wait by the guest's clock."""
        end = self.now + seconds
        await self.until(f"{seconds} s pass", lambda: self.now >= end, PATIENCE_S + 20 * seconds)

    async def hear_facts(self, reader: asyncio.StreamReader) -> None:
        """Take what the gateway and the shell in the guest tell."""
        while line := await reader.readline():
            self._hear(json.loads(line))

    def _hear(self, facts: dict[str, Any]) -> None:
        self.told |= facts
        self.stats = facts.get("stats", self.stats)
        for address, link in facts.get("links", {}).items():
            if link["state"] != self.links.get(address, {}).get("state"):
                self.changes.append((self.now, address, link["state"]))
            self.links[address] = link

    async def order(self, *words: str) -> None:
        assert self.writer is not None
        self.writer.write(" ".join(words).encode() + b"\n")
        await self.writer.drain()

    async def until(self, what: str, condition: Callable[[], bool], patience_s: float = PATIENCE_S) -> float:
        """Wait until something holds; return the guest's seconds that took, or fail with its console."""
        began, began_here = self.now, time.monotonic()
        while not condition():
            waited = time.monotonic() - began_here
            if waited > patience_s or self._broken():
                raise AssertionError(
                    f"not within {waited:.0f} s ({self.now - began:.1f} s in the guest): {what}. "
                    f"QEMU returned {self._returned()}. Last told: {self.told}. "
                    f"Changes: {self.changes}. The guest's console ends with:\n{self.console}"
                )
            await asyncio.sleep(0.01)
        return self.now - began

    def _broken(self) -> bool:
        over = "ended" in self.told and not self._ending
        return over or self._returned() is not None

    def _returned(self) -> int | None:
        return self.process.returncode if self.process else None

    async def start_gateway(self, worn: dict[str, str]) -> float:
        """Start a gateway for these sensors and wait for its session."""
        self.told.pop("session", None)
        self.links, self.stats = {}, {}
        await self.order("gateway", *(f"{address}={segment}" for address, segment in worn.items()))
        return await self.until("a gateway runs", lambda: "session" in self.told and bool(self.links), BOOT_S)

    async def end_gateway(self, signal: str) -> int:
        """End the gateway by a signal and return what its process returned."""
        self._ending = True
        await self.order("kill", f"-{signal}", str(self.told["pid"]))
        await self.until("the gateway ends", lambda: "ended" in self.told)
        self._ending = False
        return int(self.told.pop("ended"))

    async def switch_off(self) -> None:
        """Get the spool and end the guest."""
        await self.order("off")
        await self.until("the guest has handed over the spool", lambda: "off" in self.told)


def _start_script() -> str:
    paths = os.pathsep.join(str(Path(path).resolve()) for path in sys.path if path)
    names = {"PYTHON": sys.executable, "PYTHONPATH": paths, "TOOLS": str(TOOLS)}
    lines = [f"{name}='{value}'" for name, value in names.items()]
    return "\n".join(["#!/bin/sh", *lines, (TOOLS / "guest.sh").read_text()])


def _command(kernel: Path, folder: Path) -> list[str]:
    host = "local,id=host,path=/,security_model=none,readonly=on,multidevs=remap"
    share = f"local,id=share,path={folder},security_model=none,multidevs=remap"
    return [
        "qemu-system-x86_64", "-nodefaults", "-no-reboot", "-display", "none",
        "-machine", "q35", "-cpu", "Nehalem", "-smp", "1", "-m", "1024",
        "-accel", "tcg", "-icount", "shift=0,sleep=on", "-rtc", "clock=vm",
        "-kernel", f"{kernel / 'vmlinuz'}", "-initrd", f"{kernel / 'initrd.gz'}",
        "-append", "console=ttyS0 quiet panic=-1 mitigations=off cryptomgr.notests",
        "-serial", f"file:{folder / 'console.txt'}",
        "-fsdev", host, "-device", "virtio-9p-pci,fsdev=host,mount_tag=host",
        "-fsdev", share, "-device", "virtio-9p-pci,fsdev=share,mount_tag=share",
        "-device", "virtio-serial-pci",
        *(word for port in ("hci", "clock", "orders") for word in (
            "-chardev", f"socket,id={port},path={folder / port}",
            "-device", f"virtserialport,chardev={port},name={port}",
        )),
    ]  # fmt: skip


@asynccontextmanager
async def guest_beside(room: PacedRoom) -> AsyncIterator[Guest]:
    """Boot a guest whose Bluetooth adapter is in the room; nothing of it is left afterwards."""
    kernel = kernel_folder()
    async with contextlib.AsyncExitStack() as opened:
        # Paths of sockets must be short, and pytest's folders are not.
        folder = Path(opened.enter_context(tempfile.TemporaryDirectory(prefix="poise-bluez-")))
        (folder / "start").write_text(_start_script())
        wires = await opened.enter_async_context(await open_transport(f"unix-server:{folder / 'hci'}"))
        opened.callback(wires.server.close)  # type: ignore[attr-defined]
        controller = LinuxController(host_source=wires.source, host_sink=wires.sink, link=room.link)
        opened.callback(room.link.remove_controller, controller)
        opened.callback(controller.lose_links)
        guest = Guest(folder, controller, room)
        opened.push_async_callback(guest.end)
        await guest.boot(kernel)
        yield guest
