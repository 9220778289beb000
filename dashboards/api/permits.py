"""Which role may read and write which kind of entry. What is not listed here is refused."""

from dataclasses import dataclass
from typing import Final

from dashboards.api.rules import Reach, Rule
from ingest.record.identity import Role

_READERS: Final = {
    Role.PATIENT: Reach.OWN,
    Role.CLINICIAN: Reach.TEAM,
    Role.THERAPIST: Reach.TEAM,
}
_STAFF: Final = {Role.CLINICIAN: Reach.TEAM, Role.THERAPIST: Reach.TEAM}


@dataclass(frozen=True, slots=True)
class Permit:
    """Who may do what with a kind of entry.

    Attributes:
        writers: who may write, correct and withdraw; a patient only what is their own.
        research: whether researchers may read it, without the words in it (`dashboards.api.withholding`).
        patient: whether the patient may read it.
    """

    writers: tuple[Role, ...]
    research: bool = False
    patient: bool = True

    def reading(self, kind: str) -> Rule:
        """Return who may read."""
        roles = dict(_READERS if self.patient else _STAFF)
        if self.research:
            roles[Role.RESEARCHER] = Reach.STUDY
        return Rule(roles, about=kind)

    def writing(self) -> Rule:
        """Return who may write."""
        return Rule({role: _READERS[role] for role in self.writers})


_BY_PATIENT: Final = (Role.PATIENT,)
_BY_STAFF: Final = (Role.CLINICIAN, Role.THERAPIST)
_BY_ALL: Final = (Role.PATIENT, Role.CLINICIAN, Role.THERAPIST)
_BY_CLINICIAN: Final = (Role.CLINICIAN,)

PERMITS: Final[dict[str, Permit]] = {
    "appointment": Permit(_BY_STAFF),
    "assessment": Permit(_BY_CLINICIAN, research=True),
    "check_in": Permit(_BY_PATIENT, research=True),
    "data_consent": Permit(_BY_ALL),
    "ergonomics": Permit(_BY_ALL, research=True),
    "flag": Permit(_BY_STAFF),
    "flag_handling": Permit(_BY_STAFF),
    "flare": Permit(_BY_PATIENT, research=True),
    "function": Permit(_BY_PATIENT, research=True),
    "history": Permit(_BY_STAFF),
    "icing": Permit(_BY_PATIENT, research=True),
    "injection": Permit(_BY_CLINICIAN, research=True),
    "note": Permit(_BY_STAFF, patient=False),
    "plan": Permit(_BY_STAFF, research=True),
    "plan_review": Permit(_BY_STAFF),
    "procedure_consent": Permit(_BY_CLINICIAN),
    "question": Permit(_BY_ALL),
    "rating": Permit(_BY_PATIENT, research=True),
    "sheet_read": Permit(_BY_PATIENT),
    "skin": Permit(_BY_ALL),
    "treatment": Permit(_BY_ALL, research=True),
}
"""By kind of entry. Project decision: what a clinician signs (assessment, injection, consent to it) only they
write; what a patient feels only the patient writes; staff's notes among themselves the patient does not read
here (whoever must be given them is given them by the clinic)."""
