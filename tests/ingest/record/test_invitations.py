"""A link makes one account, once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest
from record_helpers import ANNA, DAY, GOOD, NOW, WEARER, House
from sqlalchemy import text

from ingest.record import patients
from ingest.record.identity import Role
from ingest.record.invitations import LASTS_US, Invitation
from ingest.record.passwords import Passwords
from ingest.record.patients import Patient
from poise.errors import AccessError, RecordConflictError, RecordMissingError, RecordRefusedError

HOME = "203.0.113.9"


def invited(house: House, role: Role, patient: Patient | None = None) -> tuple[Invitation, str]:
    with house.database.writing() as session:
        return house.invitations.invite(session, ANNA, role, patient, NOW)


def test_a_patient_gets_an_account_of_their_own(house: House) -> None:
    patient = house.patient()
    invitation, secret = invited(house, Role.PATIENT, patient)
    with house.database.reading() as session:
        assert house.invitations.look(session, secret, NOW) == invitation
    made = house.invitations.accept(secret, "somebody", GOOD, HOME, NOW + DAY)
    assert (made.role, made.patient_id, made.must_change) == (Role.PATIENT, patient.id, False)
    assert house.accounts.sign_in("somebody", GOOD, HOME, NOW + DAY)[0] == made
    with house.database.reading() as session:
        assert patients.team(session, patient.id) == []
        assert [n.about.kind for n in house.audit.of_patient(session, WEARER)] == ["invitation"] * 2 + [
            "patient"
        ]


def test_a_therapist_joins_the_care_team(house: House) -> None:
    patient = house.patient()
    _, secret = invited(house, Role.THERAPIST, patient)
    made = house.invitations.accept(secret, "therapist", GOOD, HOME, NOW + DAY)
    assert made.patient_id is None
    with house.database.reading() as session:
        assert patients.looks_after(session, made.account_id, patient.id, NOW + DAY)
        assert not patients.looks_after(session, made.account_id, patient.id, NOW)
        assert house.audit.of_patient(session, WEARER)[0].action == "joined"


def test_an_administrator_is_invited_for_nobody(house: House) -> None:
    _, secret = invited(house, Role.ADMINISTRATOR)
    assert house.invitations.accept(secret, "boss", GOOD, HOME, NOW).role is Role.ADMINISTRATOR
    patient = house.patient()
    for role, of in ((Role.ADMINISTRATOR, patient), (Role.PATIENT, None)):
        with pytest.raises(RecordRefusedError):
            invited(house, role, of)


def test_a_link_is_used_once_and_within_its_time(house: House) -> None:
    _, late = invited(house, Role.CLINICIAN)
    _, used = invited(house, Role.CLINICIAN)
    house.invitations.accept(used, "one", GOOD, HOME, NOW + LASTS_US - 1)
    for secret, at_us in ((used, NOW), (late, NOW + LASTS_US), ("no link", NOW), ("", NOW)):
        with pytest.raises(AccessError, match="used or is over"):
            house.invitations.accept(secret, "two", GOOD, HOME, at_us)


def test_a_name_or_password_that_cannot_be_used_leaves_the_link(house: House) -> None:
    house.account("taken")
    _, secret = invited(house, Role.CLINICIAN)
    for name, password, error in (
        ("taken", GOOD, RecordConflictError),
        ("x", GOOD, RecordRefusedError),
        ("fine", "short", RecordRefusedError),
    ):
        with pytest.raises(error):
            house.invitations.accept(secret, name, password, HOME, NOW)
    assert house.invitations.accept(secret, "fine", GOOD, HOME, NOW)


def test_an_invitation_can_be_withdrawn(house: House) -> None:
    invitation, secret = invited(house, Role.CLINICIAN)
    with house.database.writing() as session:
        house.invitations.withdraw(session, ANNA, invitation.id, NOW)
        with pytest.raises(RecordMissingError):
            house.invitations.withdraw(session, ANNA, invitation.id, NOW)
    with pytest.raises(AccessError):
        house.invitations.accept(secret, "late", GOOD, HOME, NOW)


def test_the_secret_of_a_link_is_not_kept(house: House) -> None:
    _, secret = invited(house, Role.CLINICIAN)
    with house.database.reading() as session:
        assert secret not in str(session.execute(text("SELECT * FROM invitations")).all())


class Meeting(Passwords):
    """Lets two who use a link meet, after both have seen that it is good."""

    def __init__(self, gate: Barrier) -> None:
        super().__init__(1, 8, 1)
        self.gate = gate

    def hash(self, password: str) -> str:
        if password == GOOD:
            self.gate.wait(20)
        return super().hash(password)


@pytest.mark.parametrize("patient", [False, True])
def test_of_two_who_use_a_link_at_once_one_does(house: House, patient: bool) -> None:
    somebody = house.patient()
    role = Role.PATIENT if patient else Role.THERAPIST
    both = House(house.database, house.audit, passwords=Meeting(Barrier(2)))

    def use(secret: str, name: str) -> str:
        try:
            return both.invitations.accept(secret, name, GOOD, HOME, NOW).name
        except AccessError:
            return "refused"

    for n in range(4):
        _, secret = invited(house, role, somebody)
        with ThreadPoolExecutor(2) as pool:
            said = sorted(pool.map(use, [secret] * 2, (f"a{n}", f"b{n}")))
        assert said[1] == "refused"
    with house.database.reading() as session:
        assert session.execute(text("SELECT count(*) FROM accounts")).scalar_one() == 4
        assert len(patients.team(session, somebody.id)) == (0 if patient else 4)
        assert house.audit.verify(session).broken_at is None
