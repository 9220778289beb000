"""Red flags: each sign, normal healing that raises none, blood thinners, and flags that stay."""

from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from care_makers import KOLKATA, VIENNA, answer, identity, injected, local
from hypothesis import given, settings
from hypothesis import strategies as st

from analytics.care.flags import flags_from, flags_of, on_blood_thinner, open_flags, to_raise
from analytics.care.healing import counted, judged
from poise.care.assessments import History, Medication
from poise.care.first_days import ASKED, Bleeding, CheckIn, Extent, Which
from poise.care.flags import Flag, FlagCode, FlagHandling, Sign, Urgency
from poise.care.red_flags import FLAG_TEXTS, SIGN_CODES, TEXT_VERSION

KEY = identity(1)
AT = local("2026-05-04T10:00")
H2, H24, H48, H72, D7 = Which
HOUR = {H2: 2, H24: 24, H48: 48, H72: 72, D7: 168}
Row = list[tuple[Which | float, dict[str, Any]]]


def rows(row: Row) -> dict[UUID, CheckIn]:
    """Answers half an hour after they were asked for; a number is hours, of a report in between."""
    found = {}
    for number, (which, fields) in enumerate(row, start=10):
        named = which if isinstance(which, Which) else None
        hours = HOUR[named] + 0.5 if named else which
        found[identity(number)] = answer(AT + timedelta(hours=float(hours)), KEY, named, **fields)
    return found


def raised(row: Row, *, pain_before: int | None = 6, thinner: bool = False) -> list[list[FlagCode]]:
    """Return the codes that each answer of a row raises."""
    there = {KEY: injected(AT, pain_before=pain_before)}
    given_ = rows(row)
    found = [flags_of(key, given_, there, VIENNA, blood_thinner=thinner) for key in given_]
    return [[flag.code for flag in flags] for flags in found]


@pytest.mark.parametrize("sign", sorted(ASKED))
@pytest.mark.parametrize("which", [H2, H48, D7, 30.0, 400.0])
def test_a_sign_that_is_ticked_raises_its_flag_at_any_time(sign: Sign, which: Which | float) -> None:
    assert raised([(which, {"signs": (sign,)})]) == [[SIGN_CODES[sign]]]


G, S, N = Extent.INCREASING, Extent.SOME, Extent.NONE
SITE, BLEED, PAIN, SORE = [FlagCode.SITE], [FlagCode.BLEEDING], [FlagCode.PAIN], [FlagCode.SORENESS]


def sore(*scores: int | None) -> Row:
    """Soreness at the five check-ins, None for no answer."""
    return [(w, {"soreness": s}) for w, s in zip(Which, scores, strict=False) if s is not None]


def pain(*scores: int | None) -> Row:
    return [(w, {"pain": s}) for w, s in zip(Which, scores, strict=False) if s is not None]


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        # Redness and swelling: some is normal, increasing is not, whenever it is.
        ([(H2, {"redness": S, "swelling": S, "bruising": S})], [[]]),
        ([(H2, {"redness": G})], [SITE]),
        ([(H48, {"swelling": G})], [SITE]),
        ([(H24, {"redness": S}), (H48, {"redness": S}), (H72, {"redness": S})], [[], [], []]),
        # Gone after a day, it must not come back after 48 hours; before, it may.
        ([(H24, {"redness": N}), (H48, {"redness": S})], [[], []]),
        ([(H24, {"redness": N}), (H72, {"redness": S})], [[], SITE]),
        ([(H24, {"redness": N}), (H48, {"redness": S}), (H72, {"redness": S})], [[], [], []]),
        ([(H2, {"swelling": N}), (H72, {"swelling": S})], [[], []]),
        ([(H72, {"swelling": N}), (D7, {"swelling": S})], [[], SITE]),
        # Bruises may grow.
        ([(H24, {"bruising": S}), (H72, {"bruising": G})], [[], []]),
        # Soreness: the peak at 24 to 48 hours is normal.
        (sore(1, 5, 8, 4, 0), [[], [], [], [], []]),
        (sore(2, 7, 3, 4, 0), [[], [], [], [], []]),
        (sore(0, None, None, 4), [[], []]),
        (sore(1, 3, None, 5), [[], [], []]),
        # Rising after 48 hours, or coming back.
        (sore(1, 4, 5, 6), [[], [], [], SORE]),
        (sore(1, 6, 3, 5), [[], [], [], SORE]),
        (sore(1, 6, 3, 1, 3), [[], [], [], [], SORE]),
        # Present on day 7.
        (sore(1, 6, 4, 2, 1), [[], [], [], [], SORE]),
        ([(D7, {"soreness": 1})], [SORE]),
        ([(180.0, {"soreness": 2})], [SORE]),
        # Reports between the check-ins count for the hour at which they are given.
        ([(20.0, {"soreness": 3}), (47.0, {"soreness": 8})], [[], []]),
        ([(48.0, {"soreness": 6}), (60.0, {"soreness": 8})], [[], SORE]),
        # The pain that the injection was for, 6 before.
        (pain(6, 7, 9), [[], [], []]),
        (pain(6, 6, 6, 7), [[], [], [], []]),
        (pain(6, 6, 6, 8), [[], [], [], PAIN]),
        (pain(6, 5, 4, 4, 4), [[], [], [], [], []]),
        (pain(6, 5, 5, 5, 5), [[], [], [], [], PAIN]),
        (pain(None, None, None, None, 8), [PAIN]),
        # Bleeding.
        ([(H2, {"bleeding": Bleeding.STOPPED})], [[]]),
        ([(H2, {"bleeding": Bleeding.RETURNING})], [[]]),
        ([(H2, {"bleeding": Bleeding.NOT_STOPPING})], [BLEED]),
        # Nothing answered.
        ([(which, {}) for which in Which], [[], [], [], [], []]),
        ([(H24, {"stiffness": 10, "sleep": 0})], [[]]),
    ],
)
def test_what_answers_raise(row: Row, expected: list[list[FlagCode]]) -> None:
    assert raised(row) == expected


@pytest.mark.parametrize(
    ("before", "scores", "expected"),
    [
        (None, (3, 3, 3, 5), [[], [], [], PAIN]),
        (None, (1, None, None, 5), [[], []]),
        (None, (8, 8, 8, 8, 8), [[], [], [], [], []]),
        (4, (4, 3, 3, 3, 3), [[], [], [], [], []]),
        (5, (5, 5, 4, 4, 4), [[], [], [], [], PAIN]),
        (3, (3, 3, 3, 3, 5), [[], [], [], [], PAIN]),
        (10, (8, 8, 8, 8, 8), [[], [], [], [], []]),
    ],
)
def test_pain_is_held_against_the_pain_before(
    before: int | None, scores: tuple[int, ...], expected: list[list[FlagCode]]
) -> None:
    assert raised(pain(*scores), pain_before=before) == expected


@pytest.mark.parametrize("bleeding", Bleeding)
def test_bleeding_is_said_sooner_to_those_on_blood_thinners(bleeding: Bleeding) -> None:
    soon = {Bleeding.RETURNING, Bleeding.NOT_STOPPING}
    row: Row = [(H2, {"bleeding": bleeding})]
    assert raised(row, thinner=True) == [BLEED if bleeding in soon else []]
    assert raised(row) == [BLEED if bleeding is Bleeding.NOT_STOPPING else []]


def test_an_answer_that_quiet_hours_delayed_counts_for_its_hour_and_a_late_one_for_its_own() -> None:
    """The answer for 48 h comes after 60 in the morning; one for 24 h that comes after 60 is late."""
    there = injected(AT)
    peak = answer(AT + timedelta(hours=24.5), KEY, H24, soreness=3)
    delayed = answer(AT + timedelta(hours=60), KEY, H48, soreness=7)
    assert [a.hours for a in counted(KEY, there, [delayed, peak], VIENNA)] == [24, 48]
    late = answer(AT + timedelta(hours=60), KEY, H24, soreness=7)
    assert [a.hours for a in counted(KEY, there, [late, peak], VIENNA)] == [24, 60]


def test_day_7_is_a_local_day() -> None:
    there = injected(local("2026-05-04T23:00"))
    given_ = answer(local("2026-05-11T00:10"), KEY, soreness=1)
    assert [a.week for a in counted(KEY, there, [given_], VIENNA)] == [True]
    assert [a.week for a in counted(KEY, there, [given_], KOLKATA)] == [False]
    named = given_.model_copy(update={"which": D7})
    assert [a.week for a in counted(KEY, there, [named], KOLKATA)] == [True]


def test_each_injection_is_judged_by_its_own_answers() -> None:
    there = {KEY: injected(AT, "a"), identity(2): injected(AT + timedelta(days=5), "a")}
    given_ = {
        identity(10): answer(AT + timedelta(hours=50), KEY, H48, soreness=2),
        identity(11): answer(AT + timedelta(days=6), identity(2), H24, soreness=6),
        identity(12): answer(AT + timedelta(days=7, hours=2), identity(2), H48, soreness=7),
        identity(13): answer(AT + timedelta(days=7, hours=1), KEY, D7, soreness=0),
    }
    assert [flags_of(key, given_, there, VIENNA, blood_thinner=False) for key in given_] == [()] * 4


def test_an_answer_about_no_known_injection_still_raises_what_it_holds_by_itself() -> None:
    given_ = rows([(H2, {"signs": (Sign.CHILLS,), "swelling": G, "soreness": 9})])
    found = flags_of(identity(10), given_, {}, VIENNA, blood_thinner=False)
    assert {flag.code for flag in found} == {FlagCode.FEVER, FlagCode.SITE}


def test_several_signs_make_one_flag_a_code_and_the_most_urgent_comes_first() -> None:
    signs = (Sign.ITCHING, Sign.HIVES, Sign.WARMTH, Sign.BREATHING_DIFFICULTY)
    found = flags_of(
        identity(10), rows([(H2, {"signs": signs})]), {KEY: injected(AT)}, VIENNA, blood_thinner=False
    )
    assert [flag.code for flag in found] == [FlagCode.BREATHING, FlagCode.SITE, FlagCode.SKIN_REACTION]
    assert [flag.urgency for flag in found] == [Urgency.EMERGENCY_NOW, Urgency.PROMPTLY, Urgency.PROMPTLY]
    assert found[2].signs == (Sign.HIVES, Sign.ITCHING)
    assert {(flag.injection, flag.source, flag.text_version) for flag in found} == {
        (KEY, identity(10), TEXT_VERSION)
    }


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_normal_healing_never_raises_a_flag(data: st.DataObject) -> None:
    """Soreness rises to a peak within 48 hours and is gone by day 7; the rest fades; pain eases."""
    pick = data.draw
    peak_h = pick(st.sampled_from([24, 48]))
    top = pick(st.integers(0, 10))
    second = pick(st.integers(0, top))
    before = [pick(st.integers(0, second)), top if peak_h == 24 else second]
    at_48 = pick(st.integers(0, top)) if peak_h == 24 else top
    soreness = [*before, at_48, pick(st.integers(0, at_48)), 0]
    row: Row = []
    gone = dict.fromkeys(("redness", "swelling"), False)
    pain_before = pick(st.integers(0, 10))
    for i, which in enumerate(Which):
        fields: dict[str, Any] = {
            "soreness": soreness[i],
            "bleeding": pick(st.sampled_from(list(Bleeding)[:2])),
        }
        fields["bruising"] = pick(st.sampled_from([N, S, G]))
        for name in gone:
            fields[name] = N if gone[name] else pick(st.sampled_from([S, N]))
            gone[name] = fields[name] is N and i > 0
        eased = min(pain_before + 1, 10) if which is not D7 else max(0, pain_before - 2)
        fields["pain"] = pick(st.integers(0, eased))
        if pick(st.integers(0, 4)):  # one in five goes unanswered
            row.append((which, fields))
    codes = raised(row, pain_before=pain_before, thinner=pick(st.booleans()))
    assert codes == [[] for _ in row]


def test_normal_healing_is_called_normal_and_what_is_flagged_is_not() -> None:
    there = injected(AT)

    def normal(row: Row) -> tuple[str, ...]:
        return judged(counted(KEY, there, rows(row).values(), VIENNA), there, blood_thinner=False).normal

    everything = {"soreness": 4, "redness": S, "swelling": S, "bruising": S, "stiffness": 2}
    assert normal([(H24, everything)]) == ("soreness", "redness", "swelling", "bruising", "stiffness")
    assert normal([(H2, {"bleeding": Bleeding.STOPPED, "redness": G, "swelling": N})]) == ("bleeding",)
    assert normal([(D7, {"soreness": 1, "stiffness": 1})]) == ("stiffness",)
    assert normal(sore(1, 4, 5, 6)) == ()
    assert judged([], there, blood_thinner=False).signs == ()


WARFARIN = Medication(name="warfarin", blood_thinner=True, since=date(2026, 1, 1), until=date(2026, 5, 4))
OTHER = Medication(name="vitamin D", blood_thinner=False)


@pytest.mark.parametrize(
    ("histories", "now", "expected"),
    [
        ([], AT, False),
        ([[OTHER]], AT, False),
        ([[OTHER, WARFARIN]], AT, True),
        ([[WARFARIN]], local("2026-05-04T23:59"), True),
        ([[WARFARIN]], local("2026-05-05T00:00"), False),
        ([[WARFARIN], [OTHER]], AT, False),
        ([[OTHER], [Medication(name="apixaban", blood_thinner=True)]], AT, True),
        ([[Medication(name="apixaban", blood_thinner=True, since=date(2026, 5, 5))]], AT, False),
    ],
)
def test_a_blood_thinner_is_what_the_newest_history_marks_as_taken_today(
    histories: list[list[Medication]], now: datetime, expected: bool
) -> None:
    begun = local("2026-04-01T00:00")
    known = [History(at=begun + timedelta(days=day), medications=tuple(m)) for day, m in enumerate(histories)]
    assert on_blood_thinner(known, now, VIENNA) is expected
    assert on_blood_thinner(known[::-1], now, VIENNA) is expected


def flag(sign: Sign, hours: float = 0) -> Flag:
    return flags_from([sign], AT + timedelta(hours=hours), KEY, None)[0]


def handled(number: int, *, dealt_with: bool = True) -> FlagHandling:
    return FlagHandling(at=AT, flag=identity(number), by="Dr A", done="called", dealt_with=dealt_with)


def test_a_flag_stays_until_somebody_has_dealt_with_it() -> None:
    flags = {
        identity(1): flag(Sign.WARMTH),
        identity(2): flag(Sign.FEVER, 1),
        identity(3): flag(Sign.ITCHING),
    }
    flags[identity(4)] = flag(Sign.SUDDEN_CHEST_PAIN, 9)
    assert list(open_flags(flags, [])) == [identity(n) for n in (4, 1, 3, 2)]
    assert list(open_flags(flags, [handled(1, dealt_with=False)])) == list(open_flags(flags, []))
    done = [handled(1, dealt_with=False), handled(1), handled(4)]
    assert list(open_flags(flags, done)) == [identity(3), identity(2)]
    assert open_flags(flags, [handled(n) for n in (1, 2, 3, 4)]) == {}


def test_a_flag_that_is_up_is_not_marked_twice_and_one_reported_again_is_new() -> None:
    flags = {identity(1): flag(Sign.WARMTH)}
    assert to_raise([flag(Sign.WARMTH, 5)], flags, []) == []
    more = flag(Sign.DRAINAGE, 5)
    assert to_raise([more], flags, []) == [more]
    again = flag(Sign.WARMTH, 30)
    assert to_raise([again], flags, [handled(1)]) == [again]
    elsewhere = again.model_copy(update={"injection": identity(7)})
    assert to_raise([elsewhere], flags, []) == [elsewhere]
    assert FLAG_TEXTS[again.code].urgency is again.urgency
