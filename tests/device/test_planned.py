"""The clinic's plan at the gateway: it takes effect by itself at its time, and outlives a restart."""

import asyncio
from datetime import time
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from device_helpers import Announced

from analytics.care.limits import STRICT
from analytics.cues.cue import CueMode
from analytics.cues.plan import CuePlan
from analytics.posture.plan import DEFAULT_PLAN
from device.cueing.edge import UTC, Edge
from device.cueing.prompts import LATE_US, Prompts
from device.wearer import Wearer as VirtualWearer
from poise.cli.planned import Planned, plan_file
from poise.errors import WireError
from poise.notices import GuardNotice, decode, encode
from poise.planned import PlannedReminder, PlanNotice, Stage
from poise.strain import Exceedance, Strain
from poise.topics import Leaf, Wearer

START_US = 1_790_000_000_000_000
AT_US = START_US + 20_030_000
OWN = CuePlan(mode=CueMode.OFF)
WIDER = {"slouch_deg": 40.0}


class Screen:
    """A desktop."""

    def __init__(self) -> None:
        self.shown: list[str] = []

    async def show(self, title: str, sentence: str) -> bool:
        self.shown.append(sentence)
        return True

    async def clear(self) -> None:
        self.shown.clear()


def fed(edge: Edge, pieces: int) -> list[tuple[int, float, int]]:
    """Feed 60 s in so many pieces and return run, slouch threshold and cue budget after each."""
    person = VirtualWearer("short", seed=1, segments=("c7", "t4", "lumbar"))
    edge.calibrate(person.true_calibration(START_US))
    batches = [b for m in person.to_messages(START_US, "s", 60.0) for b in m.batches]
    edges, seen = np.linspace(START_US, START_US + 60_000_000, pieces + 1).astype(np.int64), []
    for start, stop in pairwise(edges.tolist()):
        parts = []
        for batch in batches:
            i, j = np.searchsorted(batch.t_us, (start, stop)).tolist()
            parts += [batch.part(i, j)] if j > i else []
        edge.feed(parts, int(stop))
        assert edge._pipeline.run_us is not None
        seen.append((edge._pipeline.run_us, edge._posture.slouch_deg, edge.cueing.plan.budget_per_day))
    return seen


@pytest.mark.parametrize("pieces", [6, 60, 599])
def test_a_phase_changes_by_itself_at_its_moment_and_begins_a_run(pieces: int) -> None:
    edge = Edge(OWN)
    edge.plan([Stage(from_us=AT_US, posture=WIDER, cues={"budget_per_day": 7}, effort="gentle")])
    seen = fed(edge, pieces)
    assert seen[0][1:] == (DEFAULT_PLAN.slouch_deg, 30)
    runs = sorted({run for run, _, _ in seen})
    assert len(runs) == 2
    assert 0 <= runs[1] - AT_US < 20_000, "the first sample from then on"
    assert {one[1:] for one in seen if one[0] == runs[1]} == {(40.0, 7)}
    assert edge.trust.doubts == ()


def test_a_stage_with_the_same_thresholds_goes_on_with_the_run() -> None:
    edge = Edge(OWN)
    edge.plan([Stage(from_us=0), Stage(from_us=AT_US, cues={"budget_per_day": 7}, effort="tapering")])
    seen = fed(edge, 60)
    assert len({run for run, _, _ in seen}) == 1
    assert [seen[0][2], seen[-1][2]] == [30, 7]
    edge.plan([])
    edge.feed([], START_US)


def test_another_plan_keeps_a_pause_and_what_was_given_today() -> None:
    edge = Edge(CuePlan(mode=CueMode.THRESHOLD, delay_s=3.0, fading=(), quiet_hours=()))
    edge.plan([Stage(from_us=AT_US + 20_000_000, cues={"delay_s": 30.0, "mode": "threshold"})])
    edge.cueing.pause(AT_US)
    fed(edge, 60)
    assert edge.cueing.plan.delay_s == 30.0
    assert edge.cueing._allowance.pause_us == AT_US


def test_the_guard_is_off_without_a_plan_and_strict_with_one() -> None:
    edge = Edge(OWN)
    assert edge.guard._since == ((0, None),)
    edge.plan([Stage(from_us=AT_US, effort="gentle")])
    assert edge.guard._since == ((AT_US, STRICT),)


def prompts(now: list[int]) -> tuple[Prompts, Screen, Announced]:
    screen, announced = Screen(), Announced()
    return Prompts(screen, announced.anything, lambda: now[0], UTC), screen, announced


def notices(announced: Announced) -> list[GuardNotice]:
    assert {leaf for leaf, _, _ in announced.seen} <= {Leaf.GUARD}
    return [decode(payload, GuardNotice) for _, _, payload in announced.seen]


NOON_US = 1_790_000_000_000_000 // 86_400_000_000 * 86_400_000_000 + 43_200_000_000


def quiet_at_night() -> Stage:
    return Stage(
        from_us=0,
        quiet_hours=[(time(21), time(7))],
        reminders=[PlannedReminder(label="gentle movement", at=time(12))],
    )


async def test_an_exceedance_is_published_and_spoken_of_softly() -> None:
    now = [NOON_US]
    told, screen, announced = prompts(now)
    told.plan([quiet_at_night()])
    began = Exceedance(Strain.OVERHEAD, NOON_US - 100, None, estimate=False, about=("upper_arm_left",))
    told.exceeded(began, NOON_US)
    await asyncio.sleep(0.01)
    told.exceeded(Exceedance(Strain.OVERHEAD, NOON_US - 100, NOON_US, estimate=False, about=()), NOON_US)
    await asyncio.sleep(0.01)
    first, second = notices(announced)
    assert first.exceedance == began
    assert [first.sentence] == screen.shown
    assert (first.ways, second.ways, second.sentence) == (["desktop"], [], "")


async def test_in_quiet_hours_and_in_a_pause_it_is_published_alone() -> None:
    now = [NOON_US + 10 * 3_600_000_000]
    told, screen, announced = prompts(now)
    told.plan([quiet_at_night()])
    told.exceeded(Exceedance(Strain.OVERHEAD, 5, None, estimate=False, about=()), now[0])
    now[0] = NOON_US
    told.paused_us = NOON_US + 1
    told.exceeded(Exceedance(Strain.OVERHEAD, 6, None, estimate=False, about=()), now[0])
    await asyncio.sleep(0.01)
    assert [notice.sentence for notice in notices(announced)] == ["", ""]
    assert screen.shown == []


async def test_a_reminder_is_given_once_and_not_long_after_its_time() -> None:
    now = [NOON_US - 1]
    told, screen, _ = prompts(now)
    told.plan([quiet_at_night()])
    for later_us in (0, 1, 2, 60_000_000, 86_400_000_000 + LATE_US + 1):
        now[0] = NOON_US + later_us
        await told.remind()
    assert screen.shown == ["gentle movement"]
    told.paused_us = NOON_US + 2 * 86_400_000_000 + 1
    now[0] = told.paused_us - 1
    await told.remind()
    assert len(screen.shown) == 1
    now[0] += 1
    await told.remind()
    assert len(screen.shown) == 2


def notice(made_us: int, *stages: Stage) -> PlanNotice:
    return PlanNotice(id=f"p{made_us}", made_us=made_us, stages=list(stages))


def test_the_newest_plan_is_kept_and_gone_by_after_a_restart(tmp_path: Path) -> None:
    anna, gone_by = Wearer("anna"), []
    planned = Planned(tmp_path, anna, gone_by.append)
    planned.begin()
    assert gone_by == []
    planned.take(notice(5, Stage(from_us=1)))
    planned.take(notice(5, Stage(from_us=1)))
    planned.take(notice(4, Stage(from_us=9)))
    with pytest.raises(WireError):
        planned.take(notice(6, Stage(from_us=9, effort="herculean")))
    assert gone_by == [[Stage(from_us=1)]]
    again = Planned(tmp_path, anna, gone_by.append)
    again.begin()
    again.take(notice(5, Stage(from_us=1)))
    assert gone_by == [[Stage(from_us=1)]] * 2
    again.take(None)
    assert gone_by[2:] == [()]
    assert not plan_file(tmp_path, anna).exists()
    Planned(tmp_path, anna, gone_by.append).begin()
    assert len(gone_by) == 3


@pytest.mark.parametrize("content", [b"", b"{", encode(notice(1, Stage(from_us=5, effort="x")))])
def test_a_plan_on_file_that_cannot_be_read_is_no_end(tmp_path: Path, content: bytes) -> None:
    anna, gone_by = Wearer("anna"), []
    plan_file(tmp_path, anna).write_bytes(content)
    planned = Planned(tmp_path, anna, gone_by.append)
    planned.begin()
    assert gone_by == []
    planned.take(notice(1, Stage(from_us=1)))
    assert len(gone_by) == 1
