"""From a check-in to the flag that stays: the rules of care over HTTP."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any, cast
from uuid import uuid4

from api_house import NOW, OTHER, OWN, ApiHouse, check_in, injection, path_of

from ingest.reading import Day, Reader
from ingest.record.identity import Role
from poise.notices import SensorStatus
from poise.topics import Wearer


def injected(house: ApiHouse, **more: Any) -> str:
    answer = house.client(Role.CLINICIAN).post(path_of(OWN, "/injection"), json=injection(NOW, **more))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


def test_a_sign_raises_its_flag_at_once_and_it_stays_until_somebody_deals_with_it(either: ApiHouse) -> None:
    house, shot = either, injected(either)
    patient = house.client(Role.PATIENT)
    house.later(hours=24)
    answer = patient.post(path_of(OWN, "/check_in"), json=check_in(shot, house.now, signs=["fever"]))
    assert answer.status_code == 201, answer.text
    (flag,) = patient.get(path_of(OWN, "/flags")).json()
    assert flag["flag"]["urgency"] == "medical_attention_promptly"
    assert "promptly" in flag["patient"]
    house.later(hours=24)
    patient.post(path_of(OWN, "/check_in"), json=check_in(shot, house.now, soreness=1))
    therapist = house.client(Role.THERAPIST)
    (listed,) = therapist.get("/worklist").json()
    assert [one["id"] for one in listed["needs"]["flags"]] == [flag["id"]]
    done = {"at": house.now.isoformat(), "flag": flag["id"], "by": "T.", "done": "called: seen by a doctor"}
    seen = therapist.post(path_of(OWN, "/flag_handling"), json=done | {"dealt_with": False})
    assert seen.status_code == 201
    assert len(patient.get(path_of(OWN, "/flags")).json()) == 1
    therapist.post(path_of(OWN, "/flag_handling"), json=done | {"dealt_with": True})
    assert patient.get(path_of(OWN, "/flags")).json() == []


def test_normal_healing_is_called_so_and_raises_nothing(house: ApiHouse) -> None:
    shot, patient = injected(house), house.client(Role.PATIENT)
    house.later(hours=24)
    told = check_in(shot, house.now, soreness=5, redness="some", bruising="some", swelling="some")
    patient.post(path_of(OWN, "/check_in"), json=told)
    today = patient.get(path_of(OWN, "/today")).json()
    assert today["flags"] == []
    assert len(today["normal"]) == 4
    assert today["phase"]["phase"] == "protected"
    assert today["zone"] == "Europe/Berlin"


def test_signs_are_heard_even_when_the_check_in_names_no_known_injection(house: ApiHouse) -> None:
    patient = house.client(Role.PATIENT)
    told = check_in(str(uuid4()), house.now, signs=["breathing_difficulty"])
    assert patient.post(path_of(OWN, "/check_in"), json=told).status_code == 201
    (flag,) = patient.get(path_of(OWN, "/flags")).json()
    assert flag["flag"]["urgency"] == "emergency_now"


def test_bleeding_is_said_sooner_to_those_on_a_blood_thinner(house: ApiHouse) -> None:
    shot, patient = injected(house), house.client(Role.PATIENT)
    thinner = {"at": NOW.isoformat(), "medications": [{"name": "warfarin", "blood_thinner": True}]}
    house.client(Role.CLINICIAN).post(path_of(OWN, "/history"), json=thinner)
    house.later(hours=2)
    patient.post(path_of(OWN, "/check_in"), json=check_in(shot, house.now, bleeding="returning"))
    (flag,) = patient.get(path_of(OWN, "/flags")).json()
    assert flag["flag"]["code"] == "bleeding"
    assert "blood thinner" in flag["patient"]


def test_phases_are_told_ahead_and_follow_the_plan(house: ApiHouse) -> None:
    injected(house)
    therapist = house.client(Role.THERAPIST)
    ahead = therapist.get(path_of(OWN, "/phases")).json()
    names = [change["now"]["phase"] for change in ahead]
    assert names == ["protected", "easing", "restoring", "strengthening", "maintaining"]
    assert ahead[1]["at"] == (NOW + timedelta(hours=48)).isoformat().replace("+00:00", "Z")


def test_a_place_over_a_fresh_puncture_is_not_offered(house: ApiHouse) -> None:
    injected(house)
    found = house.client(Role.PATIENT).get(
        path_of(OWN, "/wearing"), params={"segment": ["c7", "scapula_left", "scapula_right"]}
    )
    assert found.json()["free"] == ["c7", "scapula_right"]
    (instead,) = found.json()["instead"]
    assert instead["segments"] == ["upper_arm_left"]
    assert "rounded_shoulder_left" in found.json()["lost"]


def test_the_aftercare_sheet_is_read_on_screen_in_print_and_confirmed(house: ApiHouse) -> None:
    shot, patient = injected(house), house.client(Role.PATIENT)
    paper = path_of(OWN, f"/aftercare/{shot}")
    sheet = patient.get(paper).json()
    assert sheet["sections"][0]["urgent"] is True
    assert patient.get(f"{paper}/pdf").content.startswith(b"%PDF-")
    page = patient.get(f"{paper}/page").text
    assert "After your injection of 7 September 2026" in page
    assert "<script" not in page
    read = {
        "at": house.now.isoformat(), "injection": shot, "digest": sheet["digest"],
        "text_version": sheet["text_version"],
    }  # fmt: skip
    assert patient.post(path_of(OWN, "/sheet_read"), json=read).status_code == 201
    other = house.client(Role.CLINICIAN).get(path_of(OTHER, f"/aftercare/{shot}"))
    assert other.status_code == 404


def test_real_change_is_told_from_noise(house: ApiHouse) -> None:
    injected(house)
    patient = house.client(Role.PATIENT)
    for days, score in ((7, 6), (14, 4), (21, 2)):
        at = (NOW + timedelta(days=days)).isoformat()
        rating = {"at": at, "target": "target_pain", "score": score}
        patient.post(path_of(OWN, "/rating"), json=rating)
        (change,) = patient.get(path_of(OWN, "/changes")).json()
        assert change["points"] == 7 - score
    assert change["answer"] == "more than noise, and it matters"
    assert "doi:" in change["source"]


class Measured:
    """What was measured: so many minutes of slouch in eight hours a day, less from one day on."""

    def __init__(self, since: date) -> None:
        self._since = since

    def days(self, wearer: Wearer, first: date, last: date) -> list[Day]:
        assert wearer == OWN
        found = [first + timedelta(days=i) for i in range((last - first).days + 1)]
        return [Day(d, 8 * 3600.0, {"slouch": 60.0 * (24 if d < self._since else 8)}) for d in found]


class Worn:
    """Two sensors at work, and a calibration before the ice."""

    def __init__(self, calibrated_us: list[int], last_us: int) -> None:
        self._calibrated_us, self._last_us = calibrated_us, last_us

    def calibrated(self, wearer: Wearer) -> list[int]:
        assert wearer == OWN
        return self._calibrated_us

    def sensors(self, wearer: Wearer) -> list[SensorStatus]:
        assert wearer == OWN
        return [
            SensorStatus(sensor=s, segment=s, state="streaming", since_us=0, last_us=self._last_us)
            for s in ("c7", "head")
        ]


def test_after_ice_a_recheck_is_asked_for_until_there_was_one(house: ApiHouse) -> None:
    shot, patient = injected(house), house.client(Role.PATIENT)
    began = house.now.isoformat()
    house.later(minutes=16)
    ice = {"at": began, "ended": house.now.isoformat(), "why": "done", "injection": shot}
    patient.post(path_of(OWN, "/icing"), json=ice | {"sensors_off": ["c7"]})
    service, calibrated = house.app.state.service, [house.clock[0] - 3_600_000_000]
    worn = cast("Reader", Worn(calibrated, house.clock[0]))
    house.app.state.service = replace(service, reader=worn)
    today = patient.get(path_of(OWN, "/today")).json()
    assert (today["recheck"], today["skin"]) == (["c7"], ["c7", "head"])
    assert today["ice"]["says"] == "wait"
    calibrated.append(house.clock[0])
    skin = {"at": house.now.isoformat(), "segment": "c7", "look": "fine"}
    answer = patient.post(path_of(OWN, "/skin"), json=skin)
    assert answer.status_code == 201, answer.text
    today = patient.get(path_of(OWN, "/today")).json()
    assert (today["recheck"], today["skin"]) == ([], ["head"])


def test_a_change_at_the_place_of_work_is_shown_with_exposure_before_and_after(house: ApiHouse) -> None:
    changed = {"at": NOW.isoformat(), "place": "office", "met": ["monitor"], "changed": ["monitor"]}
    house.client(Role.PATIENT).post(path_of(OWN, "/ergonomics"), json=changed)
    house.later(days=5)
    service = house.app.state.service
    house.app.state.service = replace(service, reader=cast("Reader", Measured(NOW.date())))
    (effect,) = house.client(Role.PATIENT).get(path_of(OWN, "/ergonomics-effects")).json()
    assert effect["changed"] == ["monitor"]
    assert effect["before"]["minutes_an_hour"] == {"slouch": 3.0}
    assert effect["after"]["minutes_an_hour"] == {"slouch": 1.0}
    assert (effect["before"]["first"], effect["after"]["last"]) == ("2026-08-24", "2026-09-12")


def test_a_row_of_appointments_keeps_its_local_time_over_the_change_of_clocks(house: ApiHouse) -> None:
    row = {
        "day": "2026-10-19", "at": "17:30", "zone": "Europe/Berlin", "whom": "T.", "purpose": "therapy",
        "repeat": {"every_weeks": 1, "count": 3}, "left_out": ["2026-11-02"],
    }  # fmt: skip
    house.client(Role.THERAPIST).post(path_of(OWN, "/appointment"), json=row)
    dates = house.client(Role.PATIENT).get(path_of(OWN, "/appointments")).json()
    assert [one["at"] for one in dates] == ["2026-10-19T15:30:00Z", "2026-10-26T16:30:00Z"]


def test_an_older_check_in_that_is_corrected_raises_what_it_now_says(house: ApiHouse) -> None:
    shot, patient = injected(house), house.client(Role.PATIENT)
    house.later(hours=24)
    told = check_in(shot, house.now)
    entry = patient.post(path_of(OWN, "/check_in"), json=told).json()["id"]
    said = {"version": 1, "reason": "forgot", "entry": told | {"signs": ["numbness"]}}
    patient.post(path_of(OWN, f"/check_in/{entry}/versions"), json=said)
    (flag,) = patient.get(path_of(OWN, "/flags")).json()
    assert (flag["flag"]["code"], flag["flag"]["source"]) == ("nerve", entry)
