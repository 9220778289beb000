"""The demonstration: everything in one program, with a simulated wearer and virtual Bluetooth sensors."""

import asyncio
import contextlib
import tempfile
import zoneinfo
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from device.radio.room import RadioRoom
from device.wearer.body import DEFAULT_SEGMENTS
from device.wearer.wearer import Wearer as VirtualWearer
from ingest.database.journal import Journal
from ingest.database.sqlite import Database
from ingest.mqtt.embedded import EmbeddedBroker
from ingest.reader import StoreReader
from ingest.results.store import SqliteResults
from poise.cli import parts
from poise.cli.account import Account
from poise.cli.alone import alone
from poise.cli.history import simulated_history
from poise.cli.running import FAILED, OK, out
from poise.cli.settings import Settings
from poise.errors import ConfigurationError
from poise.results import KIND_TEXT, Episode
from poise.topics import Wearer

PATIENT: Final = "P-0142"
_MARK: Final = "this folder belongs to poise demo and is emptied when it starts"
_SETTLE_S: Final = 10.0


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line asks for."""

    data: Path | None
    port: int
    script: str
    seed: int
    headless: bool
    seconds: float | None


async def demonstrate(options: Options, settings: Settings) -> int:
    """Run the demonstration until it is ended, or headless for a time; return the exit code."""
    with _demo_folder(options, settings) as data:
        mine = settings.model_copy(update={"data": data, "patient": PATIENT, "site": "home"})
        wearer = Wearer(PATIENT)
        _prepare(mine, wearer, options.seed)
        virtual = VirtualWearer(options.script, seed=options.seed)
        async with EmbeddedBroker(0) as broker, parts.ingesting(mine, broker.settings) as (_, reader):
            if options.headless:
                account = await _headless(mine, broker, reader, virtual, options)
                account.show(out)
                return OK if account.sound else FAILED
            async with parts.paging(reader, broker.settings, options.port) as address:
                await _watched(mine, broker, reader, virtual, address)
    return OK


async def _headless(
    settings: Settings, broker: EmbeddedBroker, reader: StoreReader, virtual: VirtualWearer, options: Options
) -> Account:
    seconds = options.seconds or 60.0
    out.print(
        f"Headless for {seconds:g} s: simulated wearer, script {options.script!r}, seed {options.seed}."
    )
    async with _worn(settings, broker, virtual, drain_s=_SETTLE_S) as (room, began_us):
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(seconds)
    wearer = settings.wearer
    episodes = await asyncio.to_thread(reader.episodes, wearer, began_us, parts.now_us())
    rows = await asyncio.to_thread(reader.ledger, wearer)
    truth = virtual.truth(min(seconds, virtual.length_s or seconds)).stretches
    return Account(room.ledgers(), rows, episodes, truth, began_us)


async def _watched(
    settings: Settings, broker: EmbeddedBroker, reader: StoreReader, virtual: VirtualWearer, address: str
) -> None:
    out.print(f"Poise is showing a [b]simulated[/b] wearer at [b]{address}[/b] (Ctrl-C ends it).")
    out.print("Virtual sensors are being found; the first episode comes after about 45 s.")
    async with _worn(settings, broker, virtual) as (_, began_us):
        known: dict[str, Episode] = {}
        while True:
            await asyncio.sleep(1.0)
            await _tell_new_episodes(reader, settings.wearer, began_us, known)


async def _tell_new_episodes(
    reader: StoreReader, wearer: Wearer, began_us: int, known: dict[str, Episode]
) -> None:
    for episode in await asyncio.to_thread(reader.episodes, wearer, began_us, parts.now_us()):
        if episode.id not in known:
            after_s = (episode.detected_us - began_us) / 1e6
            out.print(f"  {after_s:5.0f} s  {KIND_TEXT[episode.kind]}, held for {episode.duration_s:.0f} s")
        known[episode.id] = episode


@asynccontextmanager
async def _worn(
    settings: Settings, broker: EmbeddedBroker, virtual: VirtualWearer, *, drain_s: float = parts.DRAIN_S
) -> AsyncIterator[tuple[RadioRoom, int]]:
    """Let the virtual wearer wear sensors, and a gateway in the same radio room listen to them."""
    async with (
        RadioRoom(virtual, DEFAULT_SEGMENTS, drift_ppm=virtual.drift_ppm, patient=True) as room,
        room.central() as backend,
        parts.wearing(
            settings.wearer,
            room.worn,
            broker.settings,
            settings.data,
            backend=backend,
            origin="simulated",
            told=lambda sentence: out.print(f"  to the wearer: {sentence}"),
            drain_s=drain_s,
            cues=parts.Cues(settings.cues.plan(), zoneinfo.ZoneInfo(settings.zone)),
        ),
    ):
        await room.begun()
        yield room, parts.now_us()


def _prepare(settings: Settings, wearer: Wearer, seed: int) -> None:
    """Enter the simulated patients and their simulated weeks before today."""
    database = Database(parts.database_path(settings))
    try:
        journal, results = Journal(database, settings.zone), SqliteResults(database.path)
        today = datetime.now(UTC).astimezone(zoneinfo.ZoneInfo(settings.zone)).date()
        for offset, patient in enumerate((wearer, replace(wearer, patient="P-0098"))):
            injection, history = simulated_history(today, settings.zone, seed + offset)
            journal.put_person(patient, timezone=settings.zone, origin="simulated", injections=[injection])
            with database.transaction() as connection:
                results.write(connection, patient, "simulated", history)
    finally:
        database.close()


@contextlib.contextmanager
def _demo_folder(options: Options, settings: Settings):  # type: ignore[no-untyped-def]
    """Give an empty folder: a temporary one for a headless run, else the demonstration's own."""
    if options.headless and options.data is None:
        with tempfile.TemporaryDirectory(prefix="poise-demo-") as name:
            yield Path(name)
        return
    data = parts.folder(options.data or settings.data / "demo")
    mark = data / "DEMO"
    strangers = [path for path in data.iterdir() if path != mark]
    if strangers and not mark.exists():
        raise ConfigurationError(f"{data} holds data that is not the demonstration's; choose another folder.")
    with alone(mark, "demonstration"):
        for path in strangers:
            path.unlink()
        mark.write_text(_MARK + "\n")
        yield data
