"""Recordings: simulate one, write one from the broker, play one again."""

import asyncio
import contextlib
from collections.abc import Hashable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Final, Self

from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from device.calibration.calibrating import CalibrationWatch
from device.recordings.recording import Record, RecordingHeader, RecordingReader, RecordingWriter, now_text
from device.recordings.replay import replay
from device.spooling.spool import DiskSpool
from device.wearer.wearer import Wearer as VirtualWearer
from ingest.bridge import Bridge
from ingest.mqtt.link import Link
from ingest.mqtt.mosquitto import accounts
from ingest.mqtt.settings import Received
from poise import __version__, notices
from poise.calibration import Calibration
from poise.cli import parts
from poise.cli.person.ending import refuse_ended
from poise.cli.running import FAILED, OK, during, err, out
from poise.cli.settings import Settings
from poise.errors import WireError
from poise.notices import CalibrationNotice, Presence, SensorStatus
from poise.samples import SampleMessage
from poise.topics import Leaf, Wearer, parse
from poise.wire import decode_samples

_AHEAD: Final = 500
"""Messages that a replay may be ahead of ingest: about eight minutes of samples."""


def simulate(file: Path, script: str, seed: int, seconds: float | None, patient: str) -> int:
    """Write a recording of a simulated wearer, and the truth about it beside it."""
    wearer = VirtualWearer(script, seed=seed)
    length = seconds or wearer.length_s or 600.0
    header = RecordingHeader(
        patient, origin="simulated", made=now_text(), note=f"script {wearer.script.name}, seed {seed}"
    )
    start_us = parts.now_us() - round(length * 1e6)
    messages = wearer.to_messages(start_us, f"sim-{seed}", stop_s=length)
    with RecordingWriter(file, header) as writer, _Bar("simulated", length) as bar:
        for record in _calibrated(messages):
            writer.write(record)
            bar.advance(isinstance(record, SampleMessage))
    truth = file.with_suffix(".truth.json")
    truth.write_bytes(wearer.truth(length, start_us=start_us).to_json())
    out.print(f"{writer.tally.samples} simulated samples in {file}, the truth about them in {truth}")
    return OK


def _calibrated(messages: Iterable[SampleMessage]) -> Iterator[SampleMessage | Calibration]:
    """Yield the messages and the calibration that a gateway would make of them, where it would make it."""
    watch, made = CalibrationWatch(), None
    for message in messages:
        name = "" if made is None else made.id
        yield replace(message, batches=tuple(replace(batch, calibration=name) for batch in message.batches))
        if made is None and (made := watch.feed(message)) is not None:
            yield made


async def record(file: Path, settings: Settings) -> int:
    """Write what a wearer's gateway publishes into a recording, until ended."""
    wearer = settings.wearer
    topics = [wearer.topic(Leaf.SAMPLES), wearer.topic(Leaf.CALIBRATION), wearer.topic(Leaf.SENSOR) + "/+"]
    header = RecordingHeader(wearer.patient, wearer.site, "worn", settings.zone, made=now_text())
    broker = settings.broker.settings(accounts.RECORD)
    link = Link(broker, f"poise-record-{parts.now_us()}", subscriptions=dict.fromkeys(topics, 1))
    seen: set[Hashable] = set()
    with RecordingWriter(file, header) as writer:
        out.print(f"Recording {wearer.patient} into {file} (Ctrl-C ends it).")
        async with link:
            with contextlib.suppress(asyncio.CancelledError):
                while True:
                    for message in await link.receive(100):
                        _write(writer, message, seen)
                        link.acknowledge(message)
    out.print(f"{writer.tally.samples} samples in {file}")
    return OK


def _write(writer: RecordingWriter, message: Received, seen: set[Hashable]) -> None:
    """Write what is not in the recording yet: gateways send again what nobody has confirmed."""
    try:
        what = _read(message)
    except WireError as exc:
        err.print(f"left out: {exc}", markup=False)
        return
    said = (what.session, what.sequence) if isinstance(what, SampleMessage) else hash(message.payload)
    if said in seen:
        return
    seen.add(said)
    if isinstance(what, SampleMessage):
        writer.write_payload(message.payload, what.samples)
    else:
        writer.write(what)


def _read(message: Received) -> Record:
    match parse(message.topic).leaf:
        case Leaf.SAMPLES:
            return decode_samples(message.payload)
        case Leaf.CALIBRATION:
            return notices.decode(message.payload, CalibrationNotice)
        case _:
            return notices.decode(message.payload, SensorStatus)


async def play(file: Path, speed: float, settings: Settings, *, as_if_now: bool, patient: str) -> int:
    """Publish a recording along the same path as worn sensors: spool, MQTT, ingest."""
    recording = RecordingReader(file)
    wearer = Wearer(patient or recording.header.patient, recording.header.site)
    refuse_ended(settings.data, wearer)
    session = f"replay-{parts.now_us()}"
    presence = Presence(
        state="online",
        gateway="replay",
        session=session,
        since_us=parts.now_us(),
        origin="replayed",
        program=f"poise {__version__}",
    )
    with parts.spooling(settings.data, "replay", wearer) as spool:
        broker = settings.broker.settings(accounts.gateway_name(wearer))
        bridge = Bridge(broker, wearer, spool, presence)
        async with during(bridge.run()):
            with _Bar("replayed", None) as bar:
                said = replay(
                    recording,
                    speed=speed,
                    as_if_now=as_if_now,
                    session=session,
                    progress=lambda p: bar.to(p.recorded_s),
                )
                samples = sum([await _hand_over(record, spool, bridge) async for record in said])
            depth = await _drained(spool)
    if depth:
        err.print(f"{depth} messages are not confirmed yet; they stay in the spool for the next replay.")
        return FAILED
    out.print(f"{samples} samples of {wearer.patient} are stored.")
    return OK


async def _hand_over(record: Record, spool: DiskSpool, bridge: Bridge) -> int:
    if isinstance(record, CalibrationNotice):
        bridge.announce(Leaf.CALIBRATION, notices.encode(record))
    elif isinstance(record, SensorStatus):
        bridge.announce(Leaf.SENSOR, notices.encode(record), detail=record.sensor)
    else:
        await asyncio.to_thread(spool.put, record)
        bridge.wake()
        while await asyncio.to_thread(spool.depth) > _AHEAD:  # noqa: ASYNC110 - the depth is on disk
            await asyncio.sleep(0.05)
    return record.samples if isinstance(record, SampleMessage) else 0


async def _drained(spool: DiskSpool, patience_s: float = 60.0) -> int:
    """Wait while confirmations keep coming; return what is left."""
    depth, since = await asyncio.to_thread(spool.depth), asyncio.get_running_loop().time()
    while depth and asyncio.get_running_loop().time() - since < patience_s:
        await asyncio.sleep(0.1)
        now = await asyncio.to_thread(spool.depth)
        if now != depth:
            depth, since = now, asyncio.get_running_loop().time()
    return depth


class _Bar(AbstractContextManager["_Bar"]):
    """A progress bar in seconds of recorded time."""

    def __init__(self, what: str, total: float | None) -> None:
        columns = (TextColumn(f"{{task.completed:.0f}} s {what}"), BarColumn(), TimeElapsedColumn())
        self._progress = Progress(*columns, console=err, transient=True)
        self._task = self._progress.add_task(what, total=total)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_exc: object) -> None:
        self._progress.stop()

    def advance(self, seconds: float) -> None:
        self._progress.advance(self._task, seconds)

    def to(self, seconds: float) -> None:
        self._progress.update(self._task, completed=seconds)
