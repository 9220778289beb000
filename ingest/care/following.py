"""What follows from an entry by the rules of care."""

from collections.abc import Sequence
from uuid import UUID

from analytics.care.flags import flags_of, on_blood_thinner, to_raise
from ingest.care.reading import Course
from poise.care.flags import Flag


def flags_after(course: Course, check_in: UUID) -> Sequence[Flag]:
    """Return the flags to raise after a check-in that the course holds already, the most urgent first."""
    given = course.check_ins.get(check_in)
    if given is None:
        return ()
    histories = [course.history] if course.history else []
    found = flags_of(
        check_in,
        course.check_ins,
        course.injections,
        course.zone,
        blood_thinner=on_blood_thinner(histories, given.at, course.zone),
    )
    return to_raise(found, course.flags, course.handlings)
