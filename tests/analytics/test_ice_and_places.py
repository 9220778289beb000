"""The icing coach, places that must stay free, skin under sensors, and real change told from noise."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from care_makers import KOLKATA, VIENNA, identity, injected, local

from analytics.care.change import YARDSTICKS, Answer, Measure, change, function_change
from analytics.care.flags import flags_from
from analytics.care.icing import BEFORE, Ice, by_day, coach, recheck_asked
from analytics.care.sites import GARMENT, SKIN_QUESTION, blocked, near, skin_asked, wearing
from poise.care.first_days import IceEnd, Icing, Skin, SkinLook
from poise.care.flags import Sign
from poise.care.injections import Muscle, Side
from poise.care.plans import Limits, Plan
from poise.care.ratings import Doing, Function
from poise.results import Kind
from poise.skeleton import Segment

AT = local("2026-05-04T10:00")
KEY = identity(1)
ONE = {KEY: injected(AT)}


def minutes(count: float) -> datetime:
    return AT + timedelta(minutes=count)


def iced(
    begin: float, length: float | None = 20, why: IceEnd = IceEnd.DONE, off: tuple[str, ...] = ()
) -> Icing:
    ended = None if length is None else minutes(begin + length)
    return Icing(at=minutes(begin), ended=ended, why=why if ended else None, injection=KEY, sensors_off=off)


RUNS = [iced(0, None)]
SIX = [iced(140 * i) for i in range(6)]
MIDNIGHT = 14 * 60


@pytest.mark.parametrize(
    ("now", "sessions", "says", "until"),
    [
        (0, [], Ice.READY, None),
        (0, RUNS, Ice.GO_ON, 15),
        (14.9, RUNS, Ice.GO_ON, 15),
        (15, RUNS, Ice.MAY_STOP, 20),
        (19.9, RUNS, Ice.MAY_STOP, 20),
        (20, RUNS, Ice.STOP_NOW, None),
        (59, RUNS, Ice.STOP_NOW, None),
        # Forgotten: it counts as ended after 20 minutes.
        (60, RUNS, Ice.WAIT, 140),
        (140, RUNS, Ice.READY, None),
        (21, [iced(0)], Ice.WAIT, 140),
        (139.9, [iced(0)], Ice.WAIT, 140),
        (140, [iced(0)], Ice.READY, None),
        (70, [iced(0, 5, IceEnd.STOPPED)], Ice.WAIT, 125),
        # Six on a local day, then the next day.
        (719, SIX[:5], Ice.READY, None),
        (750, SIX, Ice.ENOUGH_TODAY, MIDNIGHT),
        (MIDNIGHT - 1, SIX, Ice.ENOUGH_TODAY, MIDNIGHT),
        (MIDNIGHT, SIX, Ice.READY, None),
        # The skin did not bear it: not on this day, nor for twelve hours.
        (140, [iced(0, 8, IceEnd.SKIN_NUMB)], Ice.NOT_NOW, MIDNIGHT),
        (500, [iced(0, 8, IceEnd.SKIN_CHANGED), iced(300, 20)], Ice.NOT_NOW, MIDNIGHT),
        (MIDNIGHT, [iced(0, 8, IceEnd.BURNING)], Ice.READY, None),
        (MIDNIGHT, [iced(MIDNIGHT - 60, 10, IceEnd.BURNING)], Ice.NOT_NOW, MIDNIGHT + 670),
        # Three days.
        (72 * 60 - 1, [], Ice.READY, None),
        (72 * 60, [], Ice.NOT_OFFERED, None),
        (-1, [], Ice.NOT_OFFERED, None),
    ],
)
def test_the_coach(now: float, sessions: list[Icing], says: Ice, until: float | None) -> None:
    found = coach(minutes(now), ONE.values(), sessions, VIENNA)
    assert (found.says, found.until) == (says, None if until is None else minutes(until))


def test_the_days_of_the_coach_are_local_also_when_the_clocks_change() -> None:
    """29 March has 23 hours: it ends an hour earlier after its first moment."""
    begin = local("2026-03-28T23:30")
    sessions = [
        Icing(at=begin + timedelta(hours=3 * i), ended=begin + timedelta(hours=3 * i, minutes=15), why="done")
        for i in range(7)
    ]
    there = [injected(begin)]
    assert by_day(sessions, VIENNA) == {date(2026, 3, 28): 1, date(2026, 3, 29): 6}
    found = coach(local("2026-03-29T22:00"), there, sessions, VIENNA)
    assert (found.says, found.until, found.today) == (Ice.ENOUGH_TODAY, local("2026-03-30T00:00"), 6)
    assert coach(local("2026-03-29T22:00"), there, sessions, KOLKATA).says is Ice.READY


@pytest.mark.parametrize(
    ("sign", "says"),
    [(Sign.NUMBNESS, Ice.NOT_FOR_YOU), (Sign.WARMTH, Ice.NOT_FOR_YOU), (Sign.HIVES, Ice.NOT_FOR_YOU),
     (Sign.SORENESS_LASTING, Ice.READY)],
)  # fmt: skip
def test_no_ice_over_what_somebody_must_look_at_first(sign: Sign, says: Ice) -> None:
    flags = flags_from([sign], AT, KEY, None)
    assert coach(AT, ONE.values(), [], VIENNA, open_flags=flags).says is says
    running = coach(minutes(5), ONE.values(), RUNS, VIENNA, open_flags=flags).says
    assert running is (Ice.STOP_NOW if says is Ice.NOT_FOR_YOU else Ice.GO_ON)


def test_no_ice_for_those_whom_cold_harms() -> None:
    found = [coach(AT, ONE.values(), [], VIENNA, cold_sensitive=known).says for known in (True, False, None)]
    assert found == [Ice.NOT_FOR_YOU, Ice.READY, Ice.READY]
    assert "Stop at once" in BEFORE


@pytest.mark.parametrize(
    ("sessions", "checked", "now", "expected"),
    [
        ([], [], 100, ()),
        ([iced(0, 20, off=("t4", "c7"))], [], 10, ()),
        ([iced(0, 20, off=("t4", "c7"))], [], 20, ("t4", "c7")),
        ([iced(0, 20, off=("t4",))], [15], 30, ("t4",)),
        ([iced(0, 20, off=("t4",))], [25], 30, ()),
        ([iced(0, 20, off=("t4",))], [40], 30, ("t4",)),
        ([iced(0, 20, off=("t4",)), iced(200, 20, off=("c7", "t4"))], [25], 300, ("c7", "t4")),
        ([iced(0, 20)], [], 30, ()),
    ],
)
def test_sensors_taken_off_for_ice_ask_for_a_recheck(
    sessions: list[Icing], checked: list[float], now: float, expected: tuple[str, ...]
) -> None:
    assert recheck_asked(sessions, [minutes(at) for at in checked], minutes(now)) == expected


L, R = Side.LEFT, Side.RIGHT
BLADE_L, BLADE_R = Segment.SCAPULA_LEFT, Segment.SCAPULA_RIGHT


@pytest.mark.parametrize(
    ("muscle", "side", "places"),
    [
        (Muscle.UPPER_TRAPEZIUS, L, {BLADE_L}),
        (Muscle.LEVATOR_SCAPULAE, R, {BLADE_R}),
        (Muscle.RHOMBOID_MINOR, L, {BLADE_L, Segment.C7}),
        (Muscle.RHOMBOID_MAJOR, R, {BLADE_R, Segment.T4}),
        (Muscle.SERRATUS_POSTERIOR_SUPERIOR, L, {BLADE_L, Segment.C7, Segment.T4}),
    ],
)
def test_no_sensor_on_a_fresh_puncture(muscle: Muscle, side: Side, places: set[Segment]) -> None:
    assert set(near(muscle, side)) == places
    there = {KEY: injected(AT, sites=[(muscle, side)])}
    for hours, expected in ((-1, set()), (0, places), (47.9, places), (48, set())):
        assert {one.segment for one in blocked(AT + timedelta(hours=hours), there, None)} == expected


def test_a_place_is_free_again_with_the_longest_of_its_reasons() -> None:
    there = {KEY: injected(AT), identity(2): injected(AT + timedelta(hours=40))}
    for order in (there, dict(reversed(there.items()))):
        (one,) = blocked(AT + timedelta(hours=41), order, None)
        assert one.until == AT + timedelta(hours=88)
    longer = Plan(begins=AT, limits=Limits(protected_h=72))
    assert blocked(AT + timedelta(hours=60), ONE, longer)[0].until == AT + timedelta(hours=72)
    shorter = Plan(begins=AT, limits=Limits(protected_h=24))
    assert blocked(AT + timedelta(hours=30), ONE, shorter)[0].until == AT + timedelta(hours=48)
    (held,) = blocked(AT + timedelta(days=20), ONE, None, flags_from([Sign.DRAINAGE], AT, KEY, None))
    assert held.until is None
    assert blocked(AT + timedelta(days=20), ONE, None, flags_from([Sign.FEVER], AT, KEY, None)) == ()


def skin(look: SkinLook, hours: float = 0, segment: str = "t12") -> Skin:
    return Skin(at=AT + timedelta(hours=hours), segment=segment, look=look)


@pytest.mark.parametrize(
    ("skins", "hours", "shut"),
    [
        ([skin(SkinLook.FINE)], 1, False),
        ([skin(SkinLook.RED_FADING)], 1, False),
        ([skin(SkinLook.RED_STAYING)], 23, True),
        ([skin(SkinLook.RED_STAYING)], 24, False),
        ([skin(SkinLook.ITCHING)], 23, True),
        ([skin(SkinLook.BROKEN)], 500, True),
        ([skin(SkinLook.BROKEN), skin(SkinLook.FINE, 50)], 51, False),
        ([skin(SkinLook.BROKEN), skin(SkinLook.FINE, 50)], 49, True),
        ([skin(SkinLook.BROKEN, segment="a place of the future")], 1, False),
    ],
)
def test_skin_under_a_sensor_is_its_own_matter(skins: list[Skin], hours: float, shut: bool) -> None:
    found = blocked(AT + timedelta(hours=hours), {}, None, (), skins)
    assert [one.segment for one in found] == ([Segment.T12] if shut else [])


@pytest.mark.parametrize(
    ("zone", "now", "expected"),
    [
        (VIENNA, "2026-05-04T23:59", ("c7",)),
        (VIENNA, "2026-05-05T00:00", ("t12", "c7")),
        (KOLKATA, "2026-05-05T00:00", ("t12", "c7")),
    ],
)
def test_skin_is_asked_about_once_a_local_day(zone: ZoneInfo, now: str, expected: tuple[str, ...]) -> None:
    assert skin_asked(local(now, zone), ("t12", "c7"), [skin(SkinLook.FINE)], zone) == expected
    assert "sensor" in SKIN_QUESTION


FULL = ("head", "c7", "t4", "lumbar", "scapula_left", "scapula_right")


def shut(*sites: tuple[Muscle, Side]) -> tuple:
    return blocked(AT, {KEY: injected(AT, sites=sites)}, None)


def test_another_place_or_a_garment_is_offered_and_what_is_lost_is_said() -> None:
    found = wearing(FULL, shut((Muscle.UPPER_TRAPEZIUS, L)))
    assert found.free == ("head", "c7", "t4", "lumbar", "scapula_right")
    (one,) = found.instead
    assert (one.blocked.segment, one.segments) == (BLADE_L, (Segment.UPPER_ARM_LEFT,))
    assert one.garment == GARMENT.format(place="the left scapula")
    assert found.lost == (Kind.ROUNDED_SHOULDER_LEFT, Kind.RAISED_SHOULDER_LEFT)
    assert Kind.FORWARD_HEAD in found.judged
    assert any("left shoulder is not judged" in sentence for sentence in found.unseen)


def test_what_can_be_judged_follows_the_rules_of_posture() -> None:
    found = wearing(FULL, shut((Muscle.SERRATUS_POSTERIOR_SUPERIOR, R)))
    assert found.free == ("head", "lumbar", "scapula_left")
    assert [one.segments for one in found.instead] == [(), (Segment.T12,), (Segment.UPPER_ARM_RIGHT,)]
    assert found.judged == ()
    with_t12 = wearing((*found.free, "t12", "upper_arm_right"), shut((Muscle.RHOMBOID_MAJOR, R)))
    assert with_t12.instead == ()
    assert set(with_t12.judged) >= {Kind.SLOUCH, Kind.HIP_LEAN, Kind.LOOKING_DOWN, Kind.SIDE_BEND}
    assert wearing(FULL, ()).lost == ()
    assert wearing((), shut((Muscle.RHOMBOID_MAJOR, R))).instead == ()


REAL, NOISE, NONE = Answer.REAL, Answer.WITHIN_NOISE, Answer.NONE_KNOWN


@pytest.mark.parametrize(
    ("measure", "before", "now", "points", "answer", "better"),
    [
        (Measure.PAIN, 7, 3, 4, REAL, True),
        (Measure.PAIN, 7, 4, 3, NOISE, True),
        (Measure.PAIN, 7, 5.5, 1.5, NOISE, True),
        (Measure.PAIN, 7, 6, 1, NONE, None),
        (Measure.PAIN, 7, 7, 0, NONE, None),
        (Measure.PAIN, 3, 5, -2, NOISE, False),
        (Measure.PAIN, 3, 8, -5, REAL, False),
        (Measure.PAIN_WITH_REFERRAL, 7, 3, 4, NOISE, True),
        (Measure.REFERRED_PAIN, 8, 2, 6, NOISE, True),
        (Measure.REFERRED_PAIN, 9, 2, 7, REAL, True),
        (Measure.HEADACHE, 6, 4, 2, NONE, None),
        (Measure.HEADACHE, 6, 3, 3, REAL, True),
        (Measure.SORENESS, 6, 4, 2, NOISE, True),
        (Measure.FUNCTION, 3, 5, 2, NOISE, True),
        (Measure.FUNCTION, 3, 5.1, 2.1, REAL, True),
        (Measure.FUNCTION, 6, 3.5, -2.5, REAL, False),
        (Measure.FUNCTION, 3, 4.9, 1.9, NONE, None),
    ],
)
def test_real_change_is_told_from_noise(
    measure: Measure, before: float, now: float, points: float, answer: Answer, better: bool | None
) -> None:
    found = change(measure, before, now)
    assert (found.points, found.answer, found.better) == (points, answer, better)


def test_every_measure_has_a_yardstick_with_its_source() -> None:
    assert set(YARDSTICKS) == set(Measure)
    assert all("20" in stick.source or "project decision" in stick.source for stick in YARDSTICKS.values())


def function(**scores: int) -> Function:
    return Function(at=AT, activities=tuple(Doing(activity=a, score=s) for a, s in scores.items()))


def test_function_is_compared_by_the_activities_that_both_times_have() -> None:
    found = function_change(
        function(reading=2, driving=4, sewing=0), function(Reading=5, driving=6, cooking=9)
    )
    assert found is not None
    assert (found.points, found.answer) == (2.5, REAL)
    assert function_change(function(reading=2), function(driving=9)) is None
    assert function_change(function(), function()) is None
