"""`poise doctor`: what is there, what is missing, and the sentence that mends it."""

import asyncio
import contextlib
import difflib
import logging
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from rich.markup import escape

from device.bluetooth.finding import adapter_trouble
from ingest.database.shards import count_in, shards
from ingest.database.sqlite import reading
from ingest.mqtt.link import Link
from ingest.mqtt.mosquitto import accounts
from ingest.results.influxdb import outbox
from ingest.results.influxdb.server import InfluxServer
from poise import __version__
from poise.cli import parts
from poise.cli.alone import alone
from poise.cli.configuration import file_in_force
from poise.cli.running import FAILED, OK, out
from poise.cli.settings import Settings
from poise.errors import ConfigurationError, PoiseError
from poise.skeleton import Segment


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing looked at; `mend` is empty where all is well."""

    what: str
    state: str
    mend: str = ""


async def examine(settings: Settings, port: int) -> int:
    """Print what is there; exit code 1 if anything is missing."""
    findings = [
        _python(),
        _settings(settings),
        await _adapter(),
        await _broker(settings),
        _folder(settings.data),
        *_store(settings),
        _port("pages", port, "free the port, or choose another one with --port"),
    ]
    for finding in findings:
        sign = "[red]missing[/red]" if finding.mend else "[green]ok[/green]     "
        out.print(f"{sign}  {finding.what:<18}  {escape(finding.state)}", soft_wrap=True)
        if finding.mend:
            out.print(f"         {'':<18}  mend: {escape(finding.mend)}", soft_wrap=True)
    return FAILED if any(finding.mend for finding in findings) else OK


def _python() -> Finding:
    return Finding("program", f"Poise {__version__}, Python {sys.version.split()[0]}")


def _settings(settings: Settings) -> Finding:
    file = file_in_force()
    where = f"{file}" if file.is_file() else f"none; `poise init` writes {file}"
    known = [str(segment) for segment in Segment]
    for address, segment in settings.sensors.items():
        if near := [] if segment in known else difflib.get_close_matches(segment, known, 1, 0.7):
            mend = f"{address} is at {segment!r}, which is not judged; write {near[0]!r} if that is meant"
            return Finding("settings file", where, mend)
    sensors = f"{len(settings.sensors)} sensors" if settings.sensors else "no sensor has a place yet"
    return Finding("settings file", f"{where}; {sensors}")


async def _adapter() -> Finding:
    trouble = await adapter_trouble()
    return Finding("Bluetooth adapter", "not there" if trouble else "there", trouble)


@contextlib.contextmanager
def _said_by_the_finding(logger: str) -> Iterator[None]:
    """Keep a logger's warnings from saying the same beside the finding."""
    log = logging.getLogger(logger)
    before = log.level
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.setLevel(before)


async def _broker(settings: Settings) -> Finding:
    try:
        broker = settings.broker.settings(_name(settings))
    except PoiseError as exc:
        return Finding("MQTT broker", "not asked", str(exc))
    # A clinic's broker takes a name for one client: to try it now would throw out whoever has it.
    if _at_work(settings, broker.username):
        return Finding("MQTT broker", f"{broker.place}: not asked, a program that runs here uses its name")
    try:
        with _said_by_the_finding("poise.mqtt"):
            async with asyncio.timeout(3), Link(broker, "poise-doctor") as link:
                await link.until_connected()
    except ConfigurationError as exc:
        return Finding("MQTT broker", "refuses this program", str(exc))
    except (TimeoutError, PoiseError) as exc:
        there = shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin:/usr/bin")
        install = "apt install mosquitto" if sys.platform == "linux" else "install Mosquitto"
        known = "start Mosquitto" if there else install
        why = str(exc) or "no answer within 3 s"
        mend = f"{known}, or `poise broker` for trying out, or set the address: POISE_BROKER__HOST, …__PORT"
        return Finding("MQTT broker", f"{broker.place}: {why}", mend)
    return Finding("MQTT broker", f"answers at {broker.place}")


def _name(settings: Settings) -> str:
    """Return the name to try; the pages' connection may be interrupted, ingest's would lose what waits."""
    return accounts.PAGES if not settings.sensors else accounts.gateway_name(settings.wearer)


def _at_work(settings: Settings, name: str) -> bool:
    """Return whether the gateway or the ingest of this name holds its lock here."""
    if name in ("", accounts.PAGES):
        return False
    held = "poise.lock" if name == accounts.INGEST else f"spool-{settings.site}-{settings.patient}.lock"
    lock = settings.data / held
    try:
        with alone(lock, "program") if lock.exists() else contextlib.nullcontext():
            return False
    except ConfigurationError:
        return True


def _folder(data: Path) -> Finding:
    try:
        parts.folder(data)
    except PoiseError as exc:
        return Finding("data folder", str(data), str(exc))
    free = shutil.disk_usage(data).free / 2**30
    mend = "make room: raw samples of one wearer take about 0.6 GB in eight hours" if free < 1 else ""
    return Finding("data folder", f"{data}, {free:.0f} GB free", mend)


def _store(settings: Settings) -> Iterator[Finding]:
    yield _database(settings.data)
    if settings.store.kind != "influxdb":
        return
    trouble = _trouble(lambda: list(InfluxServer(settings.store.influx()).query("SHOW MEASUREMENTS")))
    mend = (
        f"{trouble}; start InfluxDB, or set POISE_STORE__URL, …__TOKEN, …__ORG, …__BUCKET" if trouble else ""
    )
    yield Finding("InfluxDB", settings.store.url, mend)
    files = [shard.file(settings.data) for shard in shards(_count(settings.data))]
    for path in filter(Path.exists, files):
        yield _outbox(path, settings.store.outbox_mb * 1_000_000)


def _outbox(path: Path, most_bytes: int) -> Finding:
    try:
        with reading(path) as connection:
            waiting = outbox.waiting(connection)
    except PoiseError as exc:
        return Finding("outbox", str(path), str(exc))
    state = f"{waiting.lines} lines wait for InfluxDB, {waiting.stored_bytes / 1e6:.1f} MB"
    full = waiting.stored_bytes > outbox.ALARM_SHARE * most_bytes
    mend = "let `poise ingest` run and InfluxDB take results: when it is full nothing is confirmed"
    return Finding("outbox", f"{state} of {most_bytes / 1e6:.0f}", mend if full else "")


def _count(folder: Path) -> int:
    try:
        return count_in(folder)
    except PoiseError:
        return 0  # said already, of the databases


def _database(folder: Path) -> Finding:
    try:
        count = count_in(folder)
    except PoiseError as exc:
        return Finding("database", str(folder), str(exc))
    files = ", ".join(str(shard.file(folder)) for shard in shards(count or 1))
    return Finding("database", files if count else f"{files} (made at the first start of ingest)")


def _trouble(work: Callable[[], object]) -> str:
    try:
        work()
    except PoiseError as exc:
        return str(exc)
    return ""


def _port(what: str, port: int, mend: str) -> Finding:
    with socket.socket() as probe:
        if sys.platform != "win32":  # there it would let a taken port be taken again
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return Finding(f"port for the {what}", f"{port} is taken", mend)
    return Finding(f"port for the {what}", f"{port} is free")
