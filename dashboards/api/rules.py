"""Rules: which roles may use a route, and whose data each of them reaches by it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

from dashboards.api.errors import UnknownPatientError, UnknownUserError
from ingest.record.identity import Identity, Role, Who
from ingest.record.patients import Patient


class Reach(StrEnum):
    """Whose data a role may reach by a route."""

    ANY = "any"
    """The route is about no patient."""
    OWN = "own"
    """The patient's own."""
    TEAM = "team"
    """Patients in whose care team the account is now."""
    NAMED = "named"
    """Any patient that can be named, for what shows nothing of the record: erasing it."""
    STUDY = "study"
    """The same, and only with the patient's consent to research in force."""


@dataclass(frozen=True, slots=True)
class Rule:
    """Who may use a route.

    Attributes:
        roles: by role, whose data.
        everyone: also who has not signed in.
        handed_out: also with a password that was handed out and must be changed first.
        about: the kind that the audit names when somebody reads; "" where a handler notes it.
    """

    roles: Mapping[Role, Reach] = field(default_factory=dict)
    everyone: bool = False
    handed_out: bool = False
    about: str = ""

    def spoken(self) -> list[str]:
        """Return it in words, as the OpenAPI document shows it."""
        if self.everyone:
            return ["everyone"]
        return sorted(f"{role.value}: {reach.value}" for role, reach in self.roles.items())


ANYBODY: Final = Rule(dict.fromkeys(Role, Reach.ANY))
"""Who has signed in, for what is about no patient."""


def only(*roles: Role) -> Rule:
    """Return the rule of a route that is about no patient and for some roles."""
    return Rule(dict.fromkeys(roles, Reach.ANY))


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks, and about whom.

    Attributes:
        identity: None only where everyone may ask.
        who: the same as the audit writes it down.
        now_us: UTC µs at which the request came.
    """

    identity: Identity | None
    who: Who
    now_us: int
    about: Patient | None = None

    @property
    def known(self) -> Identity:
        """Return who asks.

        Raises:
            UnknownUserError: if nobody has signed in.
        """
        if self.identity is None:
            raise UnknownUserError
        return self.identity

    @property
    def patient(self) -> Patient:
        """Return the patient that the request is about.

        Raises:
            UnknownPatientError: if it is about none.
        """
        if self.about is None:
            raise UnknownPatientError
        return self.about
