"""An appointment that comes again keeps its weekday and its local time."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfoNotFoundError

import pytest
from care_makers import VIENNA

from analytics.care.appointments import occurrences
from poise.care.visits import Appointment, Repeat

BEGIN, END = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)


def appointment(zone: str = "Europe/Vienna", at: time = time(9), **given: Any) -> Appointment:
    fields = {"day": date(2026, 3, 16), "at": at, "zone": zone, "whom": "Dr A", "purpose": "injection"}
    return Appointment.model_validate(fields | given)


@pytest.mark.parametrize(
    ("given", "days"),
    [
        ({}, ["03-16"]),
        ({"repeat": Repeat(count=3)}, ["03-16", "03-23", "03-30"]),
        ({"repeat": Repeat(every_weeks=2, count=3)}, ["03-16", "03-30", "04-13"]),
        ({"repeat": Repeat(every_weeks=2, until=date(2026, 4, 13))}, ["03-16", "03-30", "04-13"]),
        ({"repeat": Repeat(every_weeks=2, until=date(2026, 4, 12))}, ["03-16", "03-30"]),
        ({"repeat": Repeat(count=3), "left_out": (date(2026, 3, 23),)}, ["03-16", "03-30"]),
    ],
)
def test_a_row_of_appointments(given: dict[str, Any], days: list[str]) -> None:
    found = [at.astimezone(VIENNA) for at in occurrences(appointment(**given), BEGIN, END)]
    assert [f"{at:%m-%d %H:%M}" for at in found] == [f"{day} 09:00" for day in days]


def test_daylight_saving_moves_the_moment_and_not_the_local_time() -> None:
    first, second, third = occurrences(appointment(repeat=Repeat(count=3)), BEGIN, END)
    assert (second - first, third - second) == (timedelta(days=7), timedelta(days=7, hours=-1))


def test_a_row_without_end_is_given_as_far_as_it_is_asked_for() -> None:
    found = occurrences(appointment(repeat=Repeat()), BEGIN, END)
    assert len(found) == 42
    assert found == occurrences(appointment(repeat=Repeat()), found[0], found[-1] + timedelta(seconds=1))
    assert occurrences(appointment(repeat=Repeat()), found[1], found[3]) == found[1:3]
    assert occurrences(appointment(repeat=Repeat()), BEGIN, found[0]) == ()
    assert occurrences(appointment(repeat=Repeat()), BEGIN - timedelta(days=99), BEGIN) == ()


def test_a_zone_that_is_none_is_an_error() -> None:
    with pytest.raises(ZoneInfoNotFoundError):
        occurrences(appointment("Europe/Atlantis"), BEGIN, END)
