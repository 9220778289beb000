"""What is locked after how many failures, and for whom."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from record_helpers import GOOD, HOME, MINUTE, NOW, WRONG, Counting, House, fails

from ingest.record.failures import ACCOUNT, Limit, place
from poise.errors import AccessLockedError

MANY = 8


@pytest.fixture
def few_failures_of_an_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ingest.record.failures.ADDRESS", Limit(MANY))


def test_repeated_failures_lock_an_account_and_a_name_that_nobody_has_alike(house: House) -> None:
    house.account()
    for name in ("anna", "nobody"):
        for _ in range(ACCOUNT.failures):
            assert fails(house, name, origin="").startswith("AccessError")
        for n, password in enumerate((WRONG, GOOD)):
            assert (
                fails(house, name, "", NOW + n, password)
                == "AccessLockedError: too many failures; try again in 15 min"
            )
    with pytest.raises(AccessLockedError) as caught:
        house.accounts.sign_in("anna", GOOD, "", NOW + 14 * MINUTE)
    assert caught.value.until_us == NOW + ACCOUNT.locked_us
    assert house.accounts.sign_in("anna", GOOD, "", NOW + 15 * MINUTE)


def test_a_locked_account_is_not_looked_at_at_all(house: House) -> None:
    house.account()
    for _ in range(ACCOUNT.failures):
        fails(house)
    counting = Counting()
    fails(replace(house, passwords=counting))
    assert counting.compared == []


def test_failures_are_counted_within_their_time_and_forgotten_by_a_success(house: House) -> None:
    house.account()
    for n in range(3 * ACCOUNT.failures):
        fails(house, now_us=NOW + n * 4 * MINUTE)
    house.accounts.sign_in("anna", GOOD, HOME, NOW + 70 * MINUTE)
    for _ in range(ACCOUNT.failures - 1):
        fails(house, now_us=NOW + 71 * MINUTE)
    assert house.accounts.sign_in("anna", GOOD, HOME, NOW + 71 * MINUTE)
    for _ in range(ACCOUNT.failures - 1):
        fails(house, now_us=NOW + 72 * MINUTE)
    assert house.accounts.sign_in("anna", GOOD, HOME, NOW + 72 * MINUTE)


@pytest.mark.usefixtures("few_failures_of_an_address")
def test_an_address_that_tries_many_names_is_locked_for_all(house: House) -> None:
    house.account()
    for n in range(MANY):
        fails(house, f"name{n}")
    assert fails(house, password=GOOD).startswith("AccessLockedError")
    assert house.accounts.sign_in("anna", GOOD, "203.0.113.10", NOW)


@pytest.mark.usefixtures("few_failures_of_an_address")
def test_who_signs_in_rightly_does_not_lock_the_address_of_a_clinic(house: House) -> None:
    house.account()
    for _ in range(2 * MANY):
        house.accounts.sign_in("anna", GOOD, HOME, NOW)


@pytest.mark.usefixtures("few_failures_of_an_address")
def test_the_last_attempt_that_is_allowed_may_be_right(house: House) -> None:
    house.account()
    for n in range(MANY - 1):
        fails(house, f"name{n}")
    assert house.accounts.sign_in("anna", GOOD, HOME, NOW)
    fails(house, "name0")
    assert fails(house, "name1").startswith("AccessLockedError")


@pytest.mark.parametrize(
    ("address", "counts_as"),
    [
        ("198.51.100.7", "198.51.100.7"),
        ("::ffff:198.51.100.7", "198.51.100.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("somewhere", "somewhere"),
    ],
)
def test_addresses_of_one_customer_count_as_one(address: str, counts_as: str) -> None:
    assert place(address) == counts_as


def test_many_guesses_at_once_come_no_farther_than_one_after_the_other(house: House) -> None:
    house.account()
    counting = Counting()
    counted = replace(house, passwords=counting)
    with ThreadPoolExecutor(6) as pool:
        said = list(pool.map(lambda _: fails(counted, origin=""), range(18)))
    assert len(counting.compared) == ACCOUNT.failures
    assert sum(one.startswith("AccessLocked") for one in said) == 18 - ACCOUNT.failures
