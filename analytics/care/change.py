"""Real change told from noise: published detectable and important changes, and a three-way answer.

A change matters from the least that patients call important (MCID, MCIC) on. It is more than noise from
the minimal detectable change of one person (MDC, with 95 % confidence) on. For 0 to 10 ratings of neck pain
the MDC is the larger: most changes that matter to patients lie within the noise of a single pair of ratings,
and that is said instead of hidden. No change is known where it is smaller than what matters.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from poise.care.ratings import Function


class Measure(StrEnum):
    """What was rated, 0 to 10."""

    PAIN = "pain"
    PAIN_WITH_REFERRAL = "pain_with_referral"
    REFERRED_PAIN = "referred_pain"
    HEADACHE = "headache"
    SORENESS = "soreness"
    FUNCTION = "function"


@dataclass(frozen=True, slots=True)
class Yardstick:
    """What a change is held against.

    Attributes:
        mdc: points; more than noise from here on.
        mcid: points; matters from here on.
        source: where both are from.
        more_is_better: for function.
    """

    mdc: float
    mcid: float
    source: str
    more_is_better: bool = False


_KOVACS: Final = "Kovacs and others 2008, doi:10.1186/1471-2474-9-43 (n = 658, 3 months)"
YARDSTICKS: Final = {
    Measure.PAIN: Yardstick(4.0, 1.5, _KOVACS),
    Measure.PAIN_WITH_REFERRAL: Yardstick(4.2, 1.5, _KOVACS),
    Measure.REFERRED_PAIN: Yardstick(6.2, 1.5, _KOVACS),
    Measure.HEADACHE: Yardstick(2.4, 2.5, "Young and others 2019, Cephalalgia 39:44-51 (n = 110, 4 weeks)"),
    Measure.SORENESS: Yardstick(
        4.0, 1.5, "none published for soreness; neck pain stands in: project decision"
    ),
    Measure.FUNCTION: Yardstick(
        2.1,
        2.0,
        "Cleland and others 2006, doi:10.1097/01.brs.0000201241.90914.22 (n = 38)",
        more_is_better=True,
    ),
}
"""By measure. The MCIC of neck pain is the ROC cut-off; Cleland 2008 has 1.3 for mechanical neck pain, and
by the mean change of those improved it would be 4.1. For a mean of self-chosen activities others have MDC
3.3 and MCID 2.2 (Young 2010, doi:10.1097/PHM.0b013e3181ec98e6, cervical radiculopathy) and 1.1 as detectable
(Thoomes 2023, doi:10.1093/ptj/pzad113, nonspecific neck pain): the middle is taken, a project decision. All
are of people with neck pain or cervical radiculopathy, none of people after an injection."""


class Answer(StrEnum):
    """What can be said of a change."""

    REAL = "more than noise, and it matters"
    WITHIN_NOISE = "it matters, but lies within noise"
    NONE_KNOWN = "no change is known"


@dataclass(frozen=True, slots=True)
class Change:
    """A change from one rating to another.

    Attributes:
        measure: of what.
        points: better is positive.
        answer: what can be said of it.
    """

    measure: Measure
    points: float
    answer: Answer

    @property
    def better(self) -> bool | None:
        """Whether it is better; None where no change is known."""
        return None if self.answer is Answer.NONE_KNOWN else self.points > 0


def change(measure: Measure, before: float, now: float) -> Change:
    """Return what can be said of a change between two ratings, 0 to 10."""
    stick = YARDSTICKS[measure]
    # Means of whole numbers carry rounding errors, and a limit must not hang on them.
    points = round((now - before) if stick.more_is_better else (before - now), 6)
    if abs(points) < stick.mcid:
        return Change(measure, points, Answer.NONE_KNOWN)
    return Change(measure, points, Answer.REAL if abs(points) >= stick.mdc else Answer.WITHIN_NOISE)


def function_change(before: Function, now: Function) -> Change | None:
    """Return what can be said of the activities that both times have, None if there are none.

    Activities that were rated once only are left out: another choice of activities is no change.
    """
    then = {doing.activity.casefold(): doing.score for doing in before.activities}
    both = [(then[d.activity.casefold()], d.score) for d in now.activities if d.activity.casefold() in then]
    if not both:
        return None
    return change(
        Measure.FUNCTION, sum(was for was, _ in both) / len(both), sum(is_ for _, is_ in both) / len(both)
    )
