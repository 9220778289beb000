"""From signs to red flags, and which of them nobody has dealt with yet."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from analytics.care.healing import answered, counted, judged
from analytics.care.local import day_of
from poise.care.assessments import History
from poise.care.first_days import CheckIn
from poise.care.flags import Flag, FlagCode, FlagHandling, Sign, Urgency
from poise.care.injections import Injection
from poise.care.red_flags import FLAG_TEXTS, SIGN_CODES, TEXT_VERSION

_RANK: Final = {urgency: i for i, urgency in enumerate(Urgency)}


def on_blood_thinner(histories: Iterable[History], now: datetime, zone: ZoneInfo) -> bool:
    """Return whether the newest history marks a medication as a blood thinner that is taken today.

    What nobody has entered is not assumed: without a history it is no.
    """
    known = [history for history in histories if history.at <= now]
    newest = max(known, key=lambda history: history.at, default=None)
    today = day_of(now, zone)
    return newest is not None and any(
        one.blood_thinner
        and (one.since is None or one.since <= today)
        and (one.until is None or today <= one.until)
        for one in newest.medications
    )


def flags_of(
    source: UUID,
    check_ins: Mapping[UUID, CheckIn],
    injections: Mapping[UUID, Injection],
    zone: ZoneInfo,
    *,
    blood_thinner: bool,
) -> tuple[Flag, ...]:
    """Return the flags that a check-in raises, the most urgent first; () for normal healing.

    Args:
        source: the entry of the check-in to judge; those given after it are passed over.
        check_ins: all of the patient's, by entry.
        injections: by entry. Where the check-in names none of them, what it holds by itself still counts.
        zone: the patient's.
        blood_thinner: `on_blood_thinner`.
    """
    given = check_ins[source]
    injection = injections.get(given.injection)
    if injection is None or given.at < injection.at:
        return flags_from(answered(given, blood_thinner=blood_thinner), given.at, given.injection, source)
    before = [c for key, c in check_ins.items() if key != source and c.at <= given.at]
    answers = [*counted(given.injection, injection, before, zone)]
    answers += counted(given.injection, injection, [given], zone)
    signs = judged(answers, injection, blood_thinner=blood_thinner).signs
    return flags_from(signs, given.at, given.injection, source)


def flags_from(
    signs: Iterable[Sign], at: datetime, injection: UUID | None, source: UUID | None
) -> tuple[Flag, ...]:
    """Return one flag for each code among the signs, the most urgent first."""
    by_code: dict[FlagCode, list[Sign]] = {}
    for sign in signs:
        by_code.setdefault(SIGN_CODES[sign], []).append(sign)
    found = [
        Flag(
            at=at,
            code=code,
            urgency=FLAG_TEXTS[code].urgency,
            signs=tuple(those),
            injection=injection,
            source=source,
            text_version=TEXT_VERSION,
        )
        for code, those in by_code.items()
    ]
    return tuple(sorted(found, key=lambda flag: _RANK[flag.urgency]))


def open_flags(flags: Mapping[UUID, Flag], handlings: Iterable[FlagHandling]) -> dict[UUID, Flag]:
    """Return the flags that nobody has dealt with, the most urgent first, of those the oldest.

    A flag goes by nothing else: not by time, not by better answers, not by having been seen.
    """
    done = {one.flag for one in handlings if one.dealt_with}
    left = [(key, flag) for key, flag in flags.items() if key not in done]
    return dict(sorted(left, key=lambda one: (_RANK[one[1].urgency], one[1].at)))


def to_raise(
    found: Iterable[Flag], flags: Mapping[UUID, Flag], handlings: Iterable[FlagHandling]
) -> list[Flag]:
    """Return those of the flags that are new: a code that is open for the injection is not marked twice.

    One that brings a further sign is new all the same, and so is one reported again after somebody has dealt
    with it. The patient is told of each every time.
    """
    there: dict[tuple[FlagCode, UUID | None], set[Sign]] = {}
    for flag in open_flags(flags, handlings).values():
        there.setdefault((flag.code, flag.injection), set()).update(flag.signs)
    return [flag for flag in found if not set(flag.signs) <= there.get((flag.code, flag.injection), set())]
