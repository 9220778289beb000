"""Sensors and the injection site: what must stay free, what to wear instead, and what can then be judged.

No sensor on a fresh puncture. Which places lie over which muscle follows from origins and insertions as in
the project's document: upper trapezius over the shoulder ridge to the spine of the scapula; levator scapulae
to the scapula's upper angle; rhomboid minor from C7 and T1, major from T2 to T5, both to the scapula's inner
border; serratus posterior superior from C7 to T3 to the ribs under the scapula. How near is too near, and for
how long, is a project decision: the whole place, for as long as the protected phase and at least 48 hours,
and for as long as a flag about the site is open.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np

from analytics.care.local import day_of
from analytics.care.phases import bounds
from analytics.posture.rules import DEFAULT_PLAN, Worn, deviations, unseen
from poise.care.first_days import Skin, SkinLook
from poise.care.flags import Flag, FlagCode
from poise.care.injections import Injection, Muscle, Side
from poise.care.plans import Plan
from poise.results import Kind
from poise.skeleton import Segment, place

FRESH_H: Final = 48
"""Hours for which a puncture counts as fresh at least. Project decision."""
_BLADE: Final = {Side.LEFT: Segment.SCAPULA_LEFT, Side.RIGHT: Segment.SCAPULA_RIGHT}
_MIDDLE: Final = {
    Muscle.UPPER_TRAPEZIUS: (),
    Muscle.LEVATOR_SCAPULAE: (),
    Muscle.RHOMBOID_MINOR: (Segment.C7,),
    Muscle.RHOMBOID_MAJOR: (Segment.T4,),
    Muscle.SERRATUS_POSTERIOR_SUPERIOR: (Segment.C7, Segment.T4),
}
"""Places over the spine that lie too near, beside the shoulder blade of the side, which always does."""
_INSTEAD: Final = {
    Segment.C7: (Segment.T4, Segment.HEAD),
    Segment.T4: (Segment.T12,),
    Segment.SCAPULA_LEFT: (Segment.UPPER_ARM_LEFT,),
    Segment.SCAPULA_RIGHT: (Segment.UPPER_ARM_RIGHT,),
}
GARMENT: Final = (
    "Or wear it in the pocket of a close garment over {place}, without adhesive and without pressure. It "
    "moves more there, so calibrate anew and expect less exact angles."
)
SKIN_QUESTION: Final = (
    "How does the skin under the sensor look and feel? The injection has questions of its own."
)
SKIN_REST_H: Final = 24
"""Hours without a sensor after skin that stays red or itches. Project decision; broken skin rests until it
is said to be better."""


@dataclass(frozen=True, slots=True)
class Blocked:
    """A place that must stay free.

    Attributes:
        segment: which.
        until: None while it is not known: until a flag is dealt with, or the skin is said to be better.
        why: a sentence for the patient.
    """

    segment: Segment
    until: datetime | None
    why: str


@dataclass(frozen=True, slots=True)
class Instead:
    """What to do for one blocked place.

    Attributes:
        blocked: the place.
        segments: others to wear a sensor on, best first; () if each is blocked or worn already.
        garment: the sentence about a garment mount.
    """

    blocked: Blocked
    segments: tuple[Segment, ...]
    garment: str


@dataclass(frozen=True, slots=True)
class Wearing:
    """What can be worn of what was wanted, and what that can tell.

    Attributes:
        free: wanted and not blocked.
        instead: for each wanted place that is blocked.
        judged: kinds of posture that are judged with `free` alone.
        lost: kinds that the wanted set would judge, and `free` does not.
        unseen: sentences on what cannot be judged with `free`.
    """

    free: tuple[str, ...]
    instead: tuple[Instead, ...]
    judged: tuple[Kind, ...]
    lost: tuple[Kind, ...]
    unseen: tuple[str, ...]


def near(muscle: Muscle, side: Side) -> tuple[Segment, ...]:
    """Return the places that lie over a muscle."""
    return (_BLADE[side], *_MIDDLE[muscle])


def blocked(
    now: datetime,
    injections: Mapping[UUID, Injection],
    plan: Plan | None,
    open_flags: Iterable[Flag] = (),
    skins: Iterable[Skin] = (),
) -> tuple[Blocked, ...]:
    """Return every place that must stay free now, each once, with the longest of its reasons."""
    sore = {flag.injection for flag in open_flags if flag.code is FlagCode.SITE}
    fresh = timedelta(hours=max(FRESH_H, bounds(plan).protected_h))
    found = list(_resting(now, skins))
    for key, injection in injections.items():
        until = None if key in sore else injection.at + fresh
        if injection.at <= now and (until is None or now < until):
            found += [
                Blocked(segment, until, f"An injection was given at {place(segment)}: let the skin close.")
                for site in injection.sites
                for segment in near(site.muscle, site.side)
            ]
    longest: dict[Segment, Blocked] = {}
    for one in sorted(found, key=_lasts):
        longest[one.segment] = one
    return tuple(longest[segment] for segment in Segment if segment in longest)


def _lasts(one: Blocked) -> float:
    return one.until.timestamp() if one.until else float("inf")


def _resting(now: datetime, skins: Iterable[Skin]) -> Iterable[Blocked]:
    """Yield places whose skin must rest from the sensor, whatever there was of injections."""
    newest = {skin.segment: skin for skin in sorted(skins, key=lambda skin: skin.at) if skin.at <= now}
    for name, skin in newest.items():
        if name not in set(Segment):
            continue
        segment = Segment(name)
        why = f"The skin under the sensor at {place(segment)} needs a rest."
        if skin.look is SkinLook.BROKEN:
            yield Blocked(segment, None, why)
        until = skin.at + timedelta(hours=SKIN_REST_H)
        if skin.look in (SkinLook.RED_STAYING, SkinLook.ITCHING) and now < until:
            yield Blocked(segment, until, why)


def wearing(wanted: Iterable[str], places: Iterable[Blocked]) -> Wearing:
    """Return what to wear and what it can tell.

    Args:
        wanted: segments that would be worn.
        places: as `blocked`.
    """
    wish = tuple(dict.fromkeys(wanted))
    shut = {one.segment: one for one in places}
    free = tuple(name for name in wish if name not in shut)
    instead = tuple(_instead(one, free, shut) for segment, one in shut.items() if segment in wish)
    had, has = _judged(wish), _judged(free)
    lost = tuple(kind for kind in had if kind not in has)
    return Wearing(free, instead, has, lost, tuple(unseen(_worn(free))))


def _instead(one: Blocked, free: tuple[str, ...], shut: Mapping[Segment, Blocked]) -> Instead:
    offers = (s for s in _INSTEAD.get(one.segment, ()) if s not in free and s not in shut)
    return Instead(one, tuple(offers), GARMENT.format(place=place(one.segment)))


def _worn(segments: tuple[str, ...]) -> Worn:
    return Worn({name: i for i, name in enumerate(segments)}, {})


def _judged(segments: tuple[str, ...]) -> tuple[Kind, ...]:
    """Return the kinds that the rules of posture judge with these segments."""
    upright = np.zeros((1, len(segments)))
    found = {d.kind for d in deviations(upright, upright, _worn(segments), DEFAULT_PLAN)}
    return tuple(kind for kind in Kind if kind in found)


def skin_asked(now: datetime, glued: Iterable[str], skins: Iterable[Skin], zone: ZoneInfo) -> tuple[str, ...]:
    """Return the segments whose skin is to be asked about: glued on, and not told of on this local day."""
    told = {skin.segment for skin in skins if skin.at <= now and day_of(skin.at, zone) == day_of(now, zone)}
    return tuple(name for name in glued if name not in told)
