"""Sessions end by themselves; tokens are for programs."""

from dataclasses import replace
from uuid import uuid4

import pytest
from record_helpers import ANNA, DAY, GOOD, HOUR, MINUTE, NOW, SECOND, House

from ingest.record import sessions, tokens
from ingest.record.identity import Identity, Role
from ingest.record.tokens import LONGEST_US, PREFIX
from poise.errors import AccessError, RecordMissingError, RecordRefusedError

HOME = "203.0.113.9"


def known(house: House, secret: str, now_us: int) -> bool:
    try:
        sessions.recognise(house.database, secret, now_us)
    except AccessError:
        return False
    return True


@pytest.mark.parametrize(
    ("role", "idle_us", "longest_us"),
    [(Role.THERAPIST, 30 * MINUTE, 12 * HOUR), (Role.PATIENT, 7 * DAY, 30 * DAY)],
)
def test_a_session_ends_without_use_and_in_any_case(
    house: House, role: Role, idle_us: int, longest_us: int
) -> None:
    house.account("somebody", role)
    _, idle = house.accounts.sign_in("somebody", GOOD, HOME, NOW)
    _, used = house.accounts.sign_in("somebody", GOOD, HOME, NOW)
    assert known(house, idle, NOW + idle_us - 1)
    assert not known(house, idle, NOW + 2 * idle_us - 1)
    step = idle_us - SECOND
    for at_us in range(NOW + step, NOW + longest_us, step):
        assert known(house, used, at_us)
    assert not known(house, used, NOW + longest_us)


def test_a_use_is_noted_once_a_minute_and_no_oftener(house: House) -> None:
    house.account()
    _, secret = house.accounts.sign_in("anna", GOOD, HOME, NOW)
    for second in (59, 60):
        assert known(house, secret, NOW + second * SECOND)
    assert not known(house, secret, NOW + 31 * MINUTE)
    _, secret = house.accounts.sign_in("anna", GOOD, HOME, NOW)
    assert known(house, secret, NOW + 59 * SECOND)
    assert not known(house, secret, NOW + 30 * MINUTE)


def test_signing_out_ends_this_session_and_no_other(house: House) -> None:
    anna = house.account()
    (_, one), (_, two) = (house.accounts.sign_in("anna", GOOD, HOME, NOW) for _ in range(2))
    for _ in range(2):
        house.accounts.sign_out(anna, one, HOME, NOW)
    assert not known(house, one, NOW)
    assert known(house, two, NOW)


def test_an_ended_account_is_signed_out_everywhere(house: House) -> None:
    anna = house.account()
    _, secret = house.accounts.sign_in("anna", GOOD, HOME, NOW)
    _, token = token_of(house, anna)
    with house.database.writing() as session:
        house.accounts.end(session, ANNA, anna.account_id, NOW)
    assert not known(house, secret, NOW)
    with pytest.raises(AccessError):
        house.tokens.recognise(token, NOW)


@pytest.mark.parametrize("secret", ["", "x", "a" * 43, "\0", "\ud800", "' OR 1=1 --"])
def test_a_secret_that_is_none_opens_nothing(house: House, secret: str) -> None:
    house.account()
    assert not known(house, secret, NOW)
    with pytest.raises(AccessError):
        house.tokens.recognise(secret, NOW)


def token_of(house: House, owner: Identity, name: str = "script", **more: object) -> tuple[tokens.Token, str]:
    with house.database.writing() as session:
        return house.tokens.create(session, owner, HOME, name, NOW, **{"lasts_us": DAY, **more})


def test_a_token_acts_for_its_owner_to_read_or_to_write(house: House) -> None:
    anna = house.account()
    _, reads = token_of(house, anna)
    _, writes = token_of(house, anna, may_write=True)
    assert reads.startswith(PREFIX)
    assert house.tokens.recognise(reads, NOW) == replace(anna, may_write=False)
    assert house.tokens.recognise(writes, NOW) == anna
    assert not known(house, reads, NOW)


def test_a_token_has_an_end_and_can_be_ended(house: House) -> None:
    anna = house.account()
    made, secret = token_of(house, anna)
    house.tokens.recognise(secret, NOW + DAY - 1)
    with pytest.raises(AccessError, match="over"):
        house.tokens.recognise(secret, NOW + DAY)
    with house.database.writing() as session:
        house.tokens.end(session, ANNA, anna.account_id, made.id, NOW)
        for owner, token_id in ((uuid4(), made.id), (anna.account_id, uuid4())):
            with pytest.raises(RecordMissingError):
                house.tokens.end(session, ANNA, owner, token_id, NOW)
    with pytest.raises(AccessError, match="over"):
        house.tokens.recognise(secret, NOW)
    with house.database.reading() as session:
        (listed,) = tokens.of_account(session, anna.account_id)
    assert (listed.name, listed.used_us, listed.ended_us) == ("script", NOW + DAY - 1, NOW)


@pytest.mark.parametrize(
    "given", [{"name": ""}, {"name": " "}, {"name": "x" * 101}, {"name": "a\0b"}, {"lasts_us": 0},
              {"lasts_us": LONGEST_US + 1}],
)  # fmt: skip
def test_a_token_without_a_name_or_an_end_is_refused(house: House, given: dict[str, object]) -> None:
    anna = house.account()
    with pytest.raises(RecordRefusedError):
        token_of(house, anna, **given)


def test_a_token_makes_no_token_and_neither_does_who_must_change(house: House) -> None:
    anna = house.account()
    for owner in (replace(anna, may_write=False), replace(anna, must_change=True)):
        with pytest.raises(RecordRefusedError, match="signed in"):
            token_of(house, owner)
