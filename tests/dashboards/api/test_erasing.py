"""Withdrawal stops collecting at once; erasure leaves nothing in the record, nor does a backup later."""

from pathlib import Path

from api_house import OTHER, OWN, ApiHouse, api_house, check_in, consent, injection, path_of
from typer.testing import CliRunner

from dashboards.api.errors import UnknownPatientError
from ingest.care.collecting import Collecting
from ingest.erasing.register import Register, Standing
from ingest.record.identity import BY_HAND, Role
from ingest.results.store import key
from poise.care.consents import DataConsent
from poise.cli.commands import app as commands

WORDS = "a very particular heron"


def standing(house: ApiHouse) -> str | None:
    order = Register(house.folder).order(key(OWN))
    return order.what if order else None


def test_withdrawing_consent_stops_collecting_at_once_and_giving_it_again_resumes(house: ApiHouse) -> None:
    patient = house.client(Role.PATIENT)
    patient.post(path_of(OWN, "/data_consent"), json=consent(house.now, "collection"))
    assert standing(house) is None
    house.later(minutes=1)
    patient.post(path_of(OWN, "/data_consent"), json=consent(house.now, "collection", given=False))
    assert standing(house) == Standing.WITHDRAWN
    house.later(minutes=1)
    patient.post(path_of(OWN, "/data_consent"), json=consent(house.now, "research", given=False))
    assert standing(house) == Standing.WITHDRAWN
    house.later(minutes=1)
    patient.post(path_of(OWN, "/data_consent"), json=consent(house.now, "collection"))
    assert standing(house) == Standing.RESUMED


def test_a_withdrawal_that_a_death_left_unsaid_is_said_at_the_next_start(house: ApiHouse) -> None:
    said = DataConsent.model_validate(consent(house.now, "collection", given=False))
    with house.clinic.database.writing() as session:
        house.clinic.entries.add(session, BY_HAND, house.patient(), said, house.clock[0])
    assert standing(house) is None
    Collecting(house.clinic, house.folder, lambda: house.clock[0]).reconcile()
    assert standing(house) == Standing.WITHDRAWN


def test_what_was_ordered_later_at_the_machine_itself_stands(house: ApiHouse) -> None:
    patient = house.client(Role.PATIENT)
    patient.post(path_of(OWN, "/data_consent"), json=consent(house.now, "collection"))
    house.later(minutes=1)
    Register(house.folder).put(key(OWN), Standing.WITHDRAWN, house.clock[0])
    Collecting(house.clinic, house.folder, lambda: house.clock[0]).reconcile()
    assert standing(house) == Standing.WITHDRAWN


def files_with(folder: Path, *words: str) -> list[str]:
    return [
        f"{path.name}: {word}"
        for path in folder.rglob("*")
        if path.is_file()
        for word in words
        if word.encode() in path.read_bytes()
    ]


def filled(house: ApiHouse) -> None:
    shot = house.client(Role.CLINICIAN).post(path_of(OWN, "/injection"), json=injection(note=WORDS)).json()
    house.client(Role.PATIENT).post(
        path_of(OWN, "/check_in"), json=check_in(shot["id"], house.now, note=WORDS)
    )
    house.clinic.database.settle()


def test_an_erased_person_is_found_nowhere_in_the_record(house: ApiHouse) -> None:
    filled(house)
    assert files_with(house.folder, WORDS, OWN.patient)
    administrator = house.client(Role.ADMINISTRATOR)
    slip = administrator.post(path_of(OWN, "/erasure"), json={"patient": OTHER.patient})
    assert slip.status_code == 422
    done = administrator.post(path_of(OWN, "/erasure"), json={"patient": OWN.patient})
    assert done.status_code == 202, done.text
    assert files_with(house.folder, WORDS, OWN.patient) == []
    gone = house.client(Role.CLINICIAN).get(path_of(OWN, "/injection"))
    assert gone.json()["error"] == str(UnknownPatientError())
    assert administrator.get("/audit/verified").json()["broken_at"] is None
    assert administrator.get(f"/erasures/north/{OWN.patient}").json() == []
    again = house.client(Role.CLINICIAN).post(
        "/patients", json={"site": OWN.site, "patient": OWN.patient, "zone": "UTC"}
    )
    assert again.status_code == 422, "a pseudonym that was erased is never used again"


def test_a_backup_that_comes_back_brings_nothing_of_who_was_erased_since(tmp_path: Path) -> None:
    data, backup = tmp_path / "data", tmp_path / "backup.tar"
    run = CliRunner()
    with api_house(data) as house:
        filled(house)
        made = run.invoke(commands, ["backup", str(backup), "--data", str(data)])
        assert made.exit_code == 0, made.output
        assert WORDS.encode() in backup.read_bytes()
        house.client(Role.ADMINISTRATOR).post(path_of(OWN, "/erasure"), json={"patient": OWN.patient})
    back = run.invoke(commands, ["restore", str(backup), "--replace", "--data", str(data)])
    assert back.exit_code == 0, back.output
    (aside,) = data.glob("before-restore-*")
    assert files_with(data, WORDS) == []
    assert aside.is_dir()
    with api_house(data) as house:
        rows = house.client(Role.ADMINISTRATOR).get("/audit").json()
        assert "erased" in {row["action"] for row in rows}
