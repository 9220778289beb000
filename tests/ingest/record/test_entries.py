"""Entries: written once, corrected beside, withdrawn with a reason; nothing is lost or overwritten."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from uuid import UUID, uuid4

import pytest
from record_helpers import ANNA, BODIES, NOW, WEARER, House, Remark, injection
from sqlalchemy import event, text

from ingest.record.bodies import Bodies, Unreadable
from ingest.record.entries import Version, microseconds
from ingest.record.patients import Patient
from poise.care.entry import by_kind
from poise.care.injections import Injection
from poise.errors import RecordConflictError, RecordMissingError, RecordRefusedError
from poise.topics import Wearer


@pytest.fixture
def patient(house: House) -> Patient:
    return house.patient()


def test_an_injection_comes_back_as_it_was_given(house: House, patient: Patient) -> None:
    given = injection(datetime(2026, 9, 1, 12, 30, 0, 1, tzinfo=UTC))
    written = house.add(patient, given)
    (read,) = house.page(patient, kind="injection").versions
    assert read == written
    assert read.content == given
    assert read.at_us == microseconds(given.at) == 1_788_265_800_000_001
    assert (read.version_no, read.author, read.recorded_us, read.withdrawn) == (1, ANNA.actor, NOW, False)


def test_a_correction_is_a_later_version_and_the_first_one_stays(house: House, patient: Patient) -> None:
    first = house.add(patient, injection(pain=7))
    second = house.revise(patient, first, injection(pain=4), reason="misheard")
    assert [v.content.pain_before for v in house.history(patient, first.id)] == [7, 4]
    assert house.page(patient).versions == [second]
    assert (second.version_no, second.reason) == (2, "misheard")


def test_a_withdrawn_entry_is_shown_only_to_who_asks_for_it(house: House, patient: Patient) -> None:
    first = house.add(patient, injection())
    gone = house.withdraw(patient, first)
    assert house.page(patient).versions == []
    (shown,) = house.page(patient, withdrawn=True).versions
    assert (shown.withdrawn, shown.reason, shown.content) == (True, "wrong person", first.content)
    with pytest.raises(RecordRefusedError, match="was withdrawn"):
        house.revise(patient, gone, injection())
    with pytest.raises(RecordRefusedError, match="was withdrawn"):
        house.withdraw(patient, gone)


def test_a_withdrawal_without_a_reason_is_refused(house: House, patient: Patient) -> None:
    first = house.add(patient, injection())
    with pytest.raises(RecordRefusedError, match="say why"):
        house.withdraw(patient, first, "  ")


def test_who_saw_an_older_version_is_told_to_look_again(house: House, patient: Patient) -> None:
    first = house.add(patient, injection())
    house.revise(patient, first, injection(pain=1))
    with pytest.raises(RecordConflictError, match="since version 1"):
        house.revise(patient, first, injection(pain=2))
    with pytest.raises(RecordConflictError):
        house.withdraw(patient, first)
    assert len(house.history(patient, first.id)) == 2


def test_of_two_who_correct_at_once_one_wins(house: House, patient: Patient) -> None:
    """Both have seen version 1 and try at the same moment."""
    first, gate = house.add(patient, injection()), Barrier(2)

    def correct(pain: int) -> str:
        gate.wait()
        try:
            house.revise(patient, first, injection(pain=pain))
        except RecordConflictError:
            return "conflict"
        return "won"

    for _ in range(5):
        with ThreadPoolExecutor(2) as both:
            assert sorted(both.map(correct, (1, 2))) == ["conflict", "won"]
        first = house.page(patient).versions[0]
    assert [v.version_no for v in house.history(patient, first.id)] == [1, 2, 3, 4, 5, 6]


def test_an_id_of_the_senders_own_makes_one_entry_only(house: House, patient: Patient) -> None:
    chosen = uuid4()
    house.add(patient, Remark(words="once"), entry_id=chosen)
    with pytest.raises(RecordConflictError, match="this id already"):
        house.add(patient, Remark(words="twice"), entry_id=chosen)
    assert len(house.history(patient, chosen)) == 1


def test_an_entry_of_somebody_else_is_not_there(house: House, patient: Patient) -> None:
    other = house.patient(Wearer("P-2", "north"))
    theirs = house.add(other, injection())
    with pytest.raises(RecordMissingError):
        house.history(patient, theirs.id)
    with pytest.raises(RecordMissingError):
        house.revise(patient, theirs, injection())
    with pytest.raises(RecordMissingError):
        house.withdraw(patient, theirs)
    assert house.page(patient).versions == []


def test_an_entry_never_becomes_one_of_another_kind(house: House, patient: Patient) -> None:
    first = house.add(patient, injection())
    with pytest.raises(RecordRefusedError, match="cannot become remark"):
        house.revise(patient, first, Remark(words="x"))


def test_an_entry_without_a_time_of_its_own_is_of_the_time_of_writing(house: House, patient: Patient) -> None:
    first = house.add(patient, Remark(words="x"), NOW)
    assert first.at_us == NOW
    assert house.revise(patient, first, Remark(words="y")).at_us == NOW
    assert house.add(patient, Remark(words="z"), NOW, at_us=5).at_us == 5


def test_a_time_range_looks_at_the_latest_version_only(house: House, patient: Patient) -> None:
    """An injection that was dated a day late and corrected is found under the right day only."""
    wrong, right = datetime(2026, 9, 2, tzinfo=UTC), datetime(2026, 9, 1, tzinfo=UTC)
    house.revise(patient, house.add(patient, injection(wrong)), injection(right))
    day = timedelta(days=1)
    for start, found in ((right, 1), (wrong, 0)):
        asked = {"from_us": microseconds(start), "to_us": microseconds(start + day)}
        assert len(house.page(patient, **asked).versions) == found


def test_pages_give_every_entry_once_the_latest_first(house: House, patient: Patient) -> None:
    """Several are of the same time, so the time alone cannot tell where the next page begins."""
    for n in range(11):
        house.add(patient, Remark(words=str(n)), at_us=n // 3)
    seen: list[Version] = []
    cursor = ""
    while True:
        page = house.page(patient, limit=4, cursor=cursor)
        seen += page.versions
        if not (cursor := page.cursor):
            break
    assert [v.at_us for v in seen] == [3, 3, 2, 2, 2, 1, 1, 1, 0, 0, 0]
    assert {v.content.words for v in seen} == {str(n) for n in range(11)}


@pytest.mark.parametrize("cursor", ["x", "1", "1.x", ".", f"{2**70}.{'0' * 32}"])
def test_a_cursor_that_is_none_is_refused(house: House, patient: Patient, cursor: str) -> None:
    with pytest.raises(RecordRefusedError, match="cursor"):
        house.page(patient, cursor=cursor)


def test_the_newest_of_a_kind_tells_how_things_are(house: House, patient: Patient) -> None:
    with house.database.reading() as session:
        assert house.entries.newest(session, patient.id, "remark") is None
    house.add(patient, Remark(words="yes"), at_us=1)
    last = house.add(patient, Remark(words="no"), at_us=2)
    house.add(patient, injection())
    with house.database.reading() as session:
        assert house.entries.newest(session, patient.id, "remark") == last


def stored(house: House, patient: Patient, written_as: int, body: str, kind: str = "remark") -> UUID:
    entry_id = uuid4()
    row = "INSERT INTO entries VALUES (:e, 1, :p, :k, :f, :b, 1, 'machine', 1, 'current', '')"
    with house.database.writing() as session:
        values = {"e": entry_id.hex, "p": patient.id.hex, "k": kind, "f": written_as, "b": body}
        session.execute(text(row), values)
    return entry_id


def test_an_entry_of_an_older_format_is_raised_when_it_is_read(house: House, patient: Patient) -> None:
    entry_id = stored(house, patient, 1, '{"text": "from long ago"}')
    (read,) = house.history(patient, entry_id)
    assert read.content == Remark(words="from long ago")


@pytest.mark.parametrize(
    ("kind", "written_as", "body", "why"),
    [
        ("remark", 3, '{"words": "x"}', "newer Poise"),
        ("remark", 0, '{"words": "x"}', "no whole remark"),
        ("remark", 1, '{"other": "x"}', "no whole remark"),
        ("remark", 1, "[1]", "no whole remark"),
        ("remark", 2, '{"words": 5}', "no whole remark"),
        ("remark", 2, '{"words": "x", "more": 1}', "no whole remark"),
        ("remark", 2, "{", "no whole remark"),
        ("phlebotomy", 1, "{}", "knows no entry of the kind phlebotomy"),
    ],
)
def test_an_entry_that_cannot_be_read_is_shown_as_it_is(
    house: House, patient: Patient, kind: str, written_as: int, body: str, why: str
) -> None:
    stored(house, patient, written_as, body, kind)
    house.add(patient, injection())
    content = next(v.content for v in house.page(patient).versions if v.kind == kind)
    assert isinstance(content, Unreadable)
    assert content.body == body
    assert why in content.why


def test_a_kind_that_a_program_does_not_know_can_still_be_withdrawn(house: House, patient: Patient) -> None:
    first = house.add(patient, Remark(words="x"))
    stranger = house.reading_with(Bodies(by_kind([Injection])))
    gone = stranger.withdraw(patient, first)
    assert isinstance(gone.content, Unreadable)
    assert house.history(patient, first.id)[1].content == Remark(words="x")


def test_text_that_is_none_is_refused(house: House, patient: Patient) -> None:
    with pytest.raises(RecordRefusedError, match="cannot be written down"):
        house.add(patient, Remark.model_construct(words="\ud800"))


def test_no_statement_changes_or_deletes_an_entry_or_a_row_of_the_audit(house: House) -> None:
    """Everything that entries can do, with every statement on the way to the database listened to."""
    said: list[str] = []

    @event.listens_for(house.database._engine, "before_cursor_execute")
    def listen(_c: object, _k: object, statement: str, *_: object) -> None:
        said.append(" ".join(statement.split()))

    patient = house.patient()
    first = house.add(patient, injection())
    second = house.revise(patient, first, injection(pain=2))
    house.withdraw(patient, second)
    house.page(patient)
    house.history(patient, first.id)
    changing = [s for s in said if s.startswith(("UPDATE", "DELETE", "TRUNCATE", "REPLACE", "INSERT OR"))]
    assert {s.split()[1] for s in changing} == {"audit_head"}
    assert sum(s.startswith("INSERT INTO entries") for s in said) == 3


def test_every_change_has_its_row_in_the_audit(house: House, patient: Patient) -> None:
    first = house.add(patient, injection())
    house.withdraw(patient, house.revise(patient, first, injection(pain=2)))
    with house.database.reading() as session:
        noted = house.audit.of_patient(session, WEARER)
        assert house.audit.verify(session).broken_at is None
    told = [(n.action, n.about.kind, n.about.version_no) for n in reversed(noted)]
    assert told == [
        ("created", "patient", None),
        ("created", "injection", 1),
        ("revised", "injection", 2),
        ("withdrawn", "injection", 3),
    ]
    assert {n.about.subject for n in noted[:3]} == {first.id.hex}


def test_what_is_refused_leaves_no_trace(house: House, patient: Patient) -> None:
    first = house.add(patient, injection())
    house.revise(patient, first, injection(pain=2))
    with house.database.reading() as session:
        before = house.audit.head(session)
    with pytest.raises(RecordConflictError):
        house.revise(patient, first, injection(pain=3))
    with house.database.reading() as session:
        assert house.audit.head(session) == before


def test_the_bodies_of_this_test_know_their_steps() -> None:
    assert BODIES.read("remark", 1, '{"text": "a"}') == Remark(words="a")
