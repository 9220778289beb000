"""`poise person` as it is typed: what it asks, what it says, and how it ends."""

from pathlib import Path

import pytest
from house_helpers import Typed
from ingest_helpers import WEARER, Shelf, day, samples, take_all

from ingest.erasing.register import Register
from ingest.results.store import key
from poise.cli.person.asking import Answers


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one wearer in it, and no broker that answers."""
    monkeypatch.setenv("POISE_BROKER__PORT", "9")
    monkeypatch.setattr("ingest.erasing.broker._CONNECT_S", 0.3)
    shelf = Shelf(tmp_path / "data" / "poise.db")
    take_all(shelf, samples(day(5)))
    shelf.database.close()
    return tmp_path / "data"


def answering(monkeypatch: pytest.MonkeyPatch, line: str) -> None:
    async def typed_line(_: Answers) -> str:
        return line

    monkeypatch.setattr(Answers, "next", typed_line)


def test_another_name_typed_deletes_nothing(
    data: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, "bob")
    code, out, err = typed("person", "erase", "home/anna")
    assert code == 2
    assert "Type anna to go on" in out
    assert "nothing was deleted" in err
    assert not Register(data)


def test_what_cannot_be_done_now_is_named_and_done_the_next_time(
    data: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, "anna")
    code, out, _ = typed("person", "erase", "home/anna")
    assert code == 1
    assert "messages 5" in out
    assert "no MQTT broker answers at 127.0.0.1:9; run this again" in out
    assert "not confirmed yet" in out
    assert "Not all is done yet" in out
    assert Register(data).is_erased(key(WEARER))
    code, out, _ = typed("person", "erase", "anna", "--yes")
    assert (code, "messages 5" in out) == (1, True)
    code, out, _ = typed("status")
    assert "A wearer was erased on" in out
    assert "its gateway has not confirmed it yet" in out
    assert "anna" not in out


def test_a_name_that_nobody_has_is_asked_about(
    data: Path, typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    answering(monkeypatch, "")
    code, out, _ = typed("person", "erase", "home/anne")
    assert (code, "Nothing of home/anne is in this folder" in out) == (2, True)
    assert data.exists()


def test_consent_is_withdrawn_and_given_again(data: Path, typed: Typed) -> None:
    assert typed("person", "resume", "home/anna")[0] == 2
    code, out, _ = typed("person", "stop", "home/anna")
    assert code == 1
    assert "from now on nothing is stored" in out
    assert "not confirmed yet" in out
    assert Register(data).reason(key(WEARER)) == "withdrawn"
    assert typed("person", "resume", "home/anna")[0] == 0
    assert Register(data).reason(key(WEARER)) == ""


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["person", "erase", "home/an na", "--yes"], "write SITE/PATIENT"),
        (["person", "stop", "a/b/c"], "write SITE/PATIENT"),
        (["ask", "anna", "erase"], "`poise person erase` does both"),
    ],
)
def test_wrong_words_are_one_sentence(data: Path, typed: Typed, words: list[str], said: str) -> None:
    code, _, err = typed(*words)
    assert (code, said in err) == (2, True), err
    assert not Register(data)
