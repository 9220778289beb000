"""Real servers for tests: Mosquitto and InfluxDB, each with its own folder and a free port of loopback."""

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from ingest.broker import BrokerSettings
from ingest.influx import InfluxSettings

INFLUX_ADVICE = (
    "no InfluxDB: run tools/influxd.sh (Go, Rust and gcc needed, about four minutes once), or start one with "
    "'docker run -p 8086:8086 influxdb:2.7' and set POISE_TEST_INFLUXDB_URL and POISE_TEST_INFLUXDB_TOKEN"
)
MOSQUITTO_ADVICE = "no Mosquitto: install it (apt-get install mosquitto) or put it on the PATH"


def missing(advice: str) -> None:
    """Skip where a person works without the server; fail where everything must be tested."""
    if os.environ.get("CI") == "true":
        pytest.fail(advice)
    pytest.skip(advice)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for_port(port: int, process: subprocess.Popen[bytes], within_s: float = 20) -> None:
    until = time.monotonic() + within_s
    while time.monotonic() < until:
        if process.poll() is not None:
            raise RuntimeError(f"{process.args} ended at once with {process.returncode}")
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
        except OSError:
            time.sleep(0.02)
        else:
            return
    raise RuntimeError(f"{process.args} does not listen on {port}")


@dataclass
class Server:
    """A process that can be killed and started again at the same port and folder."""

    command: list[str]
    port: int
    log: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self.command, stdout=log, stderr=log)
        wait_for_port(self.port, self.process)

    @property
    def pid(self) -> int:
        assert self.process is not None, "it is not running"
        return self.process.pid

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None


@dataclass
class Mosquitto(Server):
    @property
    def settings(self) -> BrokerSettings:
        return BrokerSettings(port=self.port)


@contextmanager
def running_mosquitto(folder: Path, extra: str = "") -> Iterator[Mosquitto]:
    """A Mosquitto without persistence: whatever it holds dies with it."""
    program = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
    if program is None:
        missing(MOSQUITTO_ADVICE)
    port = free_port()
    config = folder / "mosquitto.conf"
    config.write_text(f"listener {port} 127.0.0.1\nallow_anonymous true\npersistence false\n{extra}")
    server = Mosquitto([str(program), "-c", str(config)], port, folder / "mosquitto.log")
    server.start()
    try:
        yield server
    finally:
        server.kill()


@dataclass
class Influx(Server):
    token: str = "poise-test-token"  # noqa: S105 - of a server that lives for one test

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def ready(self) -> None:
        until = time.monotonic() + 30
        while time.monotonic() < until:
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=2):  # noqa: S310 - our own server
                    return
            except (OSError, urllib.error.URLError):
                time.sleep(0.1)
        raise RuntimeError("InfluxDB does not become healthy")


def _post(url: str, body: dict[str, object], token: str) -> dict[str, object]:
    headers = {"Content-Type": "application/json", "Authorization": f"Token {token}"}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)  # noqa: S310 - our own server
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        found: dict[str, object] = json.load(answer)
        return found


def cache_folder() -> Path:
    """Where the scripts in tools/ leave what they build for the tests."""
    cache = os.environ.get("POISE_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "poise"
    return Path(cache).expanduser()


def find_influxd() -> Path | None:
    built = sorted(cache_folder().glob("influxd-*/influxd"))
    on_path = shutil.which("influxd")
    return Path(on_path) if on_path else (built[-1] if built else None)


@contextmanager
def running_influx(folder: Path, bucket: str) -> Iterator[tuple[InfluxSettings, Influx | None]]:
    """A server to write to, and, if it is our own, the process to kill."""
    url, token = os.environ.get("POISE_TEST_INFLUXDB_URL"), os.environ.get("POISE_TEST_INFLUXDB_TOKEN", "")
    if url:
        org = os.environ.get("POISE_TEST_INFLUXDB_ORG", "poise")
        named = os.environ.get("POISE_TEST_INFLUXDB_BUCKET", bucket)
        yield InfluxSettings(url=url, token=token, org=org, bucket=named), None
        return
    program = find_influxd()
    if program is None:
        missing(INFLUX_ADVICE)
    port = free_port()
    command = [str(program), "--http-bind-address", f"127.0.0.1:{port}", "--reporting-disabled"]
    for option in ("bolt-path", "engine-path", "sqlite-path"):
        command += [f"--{option}", str(folder / option)]
    server = Influx(command, port, folder / "influxd.log")
    server.start()
    try:
        server.ready()
        setup = {"username": "poise", "password": "for-tests-only", "org": "poise", "bucket": bucket}
        _post(f"{server.url}/api/v2/setup", {**setup, "token": server.token}, "")
        yield InfluxSettings(url=server.url, token=server.token, org="poise", bucket=bucket), server
    finally:
        server.kill()
