"""Entries over HTTP: written, corrected, withdrawn, and nothing overwritten; on both databases."""

from datetime import timedelta
from uuid import uuid4

from api_house import NOW, OWN, ApiHouse, injection, path_of

from ingest.record.identity import Role

HERE = path_of(OWN, "/injection")


def test_a_correction_keeps_what_was_said_before(either: ApiHouse) -> None:
    clinician = either.client(Role.CLINICIAN)
    first = clinician.post(HERE, json=injection())
    assert first.status_code == 201, first.text
    entry = first.json()["id"]
    said = {"version": 1, "reason": "wrong side", "entry": injection(operator="Dr. B")}
    second = clinician.post(f"{HERE}/{entry}/versions", json=said)
    assert second.status_code == 201, second.text
    assert (second.json()["version"], second.json()["reason"]) == (2, "wrong side")
    versions = clinician.get(f"{HERE}/{entry}").json()
    assert [one["entry"]["operator"] for one in versions] == ["Dr. A", "Dr. B"]
    listed = clinician.get(HERE).json()["entries"]
    assert [one["entry"]["operator"] for one in listed] == ["Dr. B"]


def test_who_corrects_what_somebody_else_has_corrected_is_told_to_look_again(either: ApiHouse) -> None:
    clinician = either.client(Role.CLINICIAN)
    entry = clinician.post(HERE, json=injection()).json()["id"]
    said = {"version": 1, "reason": "typing", "entry": injection(operator="Dr. B")}
    assert clinician.post(f"{HERE}/{entry}/versions", json=said).status_code == 201
    late = clinician.post(f"{HERE}/{entry}/versions", json=said)
    assert late.status_code == 409
    assert "look at it again" in late.json()["error"]


def test_an_entry_that_is_sent_twice_is_there_once(either: ApiHouse) -> None:
    clinician, chosen = either.client(Role.CLINICIAN), str(uuid4())
    first = clinician.post(HERE, params={"id": chosen}, json=injection())
    again = clinician.post(HERE, params={"id": chosen}, json=injection())
    assert (first.status_code, again.status_code) == (201, 409)
    assert len(clinician.get(HERE).json()["entries"]) == 1


def test_a_withdrawn_entry_is_listed_only_when_asked_for_and_keeps_its_words(either: ApiHouse) -> None:
    clinician = either.client(Role.CLINICIAN)
    entry = clinician.post(HERE, json=injection()).json()["id"]
    gone = clinician.post(f"{HERE}/{entry}/withdrawal", json={"version": 1, "reason": "other patient"})
    assert gone.json()["withdrawn"] is True
    assert clinician.get(HERE).json()["entries"] == []
    listed = clinician.get(HERE, params={"withdrawn": True}).json()["entries"]
    assert [(one["withdrawn"], one["entry"]["operator"]) for one in listed] == [(True, "Dr. A")]


def test_pages_follow_each_other_without_a_gap(either: ApiHouse) -> None:
    patient = either.client(Role.PATIENT)
    ratings = path_of(OWN, "/rating")
    for score in range(7):
        at = (NOW + timedelta(hours=score)).isoformat()
        patient.post(ratings, json={"at": at, "target": "target_pain", "score": score})
    seen, cursor = [], ""
    while True:
        page = patient.get(ratings, params={"limit": 3, "cursor": cursor}).json()
        seen += [one["entry"]["score"] for one in page["entries"]]
        if not (cursor := page["cursor"]):
            break
    assert seen == [6, 5, 4, 3, 2, 1, 0]


def test_times_come_back_in_utc_and_one_without_offset_is_refused(house: ApiHouse) -> None:
    clinician = house.client(Role.CLINICIAN)
    there = clinician.post(HERE, json=injection() | {"at": "2026-09-07T12:00:00+02:00"})
    assert there.json()["entry"]["at"] == "2026-09-07T10:00:00Z"
    bare = clinician.post(HERE, json=injection() | {"at": "2026-09-07T12:00:00"})
    assert bare.status_code == 422
    assert "timezone" in bare.json()["problems"][0]["problem"]


def test_a_patient_corrects_their_own_words_and_nobody_elses(house: ApiHouse) -> None:
    therapist, patient = house.client(Role.THERAPIST), house.client(Role.PATIENT)
    questions = path_of(OWN, "/question")
    asked = {"at": house.now.isoformat(), "text": "May I swim?"}
    mine = patient.post(questions, json=asked).json()["id"]
    theirs = therapist.post(questions, json=asked).json()["id"]
    said = {"version": 1, "reason": "clearer", "entry": asked | {"text": "May I swim on day 5?"}}
    assert patient.post(f"{questions}/{mine}/versions", json=said).status_code == 201
    refused = patient.post(f"{questions}/{theirs}/versions", json=said)
    assert refused.status_code == 403


def test_an_entry_of_another_patient_or_kind_is_not_found_by_its_id(house: ApiHouse) -> None:
    clinician = house.client(Role.CLINICIAN)
    entry = clinician.post(HERE, json=injection()).json()["id"]
    assert clinician.get(path_of(OWN, f"/note/{entry}")).status_code == 404
    about = {"at": house.now.isoformat(), "flag": str(uuid4()), "by": "Dr. A", "done": "called"}
    handled = clinician.post(path_of(OWN, "/flag_handling"), json=about | {"dealt_with": True})
    assert handled.status_code == 422
    assert "'flag' names an entry" in handled.json()["error"]


def test_what_somebody_saw_and_did_is_in_the_audit(house: ApiHouse) -> None:
    clinician, patient = house.client(Role.CLINICIAN), house.client(Role.PATIENT)
    clinician.post(HERE, json=injection())
    clinician.get(HERE)
    rows = patient.get(path_of(OWN, "/audit")).json()
    done = [(row["action"], row["kind"]) for row in rows if row["actor"] == house.ids[Role.CLINICIAN].hex]
    assert ("created", "injection") in done
    assert ("read", "injection") in done
    verified = house.client(Role.ADMINISTRATOR).get("/audit/verified").json()
    assert verified["broken_at"] is None
    assert "P-0142" not in house.client(Role.ADMINISTRATOR).get("/audit").text


def test_a_request_longer_than_any_entry_is_refused_unread(house: ApiHouse) -> None:
    clinician = house.client(Role.CLINICIAN)
    long = clinician.post(HERE, content=b" " * 300_000, headers={"Content-Type": "application/json"})
    assert long.status_code == 413
    answer = clinician.get(HERE)
    assert answer.headers["cache-control"] == "no-store"
