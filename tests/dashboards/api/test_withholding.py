"""Researchers are given no words that somebody typed, of no kind of entry that they may read."""

from enum import Enum
from typing import Any

import pytest
from api_house import OWN, ApiHouse, consent, injection, path_of
from entry_makers import made
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import BaseModel

from dashboards.api.permits import PERMITS
from dashboards.api.withholding import WITHHELD, without_words
from ingest.record.identity import Role
from poise.care.kinds import KINDS
from poise.skeleton import Segment

RESEARCH = [kind for kind, permit in PERMITS.items() if permit.research]
CODES = {
    "",
    WITHHELD,
    *map(str, Segment),
    "back",
    "front",
    "head_left",
    "head_right",
    "exposure",
    "threshold",
    "off",
}


def words(value: Any) -> set[str]:
    if isinstance(value, BaseModel):
        return set().union(*(words(one) for _, one in value))
    if isinstance(value, tuple):
        return set().union(*(words(one) for one in value))
    return {value} if isinstance(value, str) and not isinstance(value, Enum) else set()


@pytest.mark.parametrize("kind", RESEARCH)
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_nothing_is_left_of_what_was_typed(kind: str, data: st.DataObject) -> None:
    entry = data.draw(made(KINDS[kind]))
    held = without_words(entry)
    assert words(held) <= CODES
    assert type(held) is type(entry)


def test_a_researcher_reads_the_numbers_of_an_injection_and_not_its_words(house: ApiHouse) -> None:
    clinician, researcher = house.client(Role.CLINICIAN), house.client(Role.RESEARCHER)
    house.client(Role.PATIENT).post(path_of(OWN, "/data_consent"), json=consent(house.now, "research"))
    entry = clinician.post(path_of(OWN, "/injection"), json=injection(note="she is a baker")).json()["id"]
    said = {"version": 1, "reason": "it was Dr. B", "entry": injection(operator="Dr. B")}
    clinician.post(path_of(OWN, f"/injection/{entry}/versions"), json=said)
    for path in ("/injection", f"/injection/{entry}"):
        answer = researcher.get(path_of(OWN, path))
        assert answer.status_code == 200
        assert not any(word in answer.text for word in ("Dr. ", "baker"))
    (listed,) = researcher.get(path_of(OWN, "/injection")).json()["entries"]
    assert (listed["entry"]["pain_before"], listed["entry"]["operator"]) == (7, WITHHELD)
    assert listed["entry"]["sites"][0]["muscle"] == "upper_trapezius"
