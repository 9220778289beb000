"""Who acts on the record, and in what role."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final
from uuid import UUID

MACHINE: Final = "machine"
"""The actor where no person acted: a rule, a command on the machine itself."""
NOBODY: Final = "nobody"
"""The actor while it is not known who asks."""


class Role(StrEnum):
    """What an account is for; what each may do is said by the routes."""

    PATIENT = "patient"
    CLINICIAN = "clinician"
    THERAPIST = "therapist"
    RESEARCHER = "researcher"
    ADMINISTRATOR = "administrator"


CARERS: Final = frozenset({Role.CLINICIAN, Role.THERAPIST, Role.RESEARCHER})
"""Who can be in a patient's care team. An administrator looks after the program, not after patients."""


@dataclass(frozen=True, slots=True)
class Who:
    """Somebody who acts, as the audit writes it down.

    Attributes:
        actor: the id of an account as hexadecimal digits, `MACHINE` or `NOBODY`.
        origin: the network address that the request came from; "" on the machine itself.
    """

    actor: str
    origin: str = ""


@dataclass(frozen=True, slots=True)
class Identity:
    """An account as far as others may know it.

    Attributes:
        patient_id: of an account with the role patient: whose it is.
        must_change: its password was handed out; until it is changed, nothing else may be done.
        may_write: whether this session or token may change anything.
    """

    account_id: UUID
    name: str
    role: Role
    patient_id: UUID | None
    must_change: bool = False
    may_write: bool = True

    def at(self, origin: str) -> Who:
        """Return it as somebody who acts from an address."""
        return Who(self.account_id.hex, origin)


BY_HAND: Final = Who(MACHINE)
"""Somebody at the machine itself."""
