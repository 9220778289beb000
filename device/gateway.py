"""The gateway: from the worn sensors to the spool, second by second.

Bluetooth → maker's decoder → clock → assembler → spool. What empties the spool is not its business.
"""

import asyncio
import contextlib
import logging
import secrets
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from device.bluetooth.ble import Backend, Bluetooth
from device.bluetooth.link import Link
from device.cueing.commands import Commands
from device.cueing.edge import UTC, Edge
from device.cueing.prompts import Prompts
from device.cueing.signals import Shows, Signals
from device.spooling.spool import DiskSpool
from device.spooling.spooled import SPOOL_FULL
from device.status import sensor_status
from device.stream.assembler import Assembler
from device.stream.clock import HostClock, Moment, SystemClock
from device.stream.skew import SkewWatch
from device.stream.track import Marks
from device.tasks import together
from device.vendors.base import Notification
from poise.errors import PoiseError
from poise.notices import SensorStatus, encode
from poise.planned import Stage
from poise.ports import Announce
from poise.results import GRID_US
from poise.samples import Gap, SampleMessage
from poise.topics import Leaf, Wearer

Observer = Callable[[SampleMessage], None]
"""Gets every message once it is on disk, in the event loop; it must not block."""

_PUMP_S: Final = 0.05
_STATUS_S: Final = 5.0
_RETRY_S: Final = 2.0
_WAITING: Final = 300
"""Messages kept in memory while the disk refuses: five minutes."""
_LONGEST_LOOK_US: Final = 900_000_000
_log: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class GatewayStats:
    """The gateway's work so far, summed over its sensors.

    Attributes:
        session: gateway session.
        messages: spooled.
        samples: spooled.
        missing: samples reported missing, estimates included.
        repeated: samples dropped because they had been received already.
        damaged: notifications that could not be read.
        drops: connections that ended without being asked to.
        waiting: messages the disk has refused so far.
        streaming: sensors that send now.
    """

    session: str
    messages: int
    samples: int
    missing: int
    repeated: int
    damaged: int
    drops: int
    waiting: int
    streaming: int


def new_session() -> str:
    """Return an id for a gateway session that no other will ever have."""
    return f"g{secrets.token_hex(8)}"


class Gateway:
    """One wearer's gateway; `run` until it is cancelled.

    Attributes:
        wearer: whose it is.
        session: its unique id, on every message.
        calibration: id of the calibration to write on the samples from now on, "" for none.
        observers: who gets every message once it is spooled.
        edge: what decides cues here, None where no cue is to be given.
        signals: gives the cues.
        prompts: shows soft notices of the guard, and reminders.
        commands: does what is asked for from elsewhere.
    """

    def __init__(
        self,
        wearer: Wearer,
        sensors: Mapping[str, str] | Sequence[str],
        spool: DiskSpool,
        announce: Announce,
        *,
        backend: Backend | None = None,
        adapter: str = "",
        origin: str = "worn",
        session: str = "",
        observers: Sequence[Observer] = (),
        clock: HostClock | None = None,
        edge: Edge | None = None,
        desktop: Shows | None = None,
        notes: Shows | None = None,
        message_s: float = 1.0,
    ) -> None:
        """Prepare a session.

        Args:
            wearer: whose gateway it is.
            sensors: segment by sensor address, or only segments: then the sensors found are taken to be
                worn in the order of their addresses.
            spool: where the wearer's messages go.
            announce: takes the retained sensor statuses.
            backend: None for the operating system's Bluetooth, else e.g. `device.radio.central.open_central`.
            adapter: name of the operating system's adapter, "" for the first.
            origin: "worn", or "simulated" when the sensors are virtual.
            session: an id of one's own; a new one if empty.
            observers: who gets every message once it is spooled.
            clock: the host's clock.
            edge: judges the freshest samples and decides cues; None for no cues.
            desktop: shows cues that no worn sensor can give.
            notes: shows soft notices and reminders, beside the cues.
            message_s: while nobody looks, s of samples in a message.
        """
        self.wearer = wearer
        self.session = session or new_session()
        self.observers = list(observers)
        self._spool, self._announce, self._origin = spool, announce, origin
        self._clock = clock or SystemClock()
        self._assembler = Assembler(self.session, origin=origin, last=spool.last_samples(self._clock.boot))
        self._bluetooth = Bluetooth(sensors, self, self._clock, backend=backend, adapter=adapter)
        self.edge = edge
        self._assembler.watched = edge is not None
        self.signals = Signals(self._bluetooth.command, desktop, announce, self._now_us, origin=origin)
        zone = edge.zone if edge else UTC
        self.prompts = Prompts(notes, announce, self._now_us, zone, origin=origin)
        if edge is not None:
            edge.cued, edge.ended = self.signals.cue, self.signals.end
            edge.exceeded = self.prompts.exceeded
        self.commands = Commands(self._bluetooth.command, edge, self.signals, self._now_us)
        self.commands.watched, self.commands.paused = self._watch, self._pause
        self._longest_us, self._watched_us = (round(message_s * 1e6) if message_s > 1 else 0), 0
        spool.longest_us = self._longest_us
        self._skew = SkewWatch()
        self._waiting: deque[tuple[SampleMessage, Marks]] = deque()
        self._more = asyncio.Event()
        self._told: dict[str, bytes] = {}
        self._messages = self._samples = 0

    @property
    def calibration(self) -> str:  # noqa: D102 - documented above
        return self._assembler.calibration

    @calibration.setter
    def calibration(self, calibration: str) -> None:
        self._assembler.calibration = calibration

    @property
    def links(self) -> Mapping[str, Link]:
        """The sensors' connections, by address."""
        return self._bluetooth.links

    async def run(self) -> None:
        """Work until cancelled; then stop the sensors and spool what is left, the partial second too.

        Raises:
            ConfigurationError: if there is no Bluetooth to work with.
        """
        writer = asyncio.create_task(self._write(), name="gateway spool")
        try:
            async with together() as tasks:
                tasks.create_task(self._bluetooth.run(), name="gateway bluetooth")
                tasks.create_task(self._pump(), name="gateway assembler")
                tasks.create_task(self._report(), name="gateway status")
                tasks.create_task(self.prompts.run(), name="gateway prompts")
        finally:
            self.signals.stop()
            self._queue(self._assembler.finish(self._clock.now()))
            writer.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await writer
            if not await self._drain():
                _log.error("%d s of samples could not be written and are lost", len(self._waiting))
            self._spool.settle()
            self._tell_all()

    def stats(self) -> GatewayStats:
        """Return the work so far."""
        counts = [track.counts for track in self._assembler.tracks.values()]
        links = self.links.values()
        return GatewayStats(
            session=self.session,
            messages=self._messages,
            samples=self._samples,
            missing=sum(c.missing for c in counts),
            repeated=sum(c.repeated for c in counts),
            damaged=sum(c.damaged for c in counts),
            drops=sum(link.drops for link in links),
            waiting=len(self._waiting),
            streaming=sum(link.state == "streaming" for link in links),
        )

    def statuses(self) -> list[SensorStatus]:
        """Return what is announced of each sensor, as of now."""
        return [self._status(link) for link in self.links.values()]

    def found(self, link: Link) -> None:
        """See `device.bluetooth.link.Receiver`."""
        if link.vendor is not None:
            self._assembler.add(link.sensor, link.segment, link.vendor)

    def linked(self, sensor: str, moment: Moment) -> None:
        """See `device.bluetooth.link.Receiver`."""
        self._assembler.linked(sensor, moment)

    def notified(self, sensor: str, notification: Notification, moment: Moment) -> None:
        """See `device.bluetooth.link.Receiver`."""
        self._assembler.push(sensor, notification, moment)

    def changed(self, link: Link) -> None:
        """See `device.bluetooth.link.Receiver`."""
        self._tell(link)

    def plan(self, stages: Sequence[Stage]) -> None:
        """Go by these stages of a plan, each from its moment on; none for what is set here."""
        if self.edge is not None:
            self.edge.plan(stages)
        self.prompts.plan(stages)

    def _pause(self, until_us: int) -> None:
        self.prompts.paused_us = until_us

    def _now_us(self) -> int:
        return self._clock.now().utc_us

    def _watch(self, until_us: int) -> None:
        """Let each second leave at once while somebody looks, for a quarter of an hour at most."""
        self._watched_us = min(until_us, self._now_us() + _LONGEST_LOOK_US)
        self._spool.longest_us = 0

    def _grow_again(self, now_us: int) -> None:
        if self._watched_us and now_us >= self._watched_us:
            self._watched_us, self._spool.longest_us = 0, self._longest_us

    async def _pump(self) -> None:
        judged = 0
        while True:
            await asyncio.sleep(_PUMP_S)
            now = self._clock.now()
            self._grow_again(now.utc_us)
            self._queue(self._assembler.advance(now))
            # Frames lie a tenth of a second apart: to look more often costs as much again and finds nothing.
            if self.edge is not None and now.host_us - judged >= GRID_US - 1e6 * _PUMP_S / 2:
                judged = now.host_us
                self.edge.feed(self._assembler.fresh(), now.utc_us)

    def _queue(self, messages: Sequence[SampleMessage]) -> None:
        if messages:
            marks = self._assembler.marks(self._clock.boot)
            self._waiting.extend((message, marks) for message in messages)
            self._more.set()
        for message in messages:
            if not message.kept:
                self._skew.feed(message.batches)

    async def _write(self) -> None:
        while True:
            if await self._drain():
                await self._more.wait()
                self._more.clear()
            else:
                await asyncio.sleep(_RETRY_S)

    async def _drain(self) -> bool:
        """Spool what waits; False if the disk refuses, and then nothing but the oldest excess is given up."""
        while self._waiting:
            message, marks = self._waiting[0]
            put = asyncio.ensure_future(asyncio.to_thread(self._spool.put, message, marks))
            try:
                # A cancelled wait must not leave it open whether the message is on disk.
                sequence = await asyncio.shield(put)
            except asyncio.CancelledError:
                await asyncio.wait({put})
                if put.exception() is None:
                    self._spooled(message, put.result())
                raise
            except PoiseError as exc:
                _log.warning("%s", exc)
                self._shorten()
                return False
            self._spooled(message, sequence)
        return True

    def _spooled(self, message: SampleMessage, sequence: int) -> None:
        self._waiting.popleft()
        self._messages += 1
        self._samples += message.samples
        for observer in self.observers:
            observer(replace(message, sequence=sequence))

    def _shorten(self) -> None:
        """Keep memory bounded: what is given up is reported with the next message that can be written."""
        while len(self._waiting) > _WAITING:
            lost, _ = self._waiting.popleft()
            gaps = [
                Gap(b.sensor, b.segment, int(b.t_us[0]), int(b.t_us[-1]), len(b), reason=SPOOL_FULL)
                for b in lost.batches
            ]
            following, marks = self._waiting[0]
            following = replace(following, gaps=(*lost.gaps, *gaps, *following.gaps))
            self._waiting[0] = (following, marks)

    async def _report(self) -> None:
        while True:
            await asyncio.sleep(_STATUS_S)
            self._tell_all()

    def _tell_all(self) -> None:
        for link in self.links.values():
            self._tell(link)

    def _tell(self, link: Link) -> None:
        payload = encode(self._status(link))
        if self._told.get(link.sensor) != payload:
            self._told[link.sensor] = payload
            self._announce(Leaf.SENSOR, payload, detail=link.sensor)

    def _status(self, link: Link) -> SensorStatus:
        track, skew_us = self._assembler.tracks.get(link.sensor), self._skew.skew_us.get(link.sensor)
        return sensor_status(link, track, self._origin, skew_us)
