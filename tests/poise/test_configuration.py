"""Wrong settings are named with file, line, column and what to write; the file keeps what a person wrote."""

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from poise.cli.alone import alone
from poise.cli.configuration import (
    CONFIG,
    TEMPLATE,
    Spot,
    begin_file,
    file_in_force,
    own_file,
    replaced,
    spot_of,
    with_sensors,
    write_sensors,
)
from poise.cli.settings import load
from poise.errors import ConfigurationError

HAND_WRITTEN = """\
# mine
patient = "P-0142"   # not her name

[sensors]            # left is where the tape is
"D4:22:CD:00:00:01" = "head"
'D4:22:CD:00:00:02' = "c7"   # the new one

[broker]
port = 1884
"""


@pytest.fixture(autouse=True)
def nobodys_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("POISE_CONFIG", "POISE_DATA", "POISE_PATIENT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("\n\npatient = P-1\n", ("line 3, column 11", "TOML", "quotes")),
        ("x = [\n1]\n\nport = [\n", ("line 4", "TOML", "bracket is not closed")),
        ('site = "a"\nsite = "b"\n', ("line 2", "twice", "keep one")),
        ('data = "C:\\Users\\me"\n', ("line 1", "single quotes", "C:\\Users")),
        ("patient\n", ("line 1", "name = value")),
        ("patient = 'J\xfcrgen'", ("line 1", "UTF-8")),
        ('site = "home"\n\npatiend = "P-1"\n', ("line 3, column 1", "patiend", "did you mean patient?")),
        ("# a\nhost = 'x'\n", ("line 2, column 1", "host", "below [broker]")),
        ("[broker]\n# b\n  hots = 'x'\n", ("line 3, column 3", "broker.hots", "did you mean host?")),
        ('broker = { host = "x", port = "many" }', ("line 1, column 24", "whole number", "'many'")),
        ("broker.port = 70000", ("line 1, column 8", "65535", "70000")),
        ("broker = 3", ("line 1", "[broker]", "section")),
        ('[store]\nkind = "oracle"', ("line 2, column 1", "'sqlite' or 'influxdb'", "'oracle'")),
        ('[broker]\ntls = "perhaps"', ("line 2, column 1", "true or false")),
        ("patient = 7", ("line 1", "patient", "quotes", "7")),
        ('site = "a/b"', ("line 1", "letters, digits")),
        ('[sensors]\n"a:b" = 3', ("line 2, column 2", "sensors.a:b", "quotes")),
        ('[sensors]\n"a:b" = "head"\n"c:d" = "head"', ("line 1", "the head has 2 sensors", "a:b and c:d")),
        ('patient = """\nP\n"""\n[stroe]\nkind = "x"', ("line 1", "patient")),
        ('[stroe]\nkind = "x"', ("line 1, column 2", "did you mean store?")),
    ],
)
def test_a_wrong_file_is_named_with_the_line_and_what_to_write(toml: str, words: tuple[str, ...]) -> None:
    Path("poise.toml").write_bytes(toml.encode("latin-1"))
    with pytest.raises(ConfigurationError) as caught:
        load()
    said = str(caught.value)
    assert said.startswith("poise.toml, line ")
    assert "\n" not in said
    for word in words:
        assert word in said, said


def test_the_later_source_is_blamed(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("poise.toml").write_text("[broker]\nport = 1884\n")
    monkeypatch.setenv("POISE_BROKER__PORT", "many")
    with pytest.raises(ConfigurationError, match=r"in the environment, POISE_BROKER__PORT: .*whole number"):
        load()
    monkeypatch.delenv("POISE_BROKER__PORT")
    with pytest.raises(ConfigurationError, match=r"on the command line: setting patient: 'a b' cannot"):
        load(patient="a b")


def test_a_statement_is_found_however_it_is_written() -> None:
    text = '# c\n[broker]\nhost = "x"\n\n[sensors]\n\'D4:01\' = """\nhead"""\n"D4:02" = "c7"\n'
    text += '[store]\nurl = "u"\n'
    assert spot_of(text, ["broker", "host"]) == Spot(3, 1)
    assert spot_of(text, ["sensors"]) == Spot(5, 2)
    assert spot_of(text, ["sensors", "D4:01"]) == Spot(6, 2)
    assert spot_of(text, ["sensors", "D4:02"]) == Spot(8, 2)
    assert spot_of(text, ["store", "url"]) == Spot(10, 1)
    assert spot_of(text, ["store", "kind"]) is None


def test_the_file_here_comes_before_the_users_own_and_a_named_one_before_both(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert file_in_force() == own_file()
    begin_file(own_file())
    assert own_file().is_relative_to(tmp_path)
    assert load().patient == "P-0001"
    own_file().write_text('patient = "mine"')
    assert load().patient == "mine"
    Path("poise.toml").write_text('patient = "here"')
    assert load().patient == "here"
    Path("other.toml").write_text('patient = "other"')
    monkeypatch.setenv(CONFIG, "other.toml")
    assert load().patient == "other"


def test_a_file_that_is_there_is_not_begun_again() -> None:
    Path("poise.toml").write_text(HAND_WRITTEN)
    with pytest.raises(ConfigurationError, match="left as it is"):
        begin_file(Path("poise.toml"))
    assert Path("poise.toml").read_text() == HAND_WRITTEN


def test_sensors_are_written_and_all_else_stays() -> None:
    worn = {"D4:22:CD:00:00:03": "head", "D4:22:CD:00:00:02": "t4"}
    changed = with_sensors(HAND_WRITTEN, worn)
    kept = [line for line in HAND_WRITTEN.splitlines() if "CD:00" not in line]
    assert [line for line in changed.splitlines() if line in kept] == kept
    assert "'D4:22:CD:00:00:02' = \"t4\"   # the new one" in changed
    Path("poise.toml").write_text(changed)
    assert load().sensors == {"D4:22:CD:00:00:02": "t4", "D4:22:CD:00:00:03": "head"}
    assert load().broker.port == 1884
    assert with_sensors(changed, worn) == changed


@pytest.mark.parametrize("text", ["", TEMPLATE, "patient = 'P-2'", "[broker]\nport = 1884"])
def test_a_file_without_sensors_gets_them(text: str) -> None:
    file = Path("poise.toml")
    file.write_text(text)
    write_sensors(file, {"AA:BB": "c7"})
    assert load().sensors == {"AA:BB": "c7"}
    assert file.read_text().startswith(text)


def test_what_would_be_lost_is_said_beforehand() -> None:
    before = {"1": "head", "2": "c7", "3": "t4"}
    assert replaced(before, {"1": "head", "4": "lumbar"}) == {}
    assert replaced(before, {"2": "head"}) == {"1": "head", "2": "c7"}
    assert replaced(before, {"4": "t4"}) == {"3": "t4"}


def test_a_file_that_cannot_be_written_is_left_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    file = Path("poise.toml")
    file.write_text(HAND_WRITTEN)
    Path("poise.toml.new").mkdir()
    with pytest.raises(ConfigurationError, match="cannot be written"):
        write_sensors(file, {"1": "head"})
    assert file.read_text() == HAND_WRITTEN


def test_the_lock_of_windows_is_asked_for_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Untested on Windows itself: only that its own module is asked, and that a refusal is told."""
    asked: list[int] = []

    def locking(_descriptor: int, mode: int, _n: int) -> None:
        asked.append(mode)
        if len(asked) > 1:
            raise PermissionError

    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(locking=locking, LK_NBLCK=2))
    with alone(tmp_path / "x.lock", "gateway"):
        assert asked == [2]
        with (
            pytest.raises(ConfigurationError, match="Another gateway"),
            alone(tmp_path / "x.lock", "gateway"),
        ):
            pass
