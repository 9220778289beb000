"""Cues at the wearer: from samples over Bluetooth to something felt, without any network."""

import asyncio
from pathlib import Path

import numpy as np
import pytest
from device_helpers import Announced, running, until
from makers import BY_NAME, Counted

from analytics.cues.cue import Cue, CueEnded, CueMode, How
from analytics.cues.plan import CuePlan
from device.cueing.desktop import Desktop
from device.cueing.edge import Edge
from device.cueing.signals import Signals
from device.gateway import Gateway
from device.radio.room import RadioRoom
from device.spooling.spool import DiskSpool
from device.wearer.wearer import Wearer as VirtualWearer
from poise.calibration import Alignment, Calibration, Verdict
from poise.notices import Command, CueNotice, Verb, decode
from poise.results import Kind
from poise.topics import Leaf, Wearer

PLAN = CuePlan(
    mode=CueMode.THRESHOLD, delay_s=2.0, refractory_s=3.0, fading=(), quiet_hours=(), budget_per_day=1000
)
FAR_US = 4_000_000_000_000_000
CUE = Cue(1_000_000, Kind.SLOUCH, CueMode.EXPOSURE, 60.0, 60.0, 1, 30)


class Screen:
    """A desktop that shows what it is told."""

    def __init__(self, *, there: bool = True) -> None:
        self.there, self.shown = there, list[str]()

    async def show(self, title: str, sentence: str) -> bool:
        if self.there:
            self.shown.append(sentence)
        return self.there

    async def clear(self) -> None:
        self.shown.append("")


def worn_as(wearer: VirtualWearer, worn: dict[str, str], now_us: int) -> Calibration:
    """The calibration of a virtual wearer whose sensors have the room's addresses."""
    true = wearer.true_calibration(now_us)
    alignments = {
        segment: Alignment(address, true.alignments[segment].q_sensor_from_segment, 0.0)
        for address, segment in worn.items()
    }
    return Calibration("c-1", now_us, "true", Verdict.GOOD, alignments)


@pytest.mark.timeout(120)
async def test_a_held_posture_is_cued_within_moments_of_its_delay(tmp_path: Path) -> None:
    script = tmp_path / "held.txt"
    script.write_text("upright 3 s\nslouch 90 s, over 1 s, by 30 deg\n")
    wearer, spool, screen, told = VirtualWearer(str(script), seed=1), DiskSpool(tmp_path / "s"), Screen(), []
    async with RadioRoom(wearer, ["c7", "t4", "lumbar"]) as room, room.central() as backend:
        edge = Edge(PLAN)
        announced = Announced()
        gateway = Gateway(
            Wearer("p1"), room.worn, spool, announced.anything, backend=backend, edge=edge, desktop=screen
        )
        edge.calibrate(worn_as(wearer, room.worn, 1))
        gateway.signals.given = told.append
        async with running(gateway):
            await until(lambda: len(told) >= 3, 60)
            await gateway.commands.obey(Command(id="1", verb=Verb.PAUSE, until_us=FAR_US, expires_us=FAR_US))
            paused = len(told)
            await asyncio.sleep(5)
    assert len(told) == paused, "a pause holds"
    assert all(notice.ways == ["desktop"] for notice in told)
    late_ms = [(notice.given_us - notice.t_us) / 1000 for notice in told]
    print("ms from the moment a cue is due until it is given:", late_ms)
    # The benchmark states the figure; here a busy machine gets its time.
    assert max(late_ms) < 2000
    assert screen.shown[0].startswith("Sit or stand tall again")
    assert screen.shown[-1] == ""
    notices = [decode(payload, CueNotice) for leaf, _, payload in announced.seen if leaf is Leaf.CUE]
    assert notices == told


async def test_a_signal_prefers_what_is_felt_and_falls_silent() -> None:
    buzzes, screen, announced = [], Screen(), Announced()

    async def send(choose: object, sensor: str = "") -> int:
        buzzes.append(sensor)
        return 1

    signals = Signals(send, screen, announced.anything, lambda: 5)
    signals.cue(CUE)
    await until(lambda: len(announced.seen) == 1)
    (notice,) = [decode(payload, CueNotice) for _, _, payload in announced.seen]
    assert (notice.ways, notice.given_us) == (["buzz"], 5)
    assert (notice.kind, notice.sentence) == (CUE.kind, CUE.sentence)
    signals.end(CueEnded(2_000_000, CUE.t_us, How.CONTENT))
    await asyncio.sleep(0)
    assert len(buzzes) == 1
    assert not any(screen.shown)


async def test_without_sensor_or_desktop_a_cue_is_told_as_not_given() -> None:
    announced = Announced()

    async def nobody(choose: object, sensor: str = "") -> int:
        return 0

    for desktop in (Screen(there=False), None):
        signals = Signals(nobody, desktop, announced.anything, lambda: 5)
        signals.cue(CUE)
        await asyncio.sleep(0.05)
        signals.stop()
    assert [decode(payload, CueNotice).ways for _, _, payload in announced.seen] == [[], []]


async def test_no_desktop_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", "unix:path=/nowhere")
    desktop = Desktop()
    assert not await desktop.show("Poise", "Sit tall.")
    await desktop.clear()


async def test_commands_reach_the_sensors_that_know_them_once_and_in_time(tmp_path: Path) -> None:
    names = ["open_profile", "movella_dot"]
    spool = DiskSpool(tmp_path / "spool.db")
    async with RadioRoom(Counted(), names, vendors=BY_NAME) as room, room.central() as backend:
        gateway = Gateway(Wearer("p1"), room.worn, spool, Announced(), backend=backend)
        open_profile, dot = room.worn
        async with running(gateway):
            await until(lambda: gateway.stats().streaming == 2, 30)
            obey = gateway.commands.obey
            assert await obey(Command(id="1", verb=Verb.BUZZ, expires_us=FAR_US))
            assert not await obey(Command(id="1", verb=Verb.BUZZ, expires_us=FAR_US)), "once"
            assert not await obey(Command(id="2", verb=Verb.BUZZ, expires_us=1)), "too late"
            assert not await obey(Command(id="3", verb=Verb.BUZZ, sensor=dot, expires_us=FAR_US)), "cannot"
            assert await obey(Command(id="4", verb=Verb.BLINK, sensor=dot, expires_us=FAR_US))
            assert not await obey(Command(id="5", verb=Verb.PAUSE, until_us=1, expires_us=FAR_US)), "no cues"
            assert not await obey(Command(id="6", verb=Verb.CALIBRATE, expires_us=FAR_US)), "nobody asked"
    assert open_profile != dot


def test_an_analysis_that_fails_begins_anew(caplog: pytest.LogCaptureFixture) -> None:
    edge = Edge(PLAN)
    edge.calibrate(Calibration("c", 1, "static", Verdict.GOOD, {}))
    edge.feed([np.zeros(3)], 5)  # type: ignore[list-item]
    assert "begins anew" in caplog.text
    edge.feed([], 5)
