"""`poise` as a user runs it: a process of its own, with its own folder, read by what it prints."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

POISE = Path(sys.executable).with_name("poise")
Typed = Callable[..., tuple[int, str, str]]
"""A command run in this process; gives exit code and output."""
SLOW_S = 60.0
"""How long a busy machine may take to start a program: two cores are shared by all tests."""


def environment(folder: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """Nothing of this machine's own settings; the folder stands for the user's data folder."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("POISE_")}
    mine = {
        "POISE_DATA": str(folder / "data"),
        "XDG_CONFIG_HOME": str(folder / "config"),
        "COLUMNS": "250",
        "POISE_TIMEZONE": "Europe/Vienna",
        "POISE_INGEST__METRICS_PORT": "0",
    }
    return clean | mine | (more or {})


class Program:
    """A running `poise …`; `folder` is its working directory, its output goes to files beside it."""

    def __init__(self, folder: Path, *words: object, env: Mapping[str, str] | None = None) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.words = [str(word) for word in words]
        number = len(list(folder.glob("*.out")))
        self._out, self._err = (folder / f"{number}-{self.words[0]}.{kind}" for kind in ("out", "err"))
        with self._out.open("wb") as out, self._err.open("wb") as err:
            self.process = subprocess.Popen(
                [str(POISE), *self.words], stdout=out, stderr=err, cwd=folder, env=environment(folder, env)
            )

    @property
    def out(self) -> str:
        return self._out.read_text(errors="replace")

    @property
    def err(self) -> str:
        return self._err.read_text(errors="replace")

    def said(self, text: str, within_s: float = SLOW_S) -> str:
        """Wait until it has printed `text`; return the line."""
        until(lambda: text in self.out + self.err or self.process.poll() is not None, within_s, self)
        lines = [line for line in (self.out + self.err).splitlines() if text in line]
        assert lines, f"poise {self.words} ended with {self.process.poll()}:\n{self.out}\n{self.err}"
        return lines[0]

    def ended(self, within_s: float = SLOW_S) -> int:
        """Wait for its end and return its exit code."""
        return self.process.wait(within_s)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def interrupted(self, number: int = signal.SIGINT, within_s: float = SLOW_S) -> "Ending":
        """Send a signal as Ctrl-C does, and look at what it leaves behind."""
        tree = psutil.Process(self.process.pid)
        children = tree.children(recursive=True)
        ports = listening(self.process.pid, *(child.pid for child in children))
        began = time.monotonic()
        self.process.send_signal(number)
        code = self.process.wait(within_s)
        seconds = time.monotonic() - began
        orphans = [child.pid for child in children if child.is_running()]
        return Ending(code, seconds, orphans, [port for port in ports if answers(port)], self.out + self.err)


class Ending:
    """How a program ended.

    Attributes:
        code: exit code.
        seconds: from the signal to the end.
        orphans: its children that still run.
        open_ports: its ports that still answer.
        text: all it printed.
    """

    def __init__(
        self, code: int, seconds: float, orphans: list[int], open_ports: list[int], text: str
    ) -> None:
        self.code, self.seconds, self.text = code, seconds, text
        self.orphans, self.open_ports = orphans, open_ports

    def in_good_order(self, within_s: float = 3.0) -> None:
        assert "Traceback" not in self.text, self.text
        assert "Exception" not in self.text, self.text
        assert self.code == 0, self.text
        assert (self.orphans, self.open_ports) == ([], [])
        assert self.seconds < within_s, self.seconds


class Programs:
    """Starts programs and ends whatever still runs of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.all: list[Program] = []
        self.over = False

    def start(self, *words: object, env: Mapping[str, str] | None = None, place: str = "") -> Program:
        assert not self.over
        program = Program(self.folder / place, *words, env=env)
        self.all.append(program)
        return program

    def nap(self, seconds: float) -> None:
        """Sleep, unless all is over."""
        last = time.monotonic() + seconds
        while time.monotonic() < last:
            time.sleep(0.1)
            assert not self.over

    def end(self) -> None:
        self.over = True
        for program in self.all:
            if program.process.poll() is None:
                program.kill()


def until(holds: Callable[[], object], within_s: float, about: object = "") -> None:
    """Wait until something holds, without hurry: the programs need the processor more."""
    last = time.monotonic() + within_s
    while not holds():
        if time.monotonic() > last:
            said = f"{about.words}:\n{about.out}\n{about.err}" if isinstance(about, Program) else about
            raise AssertionError(f"still not so after {within_s:g} s: {said}")
        time.sleep(0.05)


def listening(*pids: int) -> list[int]:
    """Return the TCP ports on which these processes listen."""
    found = [
        connection.laddr.port
        for pid in pids
        for connection in psutil.Process(pid).net_connections(kind="tcp")
        if connection.status == psutil.CONN_LISTEN
    ]
    return sorted(set(found))


def answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 0.5).close()
    except OSError:
        return False
    return True
