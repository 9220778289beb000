"""What can go wrong on a person's machine ends in one sentence that says what to do, and a code but 0."""

import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from house_helpers import Program, Programs, Typed
from servers import free_port

from device.recordings.recording import RecordingHeader, RecordingWriter
from poise.cli.alone import alone

ONE_SENSOR = ["--sensor", "D4:22:CD:00:00:01=head"]


@pytest.fixture
def taken() -> Iterator[int]:
    """A port on which another program listens."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        yield int(other.getsockname()[1])


def is_one_sentence(ended: tuple[int, str, str], *words: str) -> None:
    code, _, err = ended
    assert code == 2
    assert err.startswith("poise: ")
    assert err.count("\n") == 1, err
    for word in words:
        assert word in err


@pytest.mark.parametrize(
    ("toml", "words"),
    [
        ("patient = [", ("poise.toml", "TOML")),
        ("patient = 'J\xfcrgen'", ("poise.toml", "TOML")),  # not UTF-8, see below
        ('patiend = "P-1"', ("patiend", "no such setting", "poise.toml")),
        ('[broker]\nport = "many"', ("broker.port", "integer", "poise.toml")),
        ('[store]\nkind = "oracle"', ("store.kind", "sqlite", "influxdb")),
        ('patient = "A/B"', ("A/B", "letters, digits")),
        ('timezone = "Mars/Olympus"', ("Mars/Olympus", "Europe/Berlin")),
    ],
)
def test_a_broken_settings_file_is_named_with_what_is_wrong(
    typed: Typed, tmp_path: Path, toml: str, words: tuple[str, ...]
) -> None:
    (tmp_path / "poise.toml").write_bytes(toml.encode("latin-1"))
    command = ["ingest"] if "timezone" in toml else ["gateway", *ONE_SENSOR]
    is_one_sentence(typed(*command), *words)


def test_a_settings_file_that_is_asked_for_must_be_there(
    typed: Typed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POISE_CONFIG", "typo.toml")
    is_one_sentence(typed("ingest"), "typo.toml", "POISE_CONFIG")


@pytest.mark.parametrize(
    "command",
    [["ingest"], ["gateway", *ONE_SENSOR], ["demo"], ["demo", "--headless"], ["replay", "day.poise"]],
)
def test_a_data_folder_that_cannot_be_written(typed: Typed, tmp_path: Path, command: list[str]) -> None:
    (tmp_path / "plain").write_text("a file, not a folder")
    with RecordingWriter(tmp_path / "day.poise", RecordingHeader("P-1")):
        pass
    is_one_sentence(typed(*command, "--data", "plain/below"), "plain/below", "cannot be written", "--data")


def test_taken_ports(typed: Typed, taken: int) -> None:
    is_one_sentence(typed("demo", "--port", taken), str(taken), "choose another port")
    is_one_sentence(typed("broker", "--port", taken), str(taken), "choose another port")
    is_one_sentence(typed("room", "--hci", f"tcp-server:127.0.0.1:{taken}"), "Choose other ones")
    is_one_sentence(
        typed("room", "--hci", f"tcp-server:127.0.0.1:{free_port()}", "--control", taken), "ports"
    )


def test_no_bluetooth(typed: Typed, taken: int) -> None:
    if Path("/sys/class/bluetooth").exists():
        pytest.skip("this machine has a Bluetooth adapter")
    for words in (
        ["gateway", *ONE_SENSOR],
        ["wear", *ONE_SENSOR],
        ["sensors", "scan"],
        ["sensors", "assign"],
    ):
        is_one_sentence(typed(*words), "No Bluetooth adapter", "Plug one in")
    for transport in ("nonsense", "tcp-client:127.0.0.1:1", "tcp-client:127.0.0.1:99999"):
        is_one_sentence(
            typed("gateway", *ONE_SENSOR, "--hci", transport), "No Bluetooth controller", transport
        )
    is_one_sentence(typed("room", "--hci", "nonsense"), "Choose other ones")


def test_the_doctor_sees_a_slip_in_a_place_and_keeps_unknown_ones(typed: Typed, tmp_path: Path) -> None:
    (tmp_path / "poise.toml").write_text('[sensors]\n"a" = "pelvis"\n"b" = "scapula_lft"\n')
    _, out, _ = typed("doctor")
    assert "b is at 'scapula_lft', which is not judged; write 'scapula_left'" in out
    assert "pelvis" not in out


def test_sensors_that_are_not_named_well(typed: Typed) -> None:
    is_one_sentence(typed("gateway", "--sensor", "nonsense"), "nonsense", "ADDRESS=segment")
    is_one_sentence(typed("gateway", "--sensor", "=head"), "ADDRESS=segment")
    is_one_sentence(typed("gateway"), "No sensor is named", "--sensor")


@pytest.mark.parametrize("command", [["demo"], ["demo", "--headless"], ["simulate", "new.poise"], ["room"]])
def test_an_unknown_script(typed: Typed, tmp_path: Path, command: list[str]) -> None:
    is_one_sentence(typed(*command, "--script", "nonsense"), "nonsense", "desk, distractors, short")
    (tmp_path / "mine.txt").write_text("upright 10 s\nfly 5 s\n")
    is_one_sentence(typed(*command, "--script", "mine.txt"), "mine.txt", "line 2", "fly")
    assert not (tmp_path / "new.poise").exists()


def test_a_foreign_folder_is_never_emptied(typed: Typed, tmp_path: Path) -> None:
    thesis = tmp_path / "mine/thesis.txt"
    thesis.parent.mkdir()
    thesis.write_text("years of work")
    is_one_sentence(typed("demo", "--data", "mine"), "mine", "choose another folder")
    assert [path.name for path in thesis.parent.iterdir()] == ["thesis.txt"]


def test_two_programs_of_a_kind_never_share_a_folder(typed: Typed, tmp_path: Path) -> None:
    data = tmp_path / "data"
    data.mkdir()
    (data / "demo").mkdir()
    (data / "demo/DEMO").touch()
    (data / "demo/poise.db").write_text("in use")
    with (
        alone(data / "demo/DEMO", "demonstration"),
        alone(data / "poise.lock", "ingest"),
        alone(data / "spool-home-P-0001.lock", "gateway"),
    ):
        is_one_sentence(typed("demo"), "Another demonstration", "--data")
        is_one_sentence(typed("ingest"), "Another ingest", "--data")
        is_one_sentence(typed("gateway", *ONE_SENSOR), "Another gateway of P-0001", "--data")
    assert (data / "demo/poise.db").read_text() == "in use"


def test_files_that_are_no_recordings_and_files_that_are_there(typed: Typed, tmp_path: Path) -> None:
    precious = tmp_path / "precious.poise"
    precious.write_text("not a recording")
    is_one_sentence(typed("replay", precious), "not a Poise recording")
    is_one_sentence(typed("replay", "nowhere.poise"), "nowhere.poise", "cannot be read")
    is_one_sentence(typed("record", precious), "already there", "another name")
    is_one_sentence(typed("simulate", precious), "already there", "another name")
    assert precious.read_text() == "not a recording"


def test_pages_without_a_database(typed: Typed) -> None:
    is_one_sentence(typed("pages"), "no database", "poise ingest")


@pytest.mark.parametrize(
    "command",
    [["demo", "--port", "70000"], ["demo", "--seed", "-1"], ["replay", "x", "--speed", "-1"], ["dmeo"]],
)
def test_words_that_make_no_sense_show_what_is_allowed(typed: Typed, command: list[str]) -> None:
    code, _, err = typed(*command)
    assert code == 2
    assert "Usage" in err
    assert "Traceback" not in err


def test_a_dead_broker(typed: Typed, programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    """The doctor says what mends it; ingest keeps waiting, says so, and works as soon as it is there."""
    port = free_port()
    env = {"POISE_BROKER__PORT": str(port), "POISE_BROKER__EMBEDDED": "true"}
    waiting: Program = programs.start("ingest", env=env)
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    code, out, err = typed("doctor")
    assert code == 1
    assert err == ""
    line = next(line for line in out.splitlines() if "MQTT broker" in line)
    assert "missing" in line
    assert str(port) in line
    assert "osquitto" in out
    assert "poise broker" in out
    assert "trying again" in waiting.said("no MQTT broker answers")
    programs.start("broker", "--port", port)
    waiting.said("Ingest stores into")
    waiting.interrupted(signal.SIGTERM).in_good_order()
