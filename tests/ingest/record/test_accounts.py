"""Accounts: the first one, signing in, passwords, and what is locked after how many failures."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import uuid4

import pytest
from record_helpers import (
    ANNA,
    BETTER,
    CHEAP,
    DAY,
    GOOD,
    HOME,
    HOUR,
    MINUTE,
    NOW,
    WRONG,
    Counting,
    House,
    fails,
)
from sqlalchemy import text

from ingest.record import accounts, sessions
from ingest.record.accounts import ONE_TIME_LASTS_US
from ingest.record.failures import ACCOUNT
from ingest.record.identity import BY_HAND, Role
from ingest.record.passwords import Passwords
from poise.errors import (
    AccessError,
    AccessLockedError,
    RecordConflictError,
    RecordMissingError,
    RecordRefusedError,
)


def actions(house: House) -> list[str]:
    with house.database.reading() as session:
        assert house.audit.verify(session).broken_at is None
        return [noted.action for noted in reversed(house.audit.of_all(session))]


def test_the_first_start_makes_an_administrator_once(house: House) -> None:
    handed = house.accounts.begin(NOW)
    assert handed is not None
    assert house.accounts.begin(NOW) is None
    admin, secret = house.accounts.sign_in("admin", handed.password, HOME, NOW + 100 * DAY)
    assert (admin.role, admin.must_change) == (Role.ADMINISTRATOR, True)
    assert sessions.recognise(house.database, secret, NOW + 100 * DAY).must_change
    house.accounts.change_password(admin, handed.password, GOOD, HOME, NOW + 100 * DAY, keep=secret)
    assert not sessions.recognise(house.database, secret, NOW + 100 * DAY).must_change
    assert not house.accounts.sign_in("admin", GOOD, HOME, NOW + 100 * DAY)[0].must_change


def test_of_two_programs_that_start_at_once_one_makes_the_administrator(house: House) -> None:
    with ThreadPoolExecutor(4) as pool:
        handed = [one for one in pool.map(lambda _: house.accounts.begin(NOW), range(4)) if one]
    assert len(handed) == 1
    assert house.accounts.sign_in("admin", handed[0].password, "", NOW)


def test_no_password_and_no_secret_stands_in_the_database(house: House) -> None:
    house.account()
    _, secret = house.accounts.sign_in("anna", GOOD, HOME, NOW)
    with house.database.reading() as session:
        said = str(session.execute(text("SELECT * FROM accounts")).all())
        said += str(session.execute(text("SELECT * FROM sessions")).all())
    assert "$argon2id$" in said
    assert GOOD not in said
    assert secret not in said


def test_a_name_is_the_same_in_capitals_and_taken_once(house: House) -> None:
    house.account("Anna.M@clinic")
    assert house.accounts.sign_in("anna.m@CLINIC", GOOD, HOME, NOW)[0].name == "Anna.M@clinic"
    with pytest.raises(RecordConflictError, match=r"called ANNA\.M@clinic already"):
        house.account("ANNA.M@clinic")


@pytest.mark.parametrize("name", ["", "a", ".ab", "a b", "a\0b", "ä12", "x" * 65, "a\nb", "a/b"])
def test_a_name_that_is_none_is_refused_and_never_signs_in(house: House, name: str) -> None:
    with pytest.raises(RecordRefusedError, match="a name has 2 to 64"):
        house.account(name)
    assert fails(house, name) == fails(house, "nobody")


def test_roles_and_patients_fit(house: House) -> None:
    patient = house.patient()
    for role, patient_id in ((Role.PATIENT, None), (Role.CLINICIAN, patient.id)):
        with (
            pytest.raises(RecordRefusedError, match="belongs to one patient"),
            house.database.writing() as session,
        ):
            house.accounts.create(session, ANNA, "anna", role, NOW, patient_id)
    own = house.account("own", Role.PATIENT)
    assert house.accounts.sign_in("own", GOOD, HOME, NOW)[0].patient_id == own.patient_id is not None


def test_a_wrong_name_a_wrong_password_and_an_ended_account_look_the_same(house: House) -> None:
    house.account()
    ended = house.account("ended")
    with house.database.writing() as session:
        house.accounts.end(session, ANNA, ended.account_id, NOW)
    assert fails(house) == fails(house, "nobody") == fails(house, "ended", password=GOOD)
    assert fails(house).startswith("AccessError")


def test_a_name_that_nobody_has_costs_the_same_work(house: House) -> None:
    house.account()
    counting = Counting()
    counted = replace(house, passwords=counting)
    fails(counted, "anna")
    fails(counted, "nobody")
    fails(counted, "no\0body")
    assert counting.compared == [True, False, False]
    assert not counting.matches(None, WRONG)


def test_a_new_password_signs_out_everywhere_else(house: House) -> None:
    anna = house.account()
    _, here = house.accounts.sign_in("anna", GOOD, HOME, NOW)
    _, elsewhere = house.accounts.sign_in("anna", GOOD, HOME, NOW)
    house.accounts.change_password(anna, GOOD, BETTER, HOME, NOW, keep=here)
    assert sessions.recognise(house.database, here, NOW) == anna
    with pytest.raises(AccessError, match="over"):
        sessions.recognise(house.database, elsewhere, NOW)
    assert fails(house, password=GOOD)
    assert house.accounts.sign_in("anna", BETTER, HOME, NOW)


def test_a_password_is_changed_only_by_who_knows_it(house: House) -> None:
    anna = house.account()
    with pytest.raises(AccessError, match="old password"):
        house.accounts.change_password(anna, WRONG, BETTER, HOME, NOW)
    with pytest.raises(RecordRefusedError, match="that you have"):
        house.accounts.change_password(anna, GOOD, GOOD, HOME, NOW)
    for _ in range(ACCOUNT.failures - 1):
        with pytest.raises(AccessError, match="old password"):
            house.accounts.change_password(anna, WRONG, BETTER, HOME, NOW)
    with pytest.raises(AccessLockedError):
        house.accounts.change_password(anna, GOOD, BETTER, HOME, NOW)


@pytest.mark.parametrize(
    ("password", "why"),
    [
        ("elevenchars", "at least 12"),
        ("x" * 257, "at most 256"),
        ("abababababab", "different characters"),
        ("margarethe.m2", "more than the account's name"),
        ("Poise-margarethe.m", "more than the account's name"),
    ],
)
def test_a_password_that_is_easily_guessed_is_refused(house: House, password: str, why: str) -> None:
    somebody = house.account("margarethe.m")
    with pytest.raises(RecordRefusedError, match=why):
        house.accounts.change_password(somebody, GOOD, password, HOME, NOW)


def test_a_password_in_another_form_of_unicode_is_the_same() -> None:
    kept = CHEAP.hash("caf\u00e9 au lait, tr\u00e8s chaud")
    assert CHEAP.matches(kept, "cafe\u0301 au lait, tre\u0300s chaud")
    assert not CHEAP.matches(kept, "cafe au lait, tres chaud")
    assert CHEAP.matches(CHEAP.hash("\ufdfa" * 256), "\ufdfa" * 256)
    assert not CHEAP.matches("damaged", GOOD)
    assert not CHEAP.matches(kept, "\ud800" * 5000)


def test_a_reset_hands_out_a_password_and_ends_everything(house: House) -> None:
    anna = house.account()
    _, secret = house.accounts.sign_in("anna", GOOD, HOME, NOW)
    with house.database.writing() as session:
        _, token = house.tokens.create(session, anna, HOME, "script", NOW, lasts_us=DAY)
    for _ in range(ACCOUNT.failures):
        fails(house, origin="")
    handed = house.accounts.reset(BY_HAND, "ANNA", NOW)
    for recognise in (
        lambda: sessions.recognise(house.database, secret, NOW),
        lambda: house.tokens.recognise(token, NOW),
    ):
        with pytest.raises(AccessError, match="over"):
            recognise()
    assert house.accounts.sign_in(handed.name, handed.password, HOME, NOW)[0].must_change
    assert actions(house)[-2:] == ["password_reset", "signed_in"]
    with pytest.raises(RecordMissingError):
        house.accounts.reset(BY_HAND, "nobody", NOW)


def test_a_password_that_was_handed_out_ends_after_a_week(house: House) -> None:
    house.account()
    handed = house.accounts.reset(BY_HAND, "anna", NOW)
    assert house.accounts.sign_in("anna", handed.password, HOME, NOW + ONE_TIME_LASTS_US - 1)
    assert fails(house, password=handed.password, now_us=NOW + ONE_TIME_LASTS_US)


def test_the_last_administrator_stays(house: House) -> None:
    first = house.account("first", Role.ADMINISTRATOR)
    anna = house.account()
    with pytest.raises(RecordRefusedError, match="only administrator"), house.database.writing() as session:
        house.accounts.end(session, ANNA, first.account_id, NOW)
    house.account("second", Role.ADMINISTRATOR)
    with house.database.writing() as session:
        house.accounts.end(session, ANNA, first.account_id, NOW)
        house.accounts.end(session, ANNA, anna.account_id, NOW)
        for gone in (anna.account_id, uuid4()):
            with pytest.raises(RecordMissingError):
                house.accounts.end(session, ANNA, gone, NOW)
    with house.database.reading() as session:
        assert [one.name for one in accounts.everybody(session)] == ["second"]


def test_a_hash_of_weaker_parameters_is_made_anew_at_the_next_sign_in(house: House) -> None:
    house.account()
    stronger = replace(house, passwords=Passwords(2, 16, 1))
    stronger.accounts.sign_in("anna", GOOD, HOME, NOW)
    with house.database.reading() as session:
        assert "m=16,t=2" in session.execute(text("SELECT password FROM accounts")).scalar_one()
    assert house.accounts.sign_in("anna", GOOD, HOME, NOW)


def test_what_happens_to_accounts_is_audited(house: House) -> None:
    anna = house.account()
    fails(house)
    fails(house, "nobody")
    _, secret = house.accounts.sign_in("anna", GOOD, HOME, NOW)
    house.accounts.sign_out(anna, secret, HOME, NOW)
    assert actions(house) == [
        "created", "signed_in", "password_changed", "sign_in_failed", "sign_in_failed", "signed_in",
        "signed_out",
    ]  # fmt: skip
    with house.database.reading() as session:
        out, _, unknown, failed, *_ = house.audit.of_all(session)
    assert (out.actor, out.origin) == (failed.actor, HOME) == (anna.account_id.hex, HOME)
    assert (unknown.actor, unknown.about.subject) == ("nobody", "")


def test_what_is_long_over_is_swept(house: House) -> None:
    house.account()
    house.accounts.sign_in("anna", GOOD, HOME, NOW)
    fails(house)
    house.accounts.sweep(NOW + 14 * MINUTE)
    count = "SELECT (SELECT count(*) FROM failures), (SELECT count(*) FROM sessions)"
    with house.database.reading() as session:
        assert session.execute(text(count)).one()[1] == 2
    house.accounts.sweep(NOW + 31 * DAY + HOUR)
    with house.database.reading() as session:
        assert tuple(session.execute(text(count)).one()) == (0, 0)
