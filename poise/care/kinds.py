"""All kinds of entry in a clinical record."""

from typing import Final

from poise.care.assessments import Assessment, History
from poise.care.consents import DataConsent, ProcedureConsent
from poise.care.entry import Kinds, by_kind
from poise.care.first_days import CheckIn, Icing, Skin
from poise.care.flags import Flag, FlagHandling
from poise.care.injections import Injection
from poise.care.plans import Plan, PlanReview
from poise.care.ratings import Flare, Function, Rating
from poise.care.sheets import SheetRead
from poise.care.treatments import Ergonomics, Treatment
from poise.care.visits import Appointment, Note, Question

KINDS: Final[Kinds] = by_kind(
    [
        Appointment,
        Assessment,
        CheckIn,
        DataConsent,
        Ergonomics,
        Flag,
        FlagHandling,
        Flare,
        Function,
        History,
        Icing,
        Injection,
        Note,
        Plan,
        PlanReview,
        ProcedureConsent,
        Question,
        Rating,
        SheetRead,
        Skin,
        Treatment,
    ]
)
"""By kind."""
