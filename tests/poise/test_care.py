"""The words of the clinical record: they come back from JSON as they were, and refuse what cannot be."""

import re
from datetime import UTC, date, datetime, time, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest
from entry_makers import made
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from poise.care.entry import Entry, by_kind
from poise.care.first_days import ASKED
from poise.care.flags import FlagCode, Sign, Urgency
from poise.care.kinds import KINDS
from poise.care.red_flags import FLAG_TEXTS, NORMAL_TEXTS, QUESTIONS, SIGN_CODES

ID = UUID("0f7f2a52-3f6a-4f3f-9f6e-0d8a8e2f0001")
AT = datetime(2026, 3, 2, 10, tzinfo=UTC)
WHEN = {"at": AT}
PLACE = {"muscle": "upper_trapezius", "side": "left", "points": 2}
GIVEN: dict[str, dict[str, Any]] = {
    "appointment": {"day": date(2026, 3, 2), "at": time(9), "zone": "Europe/Vienna", "whom": "Dr A",
                    "purpose": "injection"},
    "assessment": WHEN | {"by": "Dr A"},
    "check_in": WHEN | {"injection": ID},
    "data_consent": WHEN | {"scopes": ["collection"], "given": True, "text_version": "3"},
    "ergonomics": WHEN | {"place": "office"},
    "flag": WHEN | {"code": "site", "urgency": "medical_attention_promptly", "signs": ["warmth"],
                    "text_version": 1},
    "sheet_read": WHEN | {"injection": ID, "digest": "0" * 64, "text_version": 1},
    "flag_handling": WHEN | {"flag": ID, "by": "Dr A", "done": "called", "dealt_with": True},
    "flare": WHEN | {"worst": 7},
    "function": WHEN,
    "history": WHEN,
    "icing": WHEN,
    "injection": WHEN | {"operator": "Dr A", "position": "prone", "sites": [PLACE], "guidance": "palpation"},
    "note": WHEN | {"text": "well"},
    "plan": {"begins": AT},
    "plan_review": WHEN | {"by": "Dr A", "decision": "as before", "plan": ID, "from_day": date(2026, 3, 3)},
    "procedure_consent": WHEN | {"procedure": "injection", "by": "Dr A", "given": True},
    "question": WHEN | {"text": "May I swim?"},
    "rating": WHEN | {"target": "headache", "score": 3},
    "skin": WHEN | {"segment": "t4", "look": "fine"},
    "treatment": WHEN | {"treatment": "heat"},
}  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(data=st.data())
def test_an_entry_comes_back_from_json_as_it_was(kind: str, data: st.DataObject) -> None:
    entry = data.draw(made(KINDS[kind]))
    text = entry.model_dump_json()
    again = KINDS[kind].model_validate_json(text)
    assert again == entry
    assert again.model_dump_json() == text


def test_every_kind_has_an_example_here_and_its_name() -> None:
    assert set(GIVEN) == set(KINDS)
    for kind, given_ in GIVEN.items():
        assert KINDS[kind](**given_).kind == kind
        assert KINDS[kind].version == 1


@pytest.mark.parametrize("kind", KINDS)
def test_an_entry_is_frozen_and_refuses_what_it_does_not_know(kind: str) -> None:
    cls = KINDS[kind]
    entry = cls(**GIVEN[kind])
    with pytest.raises(ValidationError, match="frozen"):
        setattr(entry, next(iter(cls.model_fields)), None)
    with pytest.raises(ValidationError, match="extra"):
        cls(**GIVEN[kind], colour="red")


@pytest.mark.parametrize("kind", sorted(set(GIVEN) - {"appointment"}))
def test_a_time_without_an_offset_is_refused_and_one_with_it_is_kept_in_utc(kind: str) -> None:
    cls, name = KINDS[kind], "begins" if kind == "plan" else "at"
    with pytest.raises(ValidationError, match="timezone"):
        cls(**GIVEN[kind] | {name: datetime(2026, 3, 2, 10)})  # noqa: DTZ001 - that is the point
    east = datetime(2026, 3, 2, 15, 30, tzinfo=timezone(timedelta(hours=5, minutes=30)))
    kept = getattr(cls(**GIVEN[kind] | {name: east}), name)
    assert (kept, kept.tzinfo) == (AT, UTC)


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_describes_itself(kind: str) -> None:
    described = KINDS[kind].model_json_schema()
    assert described["additionalProperties"] is False
    assert described["description"]


EARLIER = AT - timedelta(hours=1)
WRONG: list[tuple[str, dict[str, Any], str]] = [
    ("note", {"text": "a\x00b"}, "control characters"),
    ("note", {"at": "0001-01-01T00:00:00+14:00"}, "1900-01-01 to 2199-12-31"),
    ("note", {"at": "9999-12-31T23:59:00-14:00"}, "1900-01-01 to 2199-12-31"),
    ("appointment", {"day": date(9999, 12, 31)}, "1900-01-01 to 2199-12-31"),
    ("appointment", {"whom": "Dr A\nDr B"}, "one line"),
    ("injection", {"course": "a\x07"}, "control characters"),
    ("data_consent", {"scopes": []}, "at least 1"),
    ("data_consent", {"scopes": ["research", "research"]}, "once"),
    ("data_consent", {"scopes": ["marketing"]}, "collection"),
    ("procedure_consent", {"explained": ["risks", "risks"]}, "once"),
    ("appointment", {"at": time(9, 0, 1)}, "hours and minutes"),
    ("appointment", {"at": "09:00:00+02:00"}, "no offset"),
    ("appointment", {"zone": "../etc/passwd"}, "pattern"),
    ("appointment", {"repeat": {"every_weeks": 0}}, "greater than or equal to 1"),
    ("appointment", {"repeat": {"count": 4, "until": date(2026, 5, 1)}}, "not both"),
    ("appointment", {"repeat": {"until": date(2026, 3, 1)}}, "before the first"),
    ("question", {"text": "  "}, "at least 1"),
    ("question", {"answer": "Yes."}, "has a time"),
    ("question", {"answered_at": AT}, "a time an answer"),
    ("question", {"answer": "Yes.", "answered_at": EARLIER}, "after its question"),
    ("plan", {"limits": {"protected_h": 12}}, "greater than or equal to 24"),
    ("plan", {"limits": {"easing_day": 20, "restoring_day": 10}}, "before the one before"),
    ("plan", {"phases": [{"phase": "easing"}, {"phase": "easing"}]}, "once"),
    ("plan", {"phases": [{"phase": "resting"}]}, "protected"),
    ("plan", {"phases": [{"phase": "easing", "thresholds": {"slouch_deg": 2}}]}, "or equal to 4"),
    ("plan", {"quiet_hours": [{"begin": time(21), "end": time(21)}]}, "different times"),
    ("plan", {"weekly": {"label": "rate", "at": time(18), "weekdays": [7]}}, "less than or equal to 6"),
    ("plan_review", {"decision": ""}, "at least 1"),
    ("assessment", {"findings": [{"muscle": "rhomboid_major", "side": "left",
                                  "referred_to": [{"x": 0, "y": 0}]}]}, "needs referral"),
    ("history", {"medications": [{"name": "x"}]}, "Field required"),
    ("history", {"medications": [{"name": "x", "blood_thinner": True, "since": date(2026, 2, 1),
                                  "until": date(2026, 1, 1)}]}, "before it begins"),
    ("treatment", {"treatment": "pain_reliever"}, "kind of a pain reliever"),
    ("treatment", {"reliever": "nsaid"}, "nothing else"),
    ("treatment", {"until": EARLIER}, "before it begins"),
    ("ergonomics", {"met": ["monitor"], "unmet": ["monitor"]}, "not both"),
    ("check_in", {"soreness": 11}, "less than or equal to 10"),
    ("check_in", {"signs": ["soreness_rising"]}, "yes or no"),
    ("check_in", {"which": "3h"}, "2h"),
    ("icing", {"ended": AT}, "has a reason"),
    ("icing", {"why": "done"}, "a reason an end"),
    ("icing", {"ended": EARLIER, "why": "done"}, "before it begins"),
    ("flag", {"signs": []}, "at least 1"),
    ("flag_handling", {"done": ""}, "at least 1"),
    ("rating", {"score": 2.5}, "integer"),
    ("rating", {"spots": [{"at": {"view": "foot", "x": 0, "y": 0}}]}, "head_left"),
    ("rating", {"spots": [{"at": {"x": 1.5, "y": 0}}]}, "less than or equal to 1"),
    ("flare", {"ended": EARLIER}, "before it begins"),
    ("function", {"activities": [{"activity": f"do {i}", "score": 1} for i in range(6)]}, "at most 5"),
    ("function", {"activities": [{"activity": "Read", "score": 1}, {"activity": "read", "score": 2}]},
     "once"),
    ("injection", {"sites": [PLACE, PLACE]}, "each muscle and side once"),
    ("injection", {"sites": []}, "at least 1"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "change", "sentence"), WRONG)
def test_what_cannot_be_is_refused(kind: str, change: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValidationError, match=re.escape(sentence)):
        KINDS[kind](**GIVEN[kind] | change)


def test_two_kinds_of_one_name_are_refused() -> None:
    class Double(Entry):
        kind = "note"

    with pytest.raises(ValueError, match="called note"):
        by_kind([*KINDS.values(), Double])


EMERGENCY = {Sign.BREATHING_DIFFICULTY, Sign.SUDDEN_CHEST_PAIN, Sign.FACE_OR_THROAT_SWELLING}
ASK = {Sign.PAIN_PERSISTING, Sign.PAIN_GROWING, Sign.SORENESS_RISING, Sign.SORENESS_LASTING}


@pytest.mark.parametrize("sign", Sign)
def test_each_sign_has_the_urgency_that_the_document_gives(sign: Sign) -> None:
    urgency = FLAG_TEXTS[SIGN_CODES[sign]].urgency
    promptly = Urgency.ASK_CLINICIAN if sign in ASK else Urgency.PROMPTLY
    assert urgency is (Urgency.EMERGENCY_NOW if sign in EMERGENCY else promptly)


@pytest.mark.parametrize("code", FlagCode)
def test_a_text_says_what_to_do_and_names_no_disease(code: FlagCode) -> None:
    text = FLAG_TEXTS[code]
    says = {
        Urgency.EMERGENCY_NOW: "emergency number now",
        Urgency.PROMPTLY: "medical attention promptly",
        Urgency.ASK_CLINICIAN: "your clinician",
    }
    for told in (text.told(blood_thinner=True), text.told(blood_thinner=False)):
        assert says[text.urgency] in told
    everything = " ".join([text.heading, text.patient, text.on_blood_thinner, text.team]).lower()
    assert not re.search(r"infect|allerg|anaphyl|pneumo|lung|diagnos|abscess|haematoma", everything)
    assert text.team


def test_only_bleeding_is_told_otherwise_to_those_on_blood_thinners() -> None:
    other = {c for c, t in FLAG_TEXTS.items() if t.told(blood_thinner=True) != t.told(blood_thinner=False)}
    assert other == {FlagCode.BLEEDING}


def test_every_question_is_of_a_sign_that_is_asked_for_and_ends_as_one() -> None:
    assert set(QUESTIONS) == ASKED
    assert all(question.endswith("?") for question in QUESTIONS.values())
    assert all("normal" in text for text in NORMAL_TEXTS.values())
