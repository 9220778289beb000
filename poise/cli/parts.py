"""The parts that every command puts together: store, ingest, gateway, pages."""

import asyncio
import contextlib
import platform
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

import msgspec

from analytics.cues.plan import CuePlan
from analytics.wearing.trust import UNDOUBTED
from device.bluetooth.ble import Backend
from device.calibration.calibrating import Step
from device.calibration.keeping import CalibrationKeeper
from device.cueing.desktop import Desktop
from device.cueing.edge import UTC, Edge
from device.gateway import Gateway, new_session
from device.spooling.spool import DiskSpool
from device.stream.clock import HostClock
from ingest.bridge import Bridge
from ingest.database.shards import WHOLE, Shard, shards_for
from ingest.database.sqlite import Database
from ingest.erasing.register import Register
from ingest.live import MqttLiveFeed
from ingest.mqtt.settings import BrokerSettings
from ingest.reader import StoreReader
from ingest.reading import Reader
from ingest.results.store import ResultStore, SqliteResults
from ingest.worker import Ingest
from poise import __version__
from poise.calibration import Calibration
from poise.cli.alone import alone
from poise.cli.person.ending import Ending, spool_file
from poise.cli.planned import Planned
from poise.cli.running import during
from poise.cli.settings import Settings
from poise.errors import ConfigurationError
from poise.notices import CalibrationNotice, Command, Presence, Verb, encode
from poise.topics import Leaf, Wearer

DRAIN_S: Final = 0.7
_LOOK_S: Final = 0.05


def now_us() -> int:
    """Return UTC µs."""
    return time.time_ns() // 1000


def database_path(settings: Settings) -> Path:
    """Return where the database is."""
    return settings.data / "poise.db"


def folder(path: Path) -> Path:
    """Return `path` as a folder that can be written to.

    Raises:
        ConfigurationError: if it cannot.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / ".writable"
        probe.touch()
        probe.unlink()
    except OSError as exc:
        raise ConfigurationError(
            f"The data folder {path} cannot be written to ({exc.strerror}). Choose another one, for example "
            "with --data, or mend its permissions."
        ) from exc
    return path


@asynccontextmanager
async def results_store(
    settings: Settings, database: Database, shard: Shard = WHOLE
) -> AsyncIterator[ResultStore]:
    """Give the result store that is configured; InfluxDB's forwarder runs beside the block."""
    if settings.store.kind == "sqlite":
        yield SqliteResults(database.path)
        return
    from ingest.erasing.influx import InfluxErasure
    from ingest.results.influxdb.forwarder import Forwarder  # a quarter of a second to read
    from ingest.results.influxdb.results import InfluxResults
    from ingest.results.influxdb.server import InfluxServer

    server, most_bytes = InfluxServer(settings.store.influx()), settings.store.outbox_mb * 1_000_000
    try:
        register, buckets = Register(settings.data), frozenset(shard.buckets)
        erasure = InfluxErasure(server, register, database.path.stem, now_us, buckets)
        forwarder = Forwarder(database, server, most_bytes=most_bytes, clock=now_us, erasure=erasure)
        async with during(forwarder.run()):
            yield InfluxResults(server, database.path, most_bytes)
    finally:
        server.close()


@asynccontextmanager
async def ingesting(
    settings: Settings, broker: BrokerSettings, shard: Shard = WHOLE
) -> AsyncIterator[tuple[Ingest, StoreReader]]:
    """Run ingest beside the block, for all wearers or for those of one database."""
    path = shard.file(folder(settings.data))
    with alone(path.with_suffix(".lock"), "ingest"), _database(path, shard) as database:
        async with results_store(settings, database, shard) as results:
            ingest = Ingest(
                broker, database, results, clock=now_us, timezone=settings.zone, buckets=shard.buckets
            )
            async with during(ingest.run()):
                yield ingest, StoreReader(path, results)


@contextmanager
def _database(path: Path, shard: Shard) -> Iterator[Database]:
    """Open a worker's database, unless its folder was given another number of them meanwhile."""
    shards_for(path.parent, shard.of)
    with closing(Database(path)) as database:
        yield database


@asynccontextmanager
async def paging(
    reader: Reader, broker: BrokerSettings, port: int, api: Callable[..., Any] | None = None
) -> AsyncIterator[str]:
    """Serve the pages, and the API of the clinical record, beside the block and give their address."""
    from dashboards.app import create_app  # a second and a half to read from disk
    from dashboards.serve import serve

    feed, ready = MqttLiveFeed(broker), asyncio.Event()
    app = create_app(reader, feed, port=port, api=api)
    async with during(feed.run()), during(serve(app, "127.0.0.1", port, ready)):
        await ready.wait()
        yield f"http://127.0.0.1:{port}"


@dataclass(frozen=True, slots=True)
class Cues:
    """How the wearer is reminded.

    Attributes:
        plan: when; None for never.
        zone: the wearer's time zone.
        desktop: on the desktop too, where no worn sensor can vibrate.
    """

    plan: CuePlan | None = None
    zone: ZoneInfo = UTC
    desktop: bool = False


def calibration_file(data: Path, wearer: Wearer) -> Path:
    """Return where a wearer's calibration is kept."""
    return data / f"calibration-{wearer.site}-{wearer.patient}.json"


def calibration_on(file: Path) -> Calibration | None:
    """Return the calibration on file, None without a readable one."""
    with contextlib.suppress(OSError, msgspec.MsgspecError):
        return msgspec.json.decode(file.read_bytes(), type=Calibration)
    return None


@dataclass(slots=True)
class Wearing:
    """A gateway at work, with its spool, bridge and calibration.

    Attributes:
        keeper: looks after the calibration, None before `begin`.
        told: called with a sentence whenever the wearer should do or know something.
        planned: keeps the clinic's plan.
    """

    gateway: Gateway
    bridge: Bridge
    spool: DiskSpool
    file: Path
    told: Callable[[str], None]
    planned: Planned
    keeper: CalibrationKeeper | None = None
    _obeying: set[asyncio.Task[bool]] = field(default_factory=set)

    @property
    def calibration(self) -> Calibration | None:
        """The calibration in force, None before the first."""
        return self.keeper.calibration if self.keeper else None

    def begin(self) -> None:
        """Use the calibration on file, or watch for one; take commands from now on."""
        known = calibration_on(self.file)
        if known is not None:
            self._use(known)
        edge = self.gateway.edge
        trust = (lambda: edge.trust) if edge else (lambda: UNDOUBTED)
        self.keeper = CalibrationKeeper(known, self._keep, self.told, trust)
        self.gateway.observers.append(self.keeper.feed)
        self.gateway.commands.asked = self.keeper.asked
        self.bridge.commanded = self._obey
        self.planned.begin()
        self.bridge.planned = self.planned.take

    def _keep(self, made: Calibration) -> None:
        self.file.write_bytes(msgspec.json.encode(made))
        self._use(made)

    def _obey(self, command: Command) -> None:
        task = asyncio.ensure_future(self.gateway.commands.obey(command))
        self._obeying.add(task)
        task.add_done_callback(self._obeying.discard)

    def recalibrate(self) -> None:
        """Watch for a new calibration; the one in force holds until it is made."""
        if self.keeper is not None:
            self.keeper.asked(Verb.CALIBRATE)

    @property
    def step(self) -> Step:
        """What the wearer should do for the calibration, `DONE` if nothing."""
        return self.keeper.step if self.keeper else Step.DONE

    @property
    def remark(self) -> str:
        """Why the last try was not good enough, "" without one."""
        return self.keeper.remark if self.keeper else ""

    def _use(self, calibration: Calibration) -> None:
        if self.gateway.edge is not None:
            self.gateway.edge.calibrate(calibration)
        self.gateway.calibration = calibration.id
        self.bridge.announce(Leaf.CALIBRATION, encode(CalibrationNotice(calibration=calibration)))

    async def drained(self, within_s: float) -> bool:
        """Wait until everything spooled is confirmed as stored; False if the time is over first."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(within_s):
                while await asyncio.to_thread(self.spool.depth):  # noqa: ASYNC110 - the depth is on disk
                    await asyncio.sleep(_LOOK_S)
                return True
        return False


@asynccontextmanager
async def wearing(
    wearer: Wearer,
    sensors: Mapping[str, str] | Sequence[str],
    broker: BrokerSettings,
    data: Path,
    *,
    backend: Backend | None = None,
    origin: str = "worn",
    told: Callable[[str], None] = lambda _sentence: None,
    drain_s: float = DRAIN_S,
    cues: Cues | None = None,
    clock: HostClock | None = None,
    message_s: float = 1.0,
) -> AsyncIterator[Wearing]:
    """Run a gateway beside the block; at its end spool what is left and send it while time allows.

    Raises:
        ConfigurationError: if the wearer was erased or withdraws consent, before or meanwhile.
    """
    ending = Ending(folder(data), wearer, broker, sensors, now_us, told)
    await ending.permitted()
    async with ending.carried_out():
        with spooling(data, "spool", wearer) as spool:
            worn = _prepared(
                wearer, sensors, broker, data, spool, backend, origin, told, cues or Cues(), clock, message_s
            )
            worn.gateway.commands.ended = ending.obey
            async with during(worn.bridge.run()):
                async with during(worn.gateway.run()), during(ending.ordered(worn.gateway.links)):
                    yield worn
                await worn.drained(drain_s)


@contextmanager
def spooling(data: Path, name: str, wearer: Wearer) -> Iterator[DiskSpool]:
    """Open a wearer's spool, which no other program may use meanwhile.

    Raises:
        ConfigurationError: if it cannot be opened, or another program has it open.
    """
    path = spool_file(folder(data), name, wearer)
    with alone(path.with_suffix(".lock"), f"gateway of {wearer.patient}"), closing(DiskSpool(path)) as spool:
        yield spool


def bridge_of(wearer: Wearer, broker: BrokerSettings, spool: DiskSpool, session: str, origin: str) -> Bridge:
    """Return what sends a wearer's spool."""
    presence = Presence(
        state="online",
        gateway=platform.node() or "gateway",
        session=session,
        since_us=now_us(),
        origin=origin,
        program=f"poise {__version__}",
    )
    return Bridge(broker, wearer, spool, presence)


def _prepared(
    wearer: Wearer,
    sensors: Mapping[str, str] | Sequence[str],
    broker: BrokerSettings,
    data: Path,
    spool: DiskSpool,
    backend: Backend | None,
    origin: str,
    told: Callable[[str], None],
    cues: Cues,
    clock: HostClock | None,
    message_s: float,
) -> Wearing:
    session = new_session()
    bridge = bridge_of(wearer, broker, spool, session, origin)
    gateway = Gateway(
        wearer,
        sensors,
        spool,
        bridge.announce,
        backend=backend,
        origin=origin,
        session=session,
        clock=clock,
        edge=Edge(cues.plan, cues.zone) if cues.plan else None,
        desktop=Desktop() if cues.desktop else None,
        notes=Desktop() if cues.desktop else None,
        message_s=message_s,
    )
    gateway.signals.given = lambda notice: told(notice.sentence)
    gateway.prompts.given = told
    planned = Planned(data, wearer, gateway.plan)
    worn = Wearing(gateway, bridge, spool, calibration_file(data, wearer), told, planned)
    worn.begin()
    return worn
