"""A guest with Linux's own Bluetooth: Debian's kernel and bluetoothd in QEMU; the sensors outside.

QEMU emulates in software, so nothing is asked of the host but its packages (`tools/bluez.sh`). The guest's
root is the host's / over 9p, read-only under a layer in memory: it runs this checkout with this Python.
"""

import asyncio
import contextlib
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable
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
BOOT_S = 120.0
"""Software emulation is slow, and slower still beside other work."""


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


@dataclass
class Guest:
    """A booted guest: what was ordered, and what it told last.

    Attributes:
        folder: shared with the guest; after `off` the spool lies there.
        links: by address, what the gateway says of each connection.
        stats: the gateway's sums.
        changes: (seconds since booting began, address, state) of every change.
    """

    folder: Path
    process: asyncio.subprocess.Process
    controller: LinuxController
    began: float = field(default_factory=time.monotonic)
    writer: asyncio.StreamWriter | None = None
    told: dict[str, Any] = field(default_factory=dict)
    links: dict[str, dict[str, Any]] = field(default_factory=dict)
    stats: dict[str, Any] = field(default_factory=dict)
    changes: list[tuple[float, str, str]] = field(default_factory=list)
    _ending: bool = False

    @property
    def now(self) -> float:
        return time.monotonic() - self.began

    @property
    def streaming(self) -> int:
        return int(self.stats.get("streaming", 0))

    @property
    def console(self) -> str:
        path = self.folder / "console.txt"
        return path.read_text(errors="replace")[-6000:] if path.exists() else "nothing at all"

    async def listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve the guest's port."""
        self.writer = writer
        with contextlib.suppress(ConnectionError, asyncio.CancelledError):
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

    async def until(self, what: str, condition: Callable[[], bool], seconds: float = 60) -> float:
        """Wait until something holds and return how long that took; else fail with the guest's console."""
        began = time.monotonic()
        while not condition():
            waited = time.monotonic() - began
            if waited > seconds or self._broken():
                with contextlib.suppress(Exception):
                    await self.order("kill", "-USR1", str(self.told["pid"]))
                    await asyncio.sleep(5)
                raise AssertionError(
                    f"not within {waited:.0f} s: {what}. QEMU returned {self.process.returncode}. Last told: "
                    f"{self.told}. Changes: {self.changes}. The guest's console ends with:\n{self.console}"
                )
            await asyncio.sleep(0.02)
        return time.monotonic() - began

    def _broken(self) -> bool:
        over = "ended" in self.told and not self._ending
        return over or self.process.returncode is not None

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
        await self.until("the gateway ends", lambda: "ended" in self.told, 30)
        self._ending = False
        return int(self.told.pop("ended"))

    async def switch_off(self) -> None:
        """Get the spool and end the guest."""
        await self.order("off")
        await self.until("the guest has handed over the spool", lambda: "off" in self.told, 30)


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
        "-machine", "q35", "-cpu", "Nehalem", "-accel", "tcg,thread=multi", "-smp", "2", "-m", "1024",
        "-kernel", f"{kernel / 'vmlinuz'}", "-initrd", f"{kernel / 'initrd.gz'}",
        "-append", "console=ttyS0 quiet panic=-1 mitigations=off cryptomgr.notests",
        "-serial", f"file:{folder / 'console.txt'}",
        "-fsdev", host, "-device", "virtio-9p-pci,fsdev=host,mount_tag=host",
        "-fsdev", share, "-device", "virtio-9p-pci,fsdev=share,mount_tag=share",
        "-device", "virtio-serial-pci",
        "-chardev", f"socket,id=hci,path={folder / 'hci'}", "-device", "virtserialport,chardev=hci,name=hci",
        "-chardev", f"socket,id=orders,path={folder / 'orders'}",
        "-device", "virtserialport,chardev=orders,name=orders",
    ]  # fmt: skip


@asynccontextmanager
async def guest_beside(room: RadioRoom) -> AsyncIterator[Guest]:
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
        guests: list[Guest] = []
        port = await asyncio.start_unix_server(lambda r, w: guests[0].listen(r, w), folder / "orders")
        opened.callback(port.close)
        process = await asyncio.create_subprocess_exec(*_command(kernel, folder))
        opened.push_async_callback(_end, process)
        guests.append(guest := Guest(folder, process, controller))
        await guest.until("the guest boots", lambda: "booted" in guest.told, BOOT_S)
        yield guest


async def _end(process: asyncio.subprocess.Process) -> None:
    with contextlib.suppress(ProcessLookupError):
        process.kill()
    await process.wait()
