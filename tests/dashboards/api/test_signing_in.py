"""Signing in over HTTP: cookies, tokens, locks, invitations, passwords that were handed out."""

from api_house import OWN, PASSWORD, ApiHouse, path_of
from starlette.testclient import TestClient

from dashboards.api.limits import Limits
from dashboards.api.service import Service
from ingest.record.identity import BY_HAND, Role

NEW = "eight louder herons"


def test_the_cookie_cannot_be_read_by_scripts_nor_sent_from_elsewhere(house: ApiHouse) -> None:
    answer = TestClient(house.app).post("/session", json={"name": "therapist", "password": PASSWORD})
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "path=/api/" in cookie


def test_a_wrong_name_and_a_wrong_password_get_the_same_answer(house: ApiHouse) -> None:
    client = TestClient(house.app)
    wrong = client.post("/session", json={"name": "therapist", "password": "not this one at all"})
    unknown = client.post("/session", json={"name": "nobody-here", "password": "not this one at all"})
    assert (wrong.status_code, wrong.json()) == (unknown.status_code, unknown.json())
    assert wrong.status_code == 401


def test_too_many_failures_lock_also_the_right_password_for_a_while(house: ApiHouse) -> None:
    client = TestClient(house.app)
    answers = [
        client.post("/session", json={"name": "therapist", "password": f"wrong number {i}"}).status_code
        for i in range(20)
    ]
    assert 429 in answers
    right = client.post("/session", json={"name": "therapist", "password": PASSWORD})
    assert right.status_code == 429
    assert "retry-after" in right.headers
    house.later(days=1)
    assert client.post("/session", json={"name": "therapist", "password": PASSWORD}).status_code == 200


def test_who_signs_out_is_signed_out(house: ApiHouse) -> None:
    therapist = house.client(Role.THERAPIST)
    assert therapist.get("/session").json()["role"] == "therapist"
    assert therapist.delete("/session").status_code == 204
    assert therapist.get("/session").status_code == 401


def test_a_session_of_staff_ends_when_nobody_uses_it(house: ApiHouse) -> None:
    therapist = house.client(Role.THERAPIST)
    house.later(minutes=29)
    assert therapist.get("/session").status_code == 200
    house.later(minutes=31)
    assert therapist.get("/session").status_code == 401


def test_a_token_that_reads_cannot_write_and_ends(house: ApiHouse) -> None:
    patient = house.client(Role.PATIENT)
    made = patient.post("/tokens", json={"name": "watch", "days": 30}).json()
    program = TestClient(house.app, headers={"Authorization": f"Bearer {made['secret']}"})
    assert program.get(path_of(OWN, "/rating")).status_code == 200
    rating = {"at": house.now.isoformat(), "target": "headache", "score": 2}
    refused = program.post(path_of(OWN, "/rating"), json=rating)
    assert (refused.status_code, refused.json()["error"]) == (403, "this token may read only")
    shown = patient.get("/tokens").json()
    assert [one["secret"] for one in shown] == [""]
    patient.delete(f"/tokens/{made['id']}")
    assert program.get(path_of(OWN, "/rating")).status_code == 401


def test_a_password_that_was_handed_out_must_be_changed_first(house: ApiHouse) -> None:
    handed = house.clinic.accounts.reset(BY_HAND, "therapist", house.clock[0])
    client = TestClient(house.app)
    answer = client.post("/session", json={"name": "therapist", "password": handed.password})
    client.headers["cookie"] = f"poise_session={answer.cookies['poise_session']}"
    assert answer.json()["must_change"] is True
    assert client.get(path_of(OWN, "/injection")).status_code == 403
    weak = client.post("/password", json={"old": handed.password, "new": "therapist1"})
    assert weak.status_code == 422
    assert client.post("/password", json={"old": handed.password, "new": NEW}).status_code == 204
    assert client.get(path_of(OWN, "/injection")).status_code == 200


def test_an_invitation_makes_one_account_and_brings_it_into_the_team(house: ApiHouse) -> None:
    therapist = house.client(Role.THERAPIST)
    invited = therapist.post(path_of(OWN, "/invitations"), json={"role": "clinician"}).json()
    taken = {"secret": invited["secret"], "name": "dr-new", "password": NEW}
    stranger = TestClient(house.app)
    assert stranger.post("/invitations/accept", json=taken).json()["role"] == "clinician"
    again = stranger.post("/invitations/accept", json=taken | {"name": "dr-newer"})
    assert again.status_code == 401
    answer = stranger.post("/session", json={"name": "dr-new", "password": NEW})
    stranger.headers["cookie"] = f"poise_session={answer.cookies['poise_session']}"
    assert stranger.get(path_of(OWN, "/injection")).status_code == 200


def test_a_password_is_never_repeated_in_an_answer(house: ApiHouse) -> None:
    sent = {"name": "therapist", "password": ["a secret in a list"]}
    answer = TestClient(house.app).post("/session", json=sent)
    assert answer.status_code == 422
    assert "a secret" not in answer.text


def test_who_asks_too_often_is_told_when_to_ask_again(house: ApiHouse) -> None:
    service: Service = house.app.state.service
    house.app.state.service = Service(
        house.clinic, service.now, service.collecting, limits=Limits(3), strangers=service.strangers
    )
    therapist = house.client(Role.THERAPIST)
    answers = [therapist.get("/session").status_code for _ in range(5)]
    assert answers == [200, 200, 200, 429, 429]
    house.later(minutes=1)
    assert therapist.get("/session").status_code == 200
