"""Erasure takes a person out of the record; the audit keeps a keyed hash, and its chain."""

from pathlib import Path

import pytest
from postgresql_server import connected
from record_helpers import ANNA, DAY, GOOD, NOW, WEARER, House, Remark, injection
from sqlalchemy import text

from ingest.record import accounts, patients
from ingest.record.database import url_in
from ingest.record.erasing import erase
from ingest.record.identity import Role
from poise.errors import RecordMissingError
from poise.topics import Wearer

HOME = "203.0.113.9"
TOLD = ("P-0142", "heron feathers", "garden.shed", HOME)


def filled(house: House) -> patients.Patient:
    """A patient with entries, an account that was used from home, a therapist, and somebody beside them."""
    patient, therapist = house.patient(), house.account("therapist")
    first = house.add(patient, Remark(words="heron feathers"))
    house.revise(patient, first, Remark(words="more heron feathers"), reason="heron feathers again")
    with house.database.writing() as session:
        house.patients.join(session, ANNA, patient, therapist.account_id, NOW)
        _, secret = house.invitations.invite(session, ANNA, Role.PATIENT, patient, NOW)
        house.invitations.invite(session, ANNA, Role.CLINICIAN, patient, NOW)
    house.invitations.accept(secret, "garden.shed", GOOD, HOME, NOW)
    identity, _ = house.accounts.sign_in("garden.shed", GOOD, HOME, NOW)
    with house.database.writing() as session:
        house.tokens.create(session, identity, HOME, "garden.shed", NOW, lasts_us=DAY)
    other = house.patient(Wearer("P-other"))
    house.add(other, injection())
    return patient


def everything(url: str, folder: Path) -> str:
    """All that is stored: the bytes of SQLite's files, or every row of every table of PostgreSQL."""
    if url == url_in(folder):
        return "".join(path.read_bytes().decode("latin-1") for path in folder.glob("record.db*"))
    with connected(url) as connection:
        names = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        rows = [connection.execute(f'SELECT * FROM "{name}"').fetchall() for (name,) in names]  # noqa: S608
    return str(rows)


def test_nothing_of_a_person_is_left_but_a_keyed_hash(house: House, url: str, tmp_path: Path) -> None:
    patient = filled(house)
    before = everything(url, tmp_path)
    assert [word for word in TOLD if word not in before] == []
    with house.database.writing() as session:
        erase(session, house.audit, ANNA, patient, NOW + DAY)
    house.database.settle()
    after = everything(url, tmp_path)
    assert [word for word in TOLD if word in after] == []
    with house.database.reading() as session:
        assert house.audit.verify(session).broken_at is None
        noted = house.audit.of_patient(session, WEARER)
        assert (noted[0].action, noted[0].at_us, noted[0].actor) == ("erased", NOW + DAY, ANNA.actor)
        assert len(noted) > 5
        with pytest.raises(RecordMissingError):
            patients.find(session, WEARER)
        assert [one.name for one in accounts.everybody(session)] == ["therapist"]
        assert session.execute(text("SELECT count(*) FROM erasing")).scalar_one() == 0


def test_others_are_left_as_they_were(house: House) -> None:
    patient = filled(house)
    with house.database.writing() as session:
        erase(session, house.audit, ANNA, patient, NOW)
        other = patients.find(session, Wearer("P-other"))
    assert len(house.page(other).versions) == 1
    assert house.accounts.sign_in("therapist", GOOD, HOME, NOW)


def test_who_was_erased_can_come_again_as_somebody_new(house: House) -> None:
    patient = filled(house)
    with house.database.writing() as session:
        erase(session, house.audit, ANNA, patient, NOW)
    again = house.patient()
    assert again.id != patient.id
    assert house.page(again, withdrawn=True).versions == []


def test_an_erasure_that_fails_erases_nothing(house: House) -> None:
    patient = filled(house)
    with house.database.reading() as session:
        before = house.audit.head(session)

    def erase_and_fail() -> None:
        with house.database.writing() as session:
            erase(session, house.audit, ANNA, patient, NOW)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        erase_and_fail()
    assert len(house.page(patient).versions) == 1
    with house.database.reading() as session:
        assert house.audit.head(session) == before
