"""The audit: a chain that shows what was changed in it, and no pseudonym in it to be erased."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from uuid import UUID

import pytest
from record_helpers import ANNA, KEY, NOW, WEARER, House, injection
from sqlalchemy import text

from ingest.record.audit import About, Action, Audit, Verdict
from ingest.record.identity import BY_HAND, Who
from poise.errors import ConfigurationError, StoreRejectedError
from poise.topics import Wearer

ONE_MORE = (
    "INSERT INTO audit SELECT 6, at_us, actor, action, patient_key, kind, subject, version_no, origin_key, "
    "former, hash FROM audit WHERE seq = 5"
)


def note(house: House, who: Who = ANNA, wearer: Wearer | None = WEARER) -> None:
    with house.database.writing() as session:
        house.audit.note(session, who, Action.READ, About("injection"), NOW, wearer)


def verdict(house: House) -> Verdict:
    with house.database.reading() as session:
        return house.audit.verify(session)


def unguarded(house: House, statement: str) -> None:
    """Change the audit as somebody would who owns the database."""
    with house.database.writing() as session:
        if session.get_bind().dialect.name == "sqlite":
            session.execute(text("DROP TRIGGER audit_update"))
            session.execute(text("DROP TRIGGER audit_delete"))
        else:
            session.execute(text("ALTER TABLE audit DISABLE TRIGGER USER"))
        session.execute(text(statement))


def test_an_empty_audit_is_whole(house: House) -> None:
    assert verdict(house) == Verdict(0)


def test_a_row_tells_who_did_what_when_and_from_where(house: House) -> None:
    note(house)
    note(house, BY_HAND)
    with house.database.reading() as session:
        by_hand, anna = house.audit.of_patient(session, WEARER)
    assert (anna.seq, anna.actor, anna.action, anna.origin) == (1, ANNA.actor, "read", ANNA.origin)
    assert anna.about == About("injection")
    assert anna.at_us == NOW
    assert (by_hand.actor, by_hand.origin) == ("machine", "")


@pytest.mark.parametrize(
    ("statement", "broken_at"),
    [
        ("UPDATE audit SET actor = 'somebody else' WHERE seq = 3", 3),
        ("UPDATE audit SET at_us = at_us + 1 WHERE seq = 1", 1),
        ("UPDATE audit SET version_no = 2 WHERE seq = 5", 5),
        ("DELETE FROM audit WHERE seq = 3", 3),
        ("DELETE FROM audit WHERE seq = 1", 1),
        ("DELETE FROM audit WHERE seq = 5", 5),
        ("DELETE FROM audit", 1),
        ("UPDATE audit SET seq = 6 WHERE seq = 5", 5),
        (ONE_MORE, 6),
    ],
)
def test_a_row_that_was_changed_is_found(house: House, statement: str, broken_at: int) -> None:
    for _ in range(5):
        note(house)
    assert verdict(house) == Verdict(5)
    unguarded(house, statement)
    assert verdict(house).broken_at == broken_at


def test_a_long_audit_is_looked_through_to_its_end(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.record.audit._AT_ONCE", 4)
    for _ in range(8):
        note(house)
    assert verdict(house) == Verdict(8)


@pytest.mark.parametrize("statement", ["UPDATE audit SET actor = 'x'", "DELETE FROM audit"])
def test_the_database_itself_refuses_to_change_the_audit(house: House, statement: str) -> None:
    note(house)
    with pytest.raises(StoreRejectedError, match="audit only grows"), house.database.writing() as session:
        session.execute(text(statement))


def test_no_pseudonym_and_no_address_stands_in_the_audit(house: House) -> None:
    note(house)
    with house.database.reading() as session:
        (row,) = session.execute(text("SELECT * FROM audit")).all()
    said = " ".join(map(str, row))
    assert WEARER.patient not in said
    assert ANNA.origin not in said


def test_a_patient_of_the_same_name_at_another_site_is_somebody_else(house: House) -> None:
    note(house)
    with house.database.reading() as session:
        assert house.audit.of_patient(session, Wearer(WEARER.patient, "south")) == []
        assert len(house.audit.of_all(session)) == 1


def test_pages_of_the_audit_go_back_in_time(house: House) -> None:
    for _ in range(5):
        note(house)
    with house.database.reading() as session:
        first = house.audit.of_patient(session, WEARER, limit=2)
        then = house.audit.of_patient(session, WEARER, before=first[-1].seq, limit=9)
    assert [n.seq for n in [*first, *then]] == [5, 4, 3, 2, 1]


def test_addresses_of_an_erased_account_are_forgotten_and_the_chain_holds(house: House) -> None:
    shared, at_home = "198.51.100.1", "203.0.113.9"
    patient, therapist = "b" * 32, "c" * 32
    for actor, origin in ((patient, at_home), (patient, shared), (therapist, shared), ("nobody", at_home)):
        note(house, Who(actor, origin))
    with house.database.writing() as session:
        house.audit.forget_origins(session, [UUID(patient)])
    with house.database.reading() as session:
        origins = [n.origin for n in reversed(house.audit.of_all(session))]
    assert origins == ["", shared, shared, ""]
    assert verdict(house) == Verdict(4)


def test_another_key_is_refused_with_a_sentence(house: House) -> None:
    with pytest.raises(ConfigurationError, match=r"record\.key is not the one"):
        Audit(house.database, b"x" * 32)
    Audit(house.database, KEY)


def test_many_who_write_at_once_make_one_chain(house: House) -> None:
    patient = house.patient()

    def write(n: int) -> None:
        for _ in range(5):
            house.add(patient, injection(pain=n))

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert verdict(house) == Verdict(21)


def test_a_change_that_is_taken_back_takes_its_row_with_it(house: House) -> None:
    def fail(act: Callable[[], object]) -> None:
        with house.database.writing() as session:
            house.audit.note(session, ANNA, Action.READ, About("injection"), NOW, WEARER)
            act()

    with pytest.raises(ZeroDivisionError):
        fail(lambda: 1 / 0)
    note(house)
    assert verdict(house) == Verdict(1)
