"""Entries for the tests of the rules of care."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from poise.care.first_days import CheckIn, Which
from poise.care.injections import Guidance, Injection, Muscle, Position, Side, Site

VIENNA = ZoneInfo("Europe/Vienna")
NEW_YORK = ZoneInfo("America/New_York")
KOLKATA = ZoneInfo("Asia/Kolkata")
SAO_PAULO = ZoneInfo("America/Sao_Paulo")
LORD_HOWE = ZoneInfo("Australia/Lord_Howe")
APIA = ZoneInfo("Pacific/Apia")


def identity(number: int) -> UUID:
    """Return an id that a test can read."""
    return UUID(int=number)


def local(text: str, zone: ZoneInfo = VIENNA, fold: int = 0) -> datetime:
    """Return a moment from what a local clock shows."""
    return datetime.fromisoformat(text).replace(tzinfo=zone, fold=fold).astimezone(UTC)


def injected(
    at: datetime,
    course: str = "",
    sites: Iterable[tuple[Muscle, Side]] = ((Muscle.UPPER_TRAPEZIUS, Side.LEFT),),
    pain_before: int | None = None,
) -> Injection:
    """Return an injection."""
    return Injection(
        at=at,
        operator="Dr A",
        position=Position.PRONE,
        sites=tuple(Site(muscle=muscle, side=side, points=2) for muscle, side in sites),
        guidance=Guidance.PALPATION,
        course=course,
        pain_before=pain_before,
    )


def answer(at: datetime, injection: UUID, which: Which | None = None, **given: Any) -> CheckIn:
    """Return a check-in."""
    return CheckIn(at=at, injection=injection, which=which, **given)
