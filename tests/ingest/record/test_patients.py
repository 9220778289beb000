"""Patients and care teams."""

from uuid import UUID, uuid4

import pytest
from record_helpers import ANNA, DAY, NOW, WEARER, House
from sqlalchemy import text

from ingest.record import patients
from ingest.record.patients import Status
from poise.errors import RecordConflictError, RecordMissingError, RecordRefusedError
from poise.topics import Wearer


def account(house: House, role: str = "therapist", ended: str = "NULL") -> UUID:
    """Put an account there by hand: accounts have tests of their own."""
    account_id = uuid4()
    row = f"INSERT INTO accounts VALUES (:id, :n, :n, :r, NULL, '', :f, NULL, 1, {ended})"  # noqa: S608
    with house.database.writing() as session:
        values = {"id": account_id.hex, "n": account_id.hex, "r": role, "f": False}
        session.execute(text(row), values)
    return account_id


def test_a_patient_is_found_by_pseudonym_and_by_id(house: House) -> None:
    added = house.patient(zone="America/St_Johns")
    with house.database.reading() as session:
        assert patients.find(session, WEARER) == patients.by_id(session, added.id) == added
        assert patients.everybody(session) == [added]
        assert (added.zone, added.status, added.created_us) == ("America/St_Johns", Status.ACTIVE, NOW)
        with pytest.raises(RecordMissingError):
            patients.find(session, Wearer(WEARER.patient, "south"))
        with pytest.raises(RecordMissingError):
            patients.by_id(session, uuid4())


def test_a_pseudonym_is_taken_once(house: House) -> None:
    house.patient()
    with pytest.raises(RecordConflictError, match="P-0142 already"):
        house.patient()
    house.patient(Wearer(WEARER.patient, "south"))


@pytest.mark.parametrize("zone", ["", "Mars/Olympus", "../etc/passwd", "Europe", "\0"])
def test_a_time_zone_that_is_none_is_refused(house: House, zone: str) -> None:
    with pytest.raises(RecordRefusedError, match="no time zone"):
        house.patient(zone=zone)


def test_a_change_of_zone_or_status_is_audited(house: House) -> None:
    patient = house.patient()
    with house.database.writing() as session:
        moved = house.patients.change(session, ANNA, patient, NOW, zone="Asia/Kathmandu")
        ended = house.patients.change(session, ANNA, patient, NOW, status=Status.ENDED)
        with pytest.raises(RecordRefusedError):
            house.patients.change(session, ANNA, patient, NOW, zone="x")
    assert (moved.zone, ended.zone, ended.status) == ("Asia/Kathmandu", "Asia/Kathmandu", Status.ENDED)
    with house.database.reading() as session:
        assert patients.by_id(session, patient.id) == ended
        assert [n.action for n in house.audit.of_patient(session, WEARER)] == [
            "changed",
            "changed",
            "created",
        ]


def test_a_care_team_knows_from_when_until_when(house: House) -> None:
    patient, other, therapist = house.patient(), house.patient(Wearer("P-2")), account(house)
    with house.database.writing() as session:
        house.patients.join(session, ANNA, patient, therapist, NOW)
        house.patients.leave(session, ANNA, patient, therapist, NOW + DAY)
        house.patients.join(session, ANNA, patient, therapist, NOW + 3 * DAY)
    with house.database.reading() as session:
        for day, looks in ((-1, False), (0, True), (1, False), (2, False), (3, True), (99, True)):
            at_us = NOW + day * DAY
            assert patients.looks_after(session, therapist, patient.id, at_us) is looks
            assert not patients.looks_after(session, therapist, other.id, at_us)
            found = patients.looked_after_by(session, therapist, at_us)
            assert found == ([patient] if looks else [])
            assert len(patients.team(session, patient.id, at_us)) == looks
        assert [m.until_us for m in patients.team(session, patient.id)] == [NOW + DAY, None]
        told = [n.action for n in house.audit.of_patient(session, WEARER)]
    assert told == ["joined", "left", "joined", "created"]


def test_nobody_is_in_a_team_twice_or_leaves_it_twice(house: House) -> None:
    patient, therapist = house.patient(), account(house)
    with house.database.writing() as session:
        house.patients.join(session, ANNA, patient, therapist, NOW)
    with pytest.raises(RecordConflictError), house.database.writing() as session:
        house.patients.join(session, ANNA, patient, therapist, NOW)
    with house.database.writing() as session:
        house.patients.leave(session, ANNA, patient, therapist, NOW)
        with pytest.raises(RecordMissingError):
            house.patients.leave(session, ANNA, patient, therapist, NOW)


@pytest.mark.parametrize(("role", "ended"), [("administrator", "NULL"), ("clinician", "5")])
def test_only_who_looks_after_people_joins_a_team(house: House, role: str, ended: str) -> None:
    patient, somebody = house.patient(), account(house, role, ended)
    with (
        pytest.raises((RecordRefusedError, RecordMissingError)),
        house.database.writing() as session,
    ):
        house.patients.join(session, ANNA, patient, somebody, NOW)
