"""Recordings in a DOT's own memory, over real Bluetooth bytes: begun, out of range, fetched, each once."""

import asyncio
from pathlib import Path

import pytest
from device_helpers import Account, Announced, account, running, spooled, until
from device_source import CountingSource, index_of

from device.bluetooth.ble import Backend
from device.bluetooth.link import Trouble
from device.gateway import Gateway, new_session
from device.radio.room import RadioRoom
from device.recall import errand as errands
from device.recall import memory as memories
from device.recall.book import BEGUN, FETCHED, LOST, STORED, Book, Recording
from device.recall.errand import Errand
from device.recall.staged import Staged
from device.spooling.spool import DiskSpool
from device.vendors.movella_dot_memory import Result
from device.vendors.movella_dot_virtual import VirtualDot
from poise.samples import SampleMessage
from poise.topics import Wearer

SEGMENTS = ["head", "c7"]


@pytest.fixture(autouse=True)
def short_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memories, "LISTEN_S", 0.6)
    monkeypatch.setattr(errands, "_PAUSE_S", 0.1)
    monkeypatch.setattr(errands, "_AT_ONCE", 60)


class Gatewayed:
    """One wearer's spool, on disk, and what uses it."""

    def __init__(self, path: Path, room: RadioRoom, backend: Backend) -> None:
        self.path, self.room, self.backend = path, room, backend
        self.said: list[str] = []
        self.spool = DiskSpool(path)

    def reopened(self) -> DiskSpool:
        """The spool as a program finds it that starts after the last one died."""
        self.spool.close()
        self.spool = DiskSpool(self.path)
        return self.spool

    @property
    def book(self) -> Book:
        return Book(self.spool)

    def errand(self) -> Errand:
        return Errand(self.book, new_session(), "simulated", self.said.append, self.backend)

    def staged(self, recording: Recording) -> Staged:
        return Staged(self.path, recording.sensor, recording.start_s)

    async def live(self, seconds: float) -> None:
        gateway = Gateway(Wearer("p1"), self.room.worn, self.spool, Announced(), backend=self.backend)
        async with running(gateway):
            await until(lambda: all(link.state == "streaming" for link in gateway.links.values()), 20)
            await asyncio.sleep(seconds)

    async def walk(self, seconds: float) -> None:
        """Record, out of range of everything."""
        await self.errand().record(self.room.worn, "c-1")
        for i in range(len(self.room.sensors)):
            await self.room.vanish(i)
        await asyncio.sleep(seconds)
        for i in range(len(self.room.sensors)):
            await self.room.reappear(i)

    def recorded(self, i: int) -> list[int]:
        """The index of every sample that a sensor recorded."""
        dot = self.room.sensors[i].peripheral
        assert isinstance(dot, VirtualDot)
        ticks = [int.from_bytes(row[:4], "little") for file in dot.files for row in file.rows]
        return [index_of(self.room.sensors[i].segment, tick) for tick in ticks]

    def closes(self) -> None:
        """All that was recorded is stored once, and all else is stored or reported missing, once."""
        messages = spooled(self.spool)
        for i, sensor in enumerate(self.room.sensors):
            mine, kept = account(messages, sensor.address), account(of_kept(messages), sensor.address)
            assert sorted(kept.indexes) == self.recorded(i), sensor.segment
            assert len(kept.indexes) == sensor.ledger.recorded
            in_order(mine).closes()


def of_kept(messages: list[SampleMessage]) -> list[SampleMessage]:
    return [message for message in messages if message.kept]


def in_order(mine: Account) -> Account:
    return Account(sorted(mine.batches, key=lambda b: int(b.t_us[0])), mine.gaps)


@pytest.mark.parametrize("live_first", [False, True])
async def test_a_walk_out_of_range_comes_home_once(tmp_path: Path, *, live_first: bool) -> None:
    async with RadioRoom(CountingSource(), SEGMENTS) as room, room.central() as backend:
        mine = Gatewayed(tmp_path / "spool.db", room, backend)
        await mine.live(2)
        await mine.walk(3)
        if live_first:  # somebody ends the recordings by the sensors' buttons, and wears them first
            for sensor in room.sensors:
                assert isinstance(sensor.peripheral, VirtualDot)
                sensor.peripheral.room = 0
            await mine.live(1)
        homes = await mine.errand().fetch()
        assert {home.recording.segment for home in homes} == set(SEGMENTS)
        assert await mine.errand().fetch() == []
        await mine.live(2)
        mine.closes()
        messages = spooled(mine.spool)
        for message in of_kept(messages):
            assert message.origin == "simulated"
        whole = [m for m in of_kept(messages) if m.batches]
        assert max(len(m.batches) for m in whole) == 2, "sensors that recorded together are stored together"
        assert {b.calibration for m in whole for b in m.batches} == {"c-1"}
        assert all(home.timed is not None and not home.timed.estimated for home in homes)
        assert [r.state for r in mine.book.recordings()] == [STORED] * 2
        assert mine.book.stretches() == []
        assert not any(mine.staged(recording).path.exists() for recording in mine.book.recordings())


async def test_a_link_that_is_lost_in_mid_export_costs_nothing(tmp_path: Path) -> None:
    async with RadioRoom(CountingSource(), SEGMENTS) as room, room.central() as backend:
        mine = Gatewayed(tmp_path / "spool.db", room, backend)
        await mine.live(2)
        await mine.walk(8)
        slowly(room, 10)
        fetching = asyncio.create_task(mine.errand().fetch())
        for _ in range(3):
            before = came(mine)
            await until(lambda before=before: came(mine) > before, 20)  # type: ignore[misc]
            await (room.drop(0) if before else room.vanish(0))
            await room.reappear(0)
        await fetching
        assert sum("Trying again" in said for said in mine.said) >= 3
        await mine.live(1)
        mine.closes()


async def test_a_fetch_that_dies_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The power fails at every kind of step: while packets come, and while they are put into the spool."""
    async with RadioRoom(CountingSource(), SEGMENTS) as room, room.central() as backend:
        mine = Gatewayed(tmp_path / "spool.db", room, backend)
        await mine.live(2)
        await mine.walk(6)
        slowly(room, 10)
        progress = []
        for step, after in (("note", 4), ("append", 2), ("put_kept", 2), ("put_kept", 1), ("note", 1)):
            with monkeypatch.context() as patched:
                dies_at(patched, step, after)
                with pytest.raises(PowerLossError):
                    await mine.errand().fetch()
            mine.reopened()
            progress.append(len(of_kept(spooled(mine.spool))))
        assert progress[:4] == [0, 0, 2, 3]
        await mine.errand().fetch()
        await mine.live(1)
        mine.closes()
        assert [r.state for r in mine.book.recordings()] == [STORED] * 2


async def test_what_the_memory_cannot_give_is_reported_missing(tmp_path: Path) -> None:
    async with RadioRoom(CountingSource(), SEGMENTS) as room, room.central() as backend:
        mine = Gatewayed(tmp_path / "spool.db", room, backend)
        await mine.live(2)
        for sensor in room.sensors:
            assert isinstance(sensor.peripheral, VirtualDot)
            sensor.peripheral.spoiled = frozenset([0, 1, 30, 31, 32, 99])
            sensor.peripheral.room = 100
        await mine.walk(3)
        await mine.errand().fetch()
        await mine.live(1)
        messages = spooled(mine.spool)
        for sensor in room.sensors:
            gaps = [g for g in account(messages, sensor.address).gaps if g.reason == "sensor memory"]
            assert [(g.count, g.estimated) for g in gaps] == [(3, False)]
            assert sum(b.samples for b in of_kept(messages)) == 2 * 94
            in_order(account(messages, sensor.address)).closes()


async def test_only_what_was_begun_here_is_touched(tmp_path: Path) -> None:
    """A clinic's sensors hold other people's recordings: they are neither fetched, ended nor erased."""
    async with RadioRoom(CountingSource(), SEGMENTS) as room, room.central() as backend:
        ours, theirs = (
            Gatewayed(tmp_path / "ours.db", room, backend),
            Gatewayed(tmp_path / "theirs.db", room, backend),
        )
        await theirs.walk(1)
        assert await ours.errand().fetch() == []
        assert all(dot.recording for dot in dots(room))
        errand = ours.errand()
        await errand.record(room.worn, "")
        assert len(errand.refused) == 2
        assert "records already" in ours.said[-1]
        assert ours.book.recordings() == []
        await theirs.errand().fetch()
        strange: list[int] = []

        async def no(_: str, n: int) -> bool:
            strange.append(n)
            return False

        await ours.errand().record(room.worn, "", no)
        assert strange == [1, 1]
        assert [len(dot.files) for dot in dots(room)] == [2, 2], "what they did not want erased is there"
        await asyncio.sleep(1)
        await ours.errand().fetch()
        stored = [b for m in of_kept(spooled(ours.spool)) for b in m.batches]
        assert sum(map(len, stored)) == sum(len(dot.files[1].rows) for dot in dots(room))
        await theirs.errand().record({room.sensors[0].address: "head"}, "", yes)
        assert len(dots(room)[0].files) == 1


async def test_nothing_is_erased_before_it_is_home_and_a_full_memory_says_so(tmp_path: Path) -> None:
    async with RadioRoom(CountingSource(), ["c7"]) as room, room.central() as backend:
        mine = Gatewayed(tmp_path / "spool.db", room, backend)
        await mine.live(2)
        await mine.walk(2)
        (dot,) = dots(room)
        dot.room = 0
        await until(lambda: not dot.recording)
        await mine.errand().record(room.worn, "", yes)
        assert "have not come home" in mine.said[-1]
        errand = mine.errand()
        await errand.record(room.worn, "")
        assert "does not begin to record" in mine.said[-1]
        assert errand.refused == set(room.worn)
        assert [r.state for r in mine.book.recordings()] == [BEGUN, LOST]
        await mine.errand().fetch()
        await mine.live(1)
        mine.closes()
        dot.room = 1_000_000
        await mine.errand().record(room.worn, "", yes)
        assert len(dot.files) == 1
        await asyncio.sleep(0.5)
        dot.files = []  # somebody else erases it, so what it held is missing for good
        dot._state = Result.IDLE
        await mine.errand().fetch()
        assert "not on it any more" in mine.said[-1]
        await mine.live(1)
        in_order(account(spooled(mine.spool), room.sensors[0].address)).closes()
        assert mine.book.stretches() == []


async def test_a_refused_order_changes_no_account(tmp_path: Path) -> None:
    async with RadioRoom(CountingSource(), ["c7"]) as room, room.central() as backend:
        mine = Gatewayed(tmp_path / "spool.db", room, backend)
        await mine.live(2)
        before = mine.spool.last_samples()
        dots(room)[0].room = 0
        await mine.errand().record(room.worn, "")
        assert mine.spool.last_samples() == before
        await mine.live(1)
        mine.closes()


async def test_a_sensor_that_records_is_left_alone_by_a_gateway_which_says_so(tmp_path: Path) -> None:
    async with RadioRoom(CountingSource(), SEGMENTS) as room, room.central() as backend:
        mine = Gatewayed(tmp_path / "spool.db", room, backend)
        await mine.errand().record({room.sensors[0].address: "head"}, "")
        gateway = Gateway(Wearer("p1"), room.worn, mine.spool, Announced(), backend=backend)
        head, c7 = gateway.links.values()
        async with running(gateway):
            await until(lambda: c7.state == "streaming" and head.trouble == Trouble.RECORDING, 20)
            await asyncio.sleep(1)
        assert head.state == "lost"
        assert dots(room)[0].recording


async def test_sensors_that_recorded_together_are_waited_for(tmp_path: Path) -> None:
    async with RadioRoom(CountingSource(), SEGMENTS) as room, room.central() as backend:
        mine = Gatewayed(tmp_path / "spool.db", room, backend)
        await mine.walk(2)
        await room.vanish(1)
        errand = mine.errand()
        errand.within_s = 0.3
        assert await errand.fetch() == []
        assert errand.refused == {room.sensors[1].address}
        assert sorted(r.state for r in mine.book.recordings()) == [BEGUN, FETCHED]
        assert "waits for C7" in mine.said[-1]
        await room.reappear(1)
        assert len(await mine.errand().fetch()) == 2
        mine.closes()


def dots(room: RadioRoom) -> list[VirtualDot]:
    found = [sensor.peripheral for sensor in room.sensors]
    return [dot for dot in found if isinstance(dot, VirtualDot)]


async def yes(_at: str, _strange: int) -> bool:
    return True


def slowly(room: RadioRoom, at_once: int) -> None:
    """Let exports take as long as over a real link."""
    for sensor in room.sensors:
        assert isinstance(sensor.peripheral, VirtualDot)
        sensor.peripheral.at_once = at_once


def came(mine: Gatewayed) -> int:
    return sum(recording.packets for recording in mine.book.recordings())


class PowerLossError(Exception):
    """Nothing that a program could catch."""


def dies_at(patched: pytest.MonkeyPatch, step: str, after: int) -> None:
    owner = {"note": Book, "append": Staged, "put_kept": DiskSpool}[step]
    real, left = getattr(owner, step), [after]

    def dying(*arguments: object, **named: object) -> object:
        left[0] -= 1
        if left[0] < 0:
            raise PowerLossError
        return real(*arguments, **named)

    patched.setattr(owner, step, dying)
