"""Fifty simulated patients and their first days after an injection, played fast.

A script says what a patient answers, when, and which flags that must raise. The player goes through the days
in steps of half an hour, asks as the program would, answers as the script says, and lets the team deal with
each flag some hours after it was raised, or never.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
from care_makers import KOLKATA, LORD_HOWE, NEW_YORK, VIENNA, answer, identity, injected

from analytics.care.checkins import Asked, State, asked, silent
from analytics.care.flags import flags_of, on_blood_thinner, open_flags, to_raise
from analytics.care.phases import phase_at
from analytics.care.prompts import delivered
from analytics.care.settings import QUIET
from poise.care.assessments import History, Medication
from poise.care.first_days import Bleeding, CheckIn, Extent, Which
from poise.care.flags import Flag, FlagCode, FlagHandling, Sign
from poise.care.injections import Injection
from poise.care.plans import Phase

H2, H24, H48, H72, D7 = Which
NONE, SOME, MORE = Extent
STEP = timedelta(minutes=30)
LOOK = 8
"""Steps from one look at the phase to the next."""
DAYS = 10
KEY = identity(1)
When = Which | float
"""A check-in, or hours after the injection for a report in between."""
DATES = ("2026-02-10", "2026-03-27", "2026-04-02", "2026-07-01", "2026-10-23", "2026-10-30", "2026-12-29")
"""Some lie before the clocks change, forward and back, in the zones below."""
ZONES = (VIENNA, NEW_YORK, KOLKATA, LORD_HOWE)


@dataclass
class Script:
    """One patient.

    Attributes:
        name: what goes on.
        answers: what is answered, and where; a check-in that is not named stays without answer.
        flags: what each answer must newly raise; all others nothing.
        silent: whether the team must be asked to call.
        thinner: whether a blood thinner is taken.
        handled_h: hours after which the team deals with a flag, None for never.
    """

    name: str
    zone: ZoneInfo
    at: datetime
    delay: timedelta
    answers: dict[When, dict[str, Any]]
    flags: dict[When, set[FlagCode]] = field(default_factory=dict)
    silent: bool = False
    thinner: bool = False
    handled_h: float | None = 20.0


def healing(rng: np.random.Generator) -> dict[When, dict[str, Any]]:
    """Return answers of normal healing: soreness with its peak at 24 or 48 hours, all of it gone by day 7."""
    top = int(rng.integers(2, 9))
    early, other = int(rng.integers(0, 3)), int(rng.integers(1, top + 1))
    late = int(rng.integers(0, max(1, min(other, top - 1))))
    first, second = (top, other) if rng.random() < 0.5 else (other, top)
    found: dict[When, dict[str, Any]] = {}
    for which, soreness in zip(Which, (min(early, other), first, second, late, 0), strict=True):
        fresh = which in (H2, H24) or (which is H48 and rng.random() < 0.5)
        found[which] = {
            "soreness": soreness,
            "stiffness": int(rng.integers(0, 4)),
            "redness": SOME if fresh and rng.random() < 0.7 else NONE,
            "swelling": SOME if fresh and rng.random() < 0.5 else NONE,
            "bruising": SOME if rng.random() < 0.5 else NONE,
            "bleeding": Bleeding.STOPPED if which is H2 and rng.random() < 0.5 else Bleeding.NONE,
            "pain": {H2: 2, H24: 6, H48: 5, H72: 3, D7: 2}[which] + int(rng.integers(0, 2)),
            "relievers": ("nsaid",) if soreness > 4 else (),
            "work": "limited" if soreness > 5 else "as_usual",
        }
    return found


def _script(name: str, number: int, rng: np.random.Generator) -> Script:
    zone = ZONES[number % len(ZONES)]
    day = date.fromisoformat(DATES[number % len(DATES)])
    hour, minute = int(rng.integers(7, 20)), int(rng.integers(0, 60))
    at = datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone).astimezone(UTC)
    delay = timedelta(minutes=int(rng.integers(0, 180)))
    never = None if number % 7 == 3 else float(rng.integers(1, 30))
    return Script(name, zone, at, delay, healing(rng), handled_h=never)


def _infection(script: Script, rng: np.random.Generator) -> None:
    onset: When = (H48, H72, float(rng.integers(75, 160)))[int(rng.integers(0, 3))]
    signs = ((Sign.WARMTH,), (Sign.DRAINAGE, Sign.PAIN_INCREASING), (Sign.FEVER, Sign.CHILLS))
    picked = signs[int(rng.integers(0, 3))]
    script.answers.setdefault(onset, {}).update(redness=MORE, swelling=MORE, signs=picked)
    script.flags[onset] = {FlagCode.SITE} | ({FlagCode.FEVER} if Sign.FEVER in picked else set())


def _allergy(script: Script, rng: np.random.Generator) -> None:
    onset: When = (H2, 0.5, float(rng.integers(3, 12)))[int(rng.integers(0, 3))]
    severe = rng.random() < 0.5
    signs = (Sign.HIVES, Sign.ITCHING) if rng.random() < 0.5 else (Sign.ITCHING,)
    script.flags[onset] = {FlagCode.SKIN_REACTION}
    if severe:
        signs += (Sign.BREATHING_DIFFICULTY, Sign.FACE_OR_THROAT_SWELLING)
        script.flags[onset] |= {FlagCode.BREATHING, FlagCode.FACE_OR_THROAT}
    script.answers.setdefault(onset, {})["signs"] = signs


def _nerve(script: Script, rng: np.random.Generator) -> None:
    onset = (H2, H24, H48, float(rng.integers(3, 100)))[int(rng.integers(0, 4))]
    sign = (Sign.NUMBNESS, Sign.TINGLING, Sign.WEAKNESS)[int(rng.integers(0, 3))]
    script.answers.setdefault(onset, {})["signs"] = (sign,)
    script.flags[onset] = {FlagCode.NERVE}


def _rising(script: Script, rng: np.random.Generator) -> None:
    """Soreness rises on after 48 hours, or is there on day 7, or both."""
    kind = int(rng.integers(0, 3))
    if kind != 1:
        for which, soreness in zip((H24, H48, H72), (3, 5, int(rng.integers(6, 9))), strict=True):
            script.answers[which]["soreness"] = soreness
        script.flags[H72] = {FlagCode.SORENESS}
    if kind != 0:
        script.answers[D7]["soreness"] = int(rng.integers(1, 3)) if kind == 2 else 1
        script.flags[D7] = {FlagCode.SORENESS}


def _none(script: Script, rng: np.random.Generator) -> None:
    kept = list(Which)[: int(rng.integers(0, 4))]
    script.answers = {which: script.answers[which] for which in kept}
    script.silent = True


def _bleeding(script: Script, rng: np.random.Generator) -> None:
    script.thinner = bool(rng.random() < 0.7)
    script.answers[H2]["bleeding"] = Bleeding.RETURNING if script.thinner else Bleeding.NOT_STOPPING
    script.flags[H2] = {FlagCode.BLEEDING}


def _pain(script: Script, rng: np.random.Generator) -> None:
    script.answers[D7]["pain"] = int(rng.integers(5, 7))
    script.flags[D7] = {FlagCode.PAIN}


COURSES = {
    "normal healing": (18, None),
    "infection": (7, _infection),
    "allergy": (6, _allergy),
    "nerve signs": (6, _nerve),
    "rising soreness": (6, _rising),
    "no answers": (4, _none),
    "bleeding": (2, _bleeding),
    "pain that stays": (1, _pain),
}
"""How many of each; fifty in all."""


def scripts() -> Iterator[Script]:
    """Yield the fifty; the same in every run."""
    number = 0
    for name, (count, disturb) in COURSES.items():
        for _ in range(count):
            rng = np.random.default_rng(number)
            script = _script(name, number, rng)
            if disturb is not None:
                disturb(script, rng)
            yield script
            number += 1


@dataclass
class Week:
    """What came of one patient's first days.

    Attributes:
        raised: flags, by entry, each with where in the script it came from.
        stays: entries of flags that were up, for every step.
        silent: steps at which the team was asked to call.
        phases: in the order in which they held.
        states: of the check-ins in the end.
    """

    script: Script
    injection: Injection
    check_ins: dict[UUID, CheckIn] = field(default_factory=dict)
    flags: dict[UUID, Flag] = field(default_factory=dict)
    handlings: list[FlagHandling] = field(default_factory=list)
    origin: dict[UUID, When] = field(default_factory=dict)
    up: list[tuple[datetime, frozenset[UUID]]] = field(default_factory=list)
    silent: list[datetime] = field(default_factory=list)
    phases: list[Phase] = field(default_factory=list)
    states: list[State] = field(default_factory=list)

    def raised(self) -> dict[When, set[FlagCode]]:
        """Return the codes by where in the script they came from."""
        found: dict[When, set[FlagCode]] = {}
        for key, flag in self.flags.items():
            found.setdefault(self.origin[key], set()).add(flag.code)
        return found


def play(script: Script) -> Week:
    """Go through the days of one patient."""
    week = Week(script, injected(script.at, pain_before=6))
    pills = (Medication(name="a blood thinner", blood_thinner=True),) if script.thinner else ()
    history = History(at=script.at - timedelta(days=9), medications=pills)
    for step in range(int(timedelta(days=DAYS) / STEP)):
        now = script.at + step * STEP
        row = _asked(week, now)
        if _answer(week, now, row, history):
            row = _asked(week, now)
        _handle(week, now)
        week.up.append((now, frozenset(open_flags(week.flags, week.handlings))))
        week.states = [one.state for one in row]
        if silent(row):
            week.silent.append(now)
        if step % LOOK == 0:
            held = phase_at(now, [week.injection], None, script.zone)
            week.phases += [held.phase] if held and held.phase not in week.phases else []
    return week


def _asked(week: Week, now: datetime) -> tuple[Asked, ...]:
    return asked(now, KEY, week.injection, week.check_ins.values(), QUIET, week.script.zone)


def _answer(week: Week, now: datetime, row: tuple[Asked, ...], history: History) -> bool:
    """Give every answer whose time has come; return whether there was one."""
    script, before = week.script, len(week.check_ins)
    for one in row:
        if one.which not in script.answers or one.answer is not None or now < one.opens + script.delay:
            continue
        if now >= delivered(one.opens + script.delay, QUIET, script.zone):
            _give(week, now, one.which, history)
    for when in script.answers:
        if isinstance(when, float) and abs(now - script.at - timedelta(hours=when)) < STEP / 2:
            _give(week, now, when, history)
    return len(week.check_ins) > before


def _give(week: Week, now: datetime, when: When, history: History) -> None:
    key = identity(100 + len(week.check_ins))
    which = when if isinstance(when, Which) else None
    week.check_ins[key] = answer(now, KEY, which, **week.script.answers[when])
    thinner = on_blood_thinner([history], now, week.script.zone)
    found = flags_of(key, week.check_ins, {KEY: week.injection}, week.script.zone, blood_thinner=thinner)
    for flag in to_raise(found, week.flags, week.handlings):
        mark = identity(1000 + len(week.flags))
        week.flags[mark], week.origin[mark] = flag, when


def _handle(week: Week, now: datetime) -> None:
    hours = week.script.handled_h
    if hours is None:
        return
    for key, flag in open_flags(week.flags, week.handlings).items():
        if now - flag.at >= timedelta(hours=hours):
            done = FlagHandling(at=now, flag=key, by="Dr A", done="called, seen", dealt_with=True)
            week.handlings.append(done)
