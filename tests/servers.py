"""Real servers for tests: Mosquitto and InfluxDB, each with its own folder and a free port of loopback."""

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from ingest.mqtt.settings import BrokerSettings
from ingest.results.influxdb.layout import create
from ingest.results.influxdb.server import InfluxServer, InfluxSettings

INFLUX_VERSIONS = ("2.7", "1.8")
INFLUX_ADVICE = (
    "no InfluxDB {version}: run 'tools/influxd.sh {version}' (Go needed, for 2.7 also Rust and gcc; some "
    "minutes once), or start one with 'docker run -p 8086:8086 influxdb:{version}' and set {url} and {token}"
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
    version: str = "2.7"

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


def _post(url: str, body: bytes, kind: str) -> None:
    request = urllib.request.Request(url, body, {"Content-Type": kind})  # noqa: S310 - our own server
    with urllib.request.urlopen(request, timeout=10) as answer:  # noqa: S310
        answer.read()


def _is_new(url: str) -> bool:
    """Whether an InfluxDB 2 has no user yet; a folder may have been kept."""
    with urllib.request.urlopen(f"{url}/api/v2/setup", timeout=10) as answer:  # noqa: S310 - our own server
        return bool(json.load(answer)["allowed"])


def cache_folder() -> Path:
    """Where the scripts in tools/ leave what they build for the tests."""
    cache = os.environ.get("POISE_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache") / "poise"
    return Path(cache).expanduser()


def find_influxd(version: str) -> Path | None:
    """The built one, else one on the PATH that says it is of this version."""
    if built := sorted(cache_folder().glob(f"influxd-{version}.*/influxd")):
        return built[-1]
    on_path = shutil.which("influxd")
    if on_path is None:
        return None
    said = subprocess.run(
        [on_path, "version"], capture_output=True, text=True, timeout=20, check=False
    ).stdout
    return Path(on_path) if f"InfluxDB v{version}." in said else None


@contextmanager
def running_influx(
    folder: Path, bucket: str, version: str = "2.7"
) -> Iterator[tuple[InfluxSettings, Influx | None]]:
    """A server to write to, and, if it is our own, the process to kill."""
    variable = "POISE_TEST_INFLUXDB" if version == "2.7" else "POISE_TEST_INFLUXDB1"
    if url := os.environ.get(f"{variable}_URL"):
        given = _given(url, variable, bucket, version)
        _made(given)
        yield given, None
        return
    program = find_influxd(version)
    if program is None:
        missing(INFLUX_ADVICE.format(version=version, url=f"{variable}_URL", token=f"{variable}_TOKEN"))
    server, set_up = (_influx_2 if version == "2.7" else _influx_1)(program, folder)
    try:
        server.start()
        server.ready()
        settings = set_up(bucket)
        _made(settings)
        yield settings, server
    finally:
        server.kill()


def _made(settings: InfluxSettings) -> None:
    with closing(InfluxServer(settings)) as server:
        list(create(server))


def _given(url: str, variable: str, bucket: str, version: str) -> InfluxSettings:
    usual = ("poise", bucket) if version == "2.7" else ("-", f"{bucket}/autogen")
    return InfluxSettings(
        url=url,
        token=os.environ.get(f"{variable}_TOKEN", ""),
        org=os.environ.get(f"{variable}_ORG", usual[0]),
        bucket=os.environ.get(f"{variable}_BUCKET", usual[1]),
    )


def _influx_2(program: Path, folder: Path) -> tuple[Influx, Callable[[str], InfluxSettings]]:
    port, token = free_port(), "poise-test-token"
    command = [str(program), "--http-bind-address", f"127.0.0.1:{port}", "--reporting-disabled"]
    for option in ("bolt-path", "engine-path", "sqlite-path"):
        command += [f"--{option}", str(folder / option)]
    server = Influx(command, port, folder / "influxd.log")

    def set_up(bucket: str) -> InfluxSettings:
        setup = {"username": "poise", "password": "for-tests-only", "org": "poise"}
        body = json.dumps({**setup, "bucket": bucket, "token": token}).encode()
        if _is_new(server.url):
            _post(f"{server.url}/api/v2/setup", body, "application/json")
        return InfluxSettings(url=server.url, token=token, org="poise", bucket=bucket)

    return server, set_up


INFLUX_1_CONFIG = """\
reporting-disabled = true
bind-address = "127.0.0.1:{rpc}"
[meta]
dir = "{folder}/meta"
[data]
dir = "{folder}/data"
wal-dir = "{folder}/wal"
[http]
bind-address = "127.0.0.1:{port}"
auth-enabled = true
log-enabled = false
[monitor]
store-enabled = false
"""


def _influx_1(program: Path, folder: Path) -> tuple[Influx, Callable[[str], InfluxSettings]]:
    port, config = free_port(), folder / "influxdb.conf"
    config.write_text(INFLUX_1_CONFIG.format(rpc=free_port(), port=port, folder=folder.as_posix()))
    server = Influx([str(program), "-config", str(config)], port, folder / "influxd.log", version="1.8")
    user, password = "poise", "for-tests-only"

    def set_up(bucket: str) -> InfluxSettings:
        for q in (
            f"CREATE USER {user} WITH PASSWORD '{password}' WITH ALL PRIVILEGES",
            f'CREATE DATABASE "{bucket}"',
        ):
            query = urllib.parse.urlencode({"u": user, "p": password, "q": q})
            _post(f"{server.url}/query?{query}", b"", "application/x-www-form-urlencoded")
        return InfluxSettings(url=server.url, token=f"{user}:{password}", org="-", bucket=f"{bucket}/autogen")

    return server, set_up
