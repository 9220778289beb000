"""The aftercare sheet, made from record and plan: plain words, and nothing that the record does not say.

What it advises in the first days is the document's: limit strenuous effort, move gently, ice for 15 to 20
minutes, know what is normal and when to get help. The wording is this project's, not reviewed by a clinician.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from analytics.care.flags import on_blood_thinner
from analytics.care.local import day_of
from analytics.care.phases import bounds
from analytics.care.prompts import check_in_due
from analytics.care.settings import settings_for
from analytics.exercises.catalogue import find_exercise
from poise.care.assessments import History
from poise.care.first_days import Which
from poise.care.flags import FlagCode, Urgency
from poise.care.injections import Injection, Site, Substance
from poise.care.plans import Phase, Plan
from poise.care.red_flags import FLAG_TEXTS, NORMAL_TEXTS, TEXT_VERSION
from poise.care.sheets import Section, Sheet

_SUBSTANCES: Final = {
    Substance.LIDOCAINE: "lidocaine (a local anaesthetic)",
    Substance.BUPIVACAINE: "bupivacaine (a local anaesthetic)",
    Substance.SALINE: "salt water",
    Substance.CORTICOSTEROID: "a corticosteroid",
}
_URGENT: Final = {
    Urgency.EMERGENCY_NOW: ("Call your local emergency number now for", True),
    Urgency.PROMPTLY: ("Get medical attention promptly, today, for", True),
    Urgency.ASK_CLINICIAN: ("Ask your clinician about", False),
}
_SIGNS: Final = {
    FlagCode.BREATHING: "trouble breathing",
    FlagCode.CHEST_PAIN: "sudden pain in the chest",
    FlagCode.FACE_OR_THROAT: "swelling of face or throat",
    FlagCode.SITE: "redness, swelling or pain at the injection site that grows or spreads, warmth, or fluid "
    "that comes out",
    FlagCode.FEVER: "fever or chills",
    FlagCode.SKIN_REACTION: "hives, a rash or itching",
    FlagCode.NERVE: "new numbness, tingling or weakness in an arm or hand",
    FlagCode.BLEEDING: "bleeding that steady pressure does not stop",
    FlagCode.PAIN: "pain that stays or grows",
    FlagCode.SORENESS: "soreness that still rises after two days, or is still there after a week",
}
_CHECK_INS: Final = {
    Which.HOURS_2: "after 2 hours",
    Which.HOURS_24: "after 24 hours",
    Which.HOURS_48: "after 48 hours",
    Which.HOURS_72: "after 72 hours",
    Which.DAY_7: "on day 7",
}


def sheet(injection: Injection, plan: Plan | None, history: History | None, zone: ZoneInfo) -> Sheet:
    """Return the sheet that goes with an injection.

    Args:
        injection: what was done.
        plan: the plan in force at the time.
        history: the newest, None if there is none.
        zone: the patient's.
    """
    thinner = on_blood_thinner([history] if history else [], injection.at, zone)
    cold = history is not None and bool(history.cold_sensitive)
    sections = (
        *_help(blood_thinner=thinner),
        _done(injection, zone),
        _first_days(injection, plan, zone),
        _movements(plan, injection, zone),
        *([] if cold else [_ice()]),
        _relievers(blood_thinner=thinner),
        Section("What is normal", points=tuple(NORMAL_TEXTS.values())),
        _asked(injection, zone),
        _weeks(injection, plan, zone),
        _sensors(),
    )
    title = f"After your {_what(injection.sites)} of {_day(injection.at, zone)}"
    return Sheet(title, sections, _digest(title, sections), TEXT_VERSION)


def _help(*, blood_thinner: bool) -> list[Section]:
    found = []
    for urgency, (heading, urgent) in _URGENT.items():
        points = [_SIGNS[code] for code, text in FLAG_TEXTS.items() if text.urgency is urgency]
        if urgency is Urgency.PROMPTLY and blood_thinner:
            points.append("any bleeding that begins again: you take a blood thinner, so do not wait")
        found.append(Section(heading, points=tuple(points), urgent=urgent))
    return found


def _done(injection: Injection, zone: ZoneInfo) -> Section:
    at = f"{_day(injection.at, zone)}, {injection.at.astimezone(zone):%H:%M}"
    points = tuple(
        f"{site.muscle.replace('_', ' ')}, {site.side}: "
        f"{site.points} trigger point{'s' if site.points > 1 else ''}, {_with(site)}"
        for site in injection.sites
    )
    return Section("What was done", f"On {at}, by {injection.operator}.", points)


def _with(site: Site) -> str:
    if site.dry:
        return "dry needling, nothing was injected"
    return ", ".join(f"{_SUBSTANCES[part.substance]}, {part.volume_ml:g} mL" for part in site.components)


def _first_days(injection: Injection, plan: Plan | None, zone: ZoneInfo) -> Section:
    until = injection.at + timedelta(hours=bounds(plan).protected_h)
    return Section(
        f"Until {_moment(until, zone)}",
        "Take it easy. Gentle movement is fine from the start; strain is not.",
        (
            "Do not lift heavy things.",
            "No strenuous or overhead work with your arms, no sport.",
            "Afterwards a little more each day, as far as it feels comfortable.",
        ),
    )


def _movements(plan: Plan | None, injection: Injection, zone: ZoneInfo) -> Section:
    held = settings_for(Phase.PROTECTED, plan, day_of(injection.at, zone))
    known = [(name, find_exercise(name)) for name in held.exercises]
    points = tuple(exercise.spoken if exercise else name for name, exercise in known)
    return Section("Move gently, from today", "Within comfort, a few times a day.", points)


def _ice() -> Section:
    return Section(
        "Ice",
        "It can ease pain, swelling and bruising.",
        (
            "15 to 20 minutes at a time, several times a day, with breaks between.",
            "A cloth between ice and skin. Stop if the skin turns white, burns or goes numb.",
            "Take sensors off there first; afterwards Poise asks for a quick re-check.",
        ),
    )


def _relievers(*, blood_thinner: bool) -> Section:
    text = "Keep to the dose on the package or the one that your clinician gave you."
    points = ["If pain stays or grows all the same, ask your clinician."]
    if blood_thinner:
        points.insert(0, "You take a blood thinner: ask your clinician which pain reliever you may take.")
    return Section("Pain relievers", text, tuple(points))


def _asked(injection: Injection, zone: ZoneInfo) -> Section:
    points = tuple(
        f"{words}: {_moment(check_in_due(injection, which, zone), zone)}"
        for which, words in _CHECK_INS.items()
    )
    return Section("Poise asks how you are", "Answering takes a minute.", points)


def _weeks(injection: Injection, plan: Plan | None, zone: ZoneInfo) -> Section:
    limits, first = bounds(plan), day_of(injection.at, zone)
    ends = (("Easing", limits.easing_day), ("Restoring", limits.restoring_day))
    points = [f"{name}: to {first + timedelta(days=day):%d %B %Y}" for name, day in ends]
    last = first + timedelta(days=limits.strengthening_day)
    points += [f"Strengthening: to {last:%d %B %Y}", "Then: keep up what helps, also on days without pain."]
    return Section("The weeks ahead", "Your therapist may change these days.", tuple(points))


def _sensors() -> Section:
    return Section(
        "Your sensors",
        points=(
            "No sensor on the fresh puncture; Poise shows another place.",
            "Look at the skin under each sensor when you take it off.",
            "Poise measures and reminds. It does not see how you are; you do.",
        ),
    )


def _what(sites: Sequence[Site]) -> str:
    return "dry needling" if all(site.dry for site in sites) else "injection"


def _day(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%d %B %Y}".lstrip("0")


def _moment(at: datetime, zone: ZoneInfo) -> str:
    return f"{at.astimezone(zone):%A %d %B, %H:%M}"


def _digest(title: str, sections: Sequence[Section]) -> str:
    words = [title, *(w for s in sections for w in (s.heading, s.text, *s.points))]
    return hashlib.sha256("\n".join([str(TEXT_VERSION), *words]).encode()).hexdigest()
