"""What was found before an injection, and what the patient brings along."""

from enum import StrEnum
from typing import Annotated, ClassVar, Self

from pydantic import AfterValidator, Field, model_validator

from poise.care.entry import Entry, Instant, Line, LocalDate, Part, Text, each_once
from poise.care.injections import Muscle, Point, Score, Side, Substance


class Indication(StrEnum):
    """Why an injection is considered; the document names these three."""

    LOCAL_PAIN_WITH_REFERRAL = "local_pain_with_referral"
    PALPABLE_TRIGGER_POINTS = "palpable_trigger_points"
    CONSERVATIVE_CARE_FAILED = "conservative_care_failed"


class Finding(Part):
    """One muscle on one side under the hand; None where it was not looked for.

    Attributes:
        taut_band: felt.
        tenderness: 0 to 10 under pressure.
        referral: whether pressure brings pain elsewhere.
        referred_to: where to.
        twitch: whether a local twitch was seen.
    """

    muscle: Muscle
    side: Side
    at: Point | None = None
    taut_band: bool | None = None
    tenderness: Score | None = None
    referral: bool | None = None
    referred_to: Annotated[tuple[Point, ...], Field(max_length=20)] = ()
    twitch: bool | None = None

    @model_validator(mode="after")
    def _referred_if_somewhere(self) -> Self:
        """Refuse places of a referral that was not found."""
        if self.referred_to and not self.referral:
            raise ValueError("referred_to needs referral")
        return self


class Reason(StrEnum):
    """Why a patient is sent on."""

    NEUROLOGICAL_DEFICIT = "neurological_deficit"
    SUSPECTED_FRACTURE = "suspected_fracture"
    FAILURE_TO_RESPOND = "failure_to_respond"
    OTHER = "other"


class Method(StrEnum):
    """How a picture or a recording is made."""

    X_RAY = "x_ray"
    MRI = "mri"
    CT = "ct"
    ULTRASOUND = "ultrasound"
    EMG = "emg"
    OTHER = "other"


class Imaging(Part):
    """An examination that was asked for or has been made; `result` is "" until it is there."""

    method: Method
    reason: Reason
    on: LocalDate | None = None
    result: Text = ""


class Referral(Part):
    """To somebody else."""

    to: Line
    reason: Reason
    on: LocalDate | None = None
    note: Text = ""


class Assessment(Entry):
    """An examination: what was found and what follows from it."""

    kind: ClassVar[str] = "assessment"

    at: Instant
    by: Line
    indications: Annotated[tuple[Indication, ...], AfterValidator(each_once)] = ()
    findings: Annotated[tuple[Finding, ...], Field(max_length=40)] = ()
    imaging: Annotated[tuple[Imaging, ...], Field(max_length=20)] = ()
    referrals: Annotated[tuple[Referral, ...], Field(max_length=20)] = ()
    note: Text = ""


class Contraindication(StrEnum):
    """What speaks against an injection; the document names these."""

    BLEEDING_DISORDER = "bleeding_disorder"
    ALLERGY = "allergy"
    ACTIVE_INFECTION = "active_infection"
    PREGNANCY = "pregnancy"


class Medication(Part):
    """What a patient takes.

    Attributes:
        blood_thinner: marked by who entered it; the name alone is never read as one.
        since: None if it is not known; then it counts as long taken.
        until: the last day, None while it is taken.
    """

    name: Line
    dose: Text = ""
    blood_thinner: bool
    since: LocalDate | None = None
    until: LocalDate | None = None

    @model_validator(mode="after")
    def _ends_after_it_begins(self) -> Self:
        """Refuse an end before the beginning."""
        if self.since and self.until and self.until < self.since:
            raise ValueError("a medication must not end before it begins")
        return self


class Condition(StrEnum):
    """Comorbidities and differential diagnoses that the document names."""

    NECK_PAIN = "neck_pain"
    DISC_HERNIATION = "disc_herniation"
    FACET = "facet"
    ROTATOR_CUFF = "rotator_cuff"
    THORACIC_OUTLET = "thoracic_outlet"
    IMPINGEMENT = "impingement"
    FIBROMYALGIA = "fibromyalgia"
    CHRONIC_FATIGUE = "chronic_fatigue"
    PSYCHOLOGICAL_LOAD = "psychological_load"
    OTHER = "other"


class Standing(StrEnum):
    """What a clinician says of a condition."""

    PRESENT = "present"
    CONSIDERED = "considered"
    RULED_OUT = "ruled_out"


class KnownCondition(Part):
    """One condition and its standing, as a clinician entered it."""

    what: Condition
    standing: Standing
    note: Text = ""


class History(Entry):
    """What a patient brings along; the newest holds as a whole.

    Attributes:
        contraindications: those that are present.
        looked_for: those that were asked about; what was not is not known to be absent.
        allergic_to: of what is injected.
        medications: current and past.
        cold_sensitive: whether cold harms (cold urticaria, Raynaud); then no ice is offered. None: not asked.
    """

    kind: ClassVar[str] = "history"

    at: Instant
    contraindications: Annotated[tuple[Contraindication, ...], AfterValidator(each_once)] = ()
    looked_for: Annotated[tuple[Contraindication, ...], AfterValidator(each_once)] = ()
    allergic_to: Annotated[tuple[Substance, ...], AfterValidator(each_once)] = ()
    other_allergies: Text = ""
    medications: Annotated[tuple[Medication, ...], Field(max_length=100)] = ()
    conditions: Annotated[tuple[KnownCondition, ...], Field(max_length=40)] = ()
    cold_sensitive: bool | None = None
    note: Text = ""
