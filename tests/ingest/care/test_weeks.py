"""The first days of the fifty simulated patients through the record: the same flags, each in its own row."""

from collections.abc import Iterator
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid5

import pytest
from first_week import KEY, Script, Week, play, scripts
from record_helpers import CHEAP

from analytics.care.flags import open_flags
from ingest.care.clinic import Clinic, open_clinic
from ingest.record.entries import microseconds
from ingest.record.identity import BY_HAND
from ingest.record.patients import Patient
from poise.care.assessments import History, Medication
from poise.care.entry import Entry
from poise.care.flags import Flag, FlagHandling
from poise.topics import Wearer

FIFTY = list(scripts())


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clinic]:
    with closing(open_clinic(tmp_path_factory.mktemp("record"), passwords=CHEAP)) as opened:
        yield opened


def own(patient: Patient, entry_id: UUID) -> UUID:
    """The scripts name their entries alike; in one record each patient's has an id of its own."""
    return uuid5(patient.id, entry_id.hex)


def enter(clinic: Clinic, patient: Patient, script: Script, week: Week) -> None:
    """Write everything in the order of its time, as patient and team would."""
    told: list[tuple[datetime, UUID | None, Entry]] = [(week.injection.at, own(patient, KEY), week.injection)]
    if script.thinner:
        medication = Medication(name="warfarin", blood_thinner=True)
        before = week.injection.at - timedelta(days=1)
        told.append((before, None, History(at=before, medications=(medication,))))
    for key, given in week.check_ins.items():
        answers = given.model_copy(update={"injection": own(patient, KEY)})
        told.append((given.at, own(patient, key), answers))
    told += [(done.at, None, done) for done in week.handlings]
    for at, entry_id, entry in sorted(told, key=lambda one: one[0]):
        said = entry
        if isinstance(entry, FlagHandling):
            flag = known(clinic, patient, at)[spot(patient, week.flags[entry.flag])]
            said = entry.model_copy(update={"flag": flag})
        clinic.write(BY_HAND, patient, said, microseconds(at), entry_id)


def spot(patient: Patient, flag: Flag) -> tuple[str, UUID]:
    """Where the script put a flag: its code and the answer that raised it."""
    assert flag.source is not None
    return flag.code.value, own(patient, flag.source)


def known(clinic: Clinic, patient: Patient, at: datetime) -> dict[tuple[str, UUID | None], UUID]:
    course = clinic.course(patient, microseconds(at))
    return {(flag.code.value, flag.source): key for key, flag in course.flags.items()}


@pytest.mark.parametrize("number", range(50))
def test_the_record_raises_the_flags_of_the_script_and_no_other(clinic: Clinic, number: int) -> None:
    script = FIFTY[number]
    week, wearer = play(script), Wearer(f"W-{number:02}", "north")
    with clinic.database.writing() as session:
        patient = clinic.patients.add(session, BY_HAND, wearer, script.zone.key, 0)
    enter(clinic, patient, script, week)
    end = week.injection.at + timedelta(days=14)
    assert set(known(clinic, patient, end)) == {spot(patient, flag) for flag in week.flags.values()}
    course = clinic.course(patient, microseconds(end))
    left = open_flags(course.flags, course.handlings).values()
    done = {handled.flag for handled in week.handlings}
    waiting = {spot(patient, flag) for key, flag in week.flags.items() if key not in done}
    assert {(flag.code.value, flag.source) for flag in left} == waiting


def test_a_flag_and_the_answer_that_raised_it_are_one_transaction(
    clinic: Clinic, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = next(one for one in FIFTY if one.name == "infection")
    week = play(script)
    with clinic.database.writing() as session:
        patient = clinic.patients.add(session, BY_HAND, Wearer("W-99", "north"), script.zone.key, 0)

    def failing(*_: object) -> None:
        raise RuntimeError("the program dies here")

    monkeypatch.setattr("ingest.care.clinic.flags_after", failing)
    key, given = next(iter(week.check_ins.items()))
    with pytest.raises(RuntimeError):
        clinic.write(BY_HAND, patient, given, microseconds(given.at), key)
    assert clinic.course(patient, microseconds(given.at)).check_ins == {}
