"""A clinic's broker from the command line: set up, enrol, join, revoke, renew."""

import asyncio
import hashlib
import json
import stat
from base64 import b64decode
from collections.abc import Iterator
from pathlib import Path

import pytest
from clinic import ANNA, BEN, Clinic, connected, running_clinic
from house_helpers import Typed
from hypothesis import given
from hypothesis import strategies as st
from ingest_helpers import eventually
from servers import free_port

from ingest.mqtt.enrolment import Enrolment, read_enrolment, write_enrolment
from ingest.mqtt.mosquitto import accounts
from ingest.mqtt.mosquitto.folder import BrokerFolder, Reload
from poise import notices
from poise.cli import clinic as commands
from poise.cli.alone import alone
from poise.cli.settings import load
from poise.errors import ConfigurationError
from poise.notices import Presence
from poise.topics import Leaf, Wearer

NAMES = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}", fullmatch=True)
SECRET = "rather-secret"  # noqa: S105 - of a broker that is not there


def contents(folder: Path) -> dict[str, bytes]:
    return {str(f.relative_to(folder)): f.read_bytes() for f in folder.rglob("*") if f.is_file()}


@pytest.fixture
def folder(tmp_path: Path, typed: Typed) -> Path:
    path = tmp_path / "data" / "broker"
    code, out, err = typed(
        "broker", "init", "--host", "localhost", "--host", "192.0.2.7", "--port", free_port()
    )
    assert (code, err) == (0, "")
    for words in (str(path / "mosquitto.conf"), f"poise join {path / 'enrolments'}", "poise gateway enrol"):
        assert words in out
    return path


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Clinic]:
    with running_clinic(tmp_path) as made:
        yield made


def test_what_is_made_is_for_its_owner_alone_and_made_once(folder: Path, typed: Typed) -> None:
    files = [f for f in folder.rglob("*") if f.is_file()]
    assert {stat.S_IMODE(f.stat().st_mode) for f in files} == {0o600}
    folders = (folder, folder / "enrolments", folder / "state")
    assert {stat.S_IMODE(f.stat().st_mode) for f in folders} == {0o700}
    lines, port = (folder / "mosquitto.conf").read_text().splitlines(), BrokerFolder(folder).address[1]
    assert "allow_anonymous false" in lines
    assert [line for line in lines if line.startswith("listener")] == [f"listener {port}"]
    before = contents(folder)
    code, out, _ = typed("broker", "init", "--host", "elsewhere.example")
    assert code == 0
    assert "left as it is" in out
    assert "poise broker renew" in out
    assert contents(folder) == before
    (folder / "rights").unlink()
    (folder / "mosquitto.conf").unlink()
    typed("broker", "init", "--plain", free_port())
    after = contents(folder)
    assert {name for name in before if after.get(name) != before[name]} == {"mosquitto.conf"}
    assert "127.0.0.1" in (folder / "mosquitto.conf").read_text()


def test_renewing_changes_the_servers_certificate_and_nothing_else(folder: Path, typed: Typed) -> None:
    before = contents(folder)
    code, out, _ = typed("broker", "renew", "--host", "new.example")
    assert code == 0
    assert "new.example" in out
    after = contents(folder)
    changed = {name for name in before if after[name] != before[name]}
    assert changed == {"server.pem", "server.key", "broker.json"}
    typed("gateway", "enrol", "P-1")
    assert read_enrolment(folder / "enrolments" / "gateway@home@P-1.json").host == "new.example"


def test_gateways_are_enrolled_listed_and_revoked(folder: Path, typed: Typed) -> None:
    code, out, _ = typed("gateway", "enrol", "P:1", "--site", "north")
    assert code == 0
    file = folder / "enrolments" / "gateway@north@P%3A1.json"
    assert str(file) in out
    assert "poise join" in out
    assert "No broker of this folder was found running" in out
    first = read_enrolment(file)
    assert (first.patient, first.site, first.username) == ("P:1", "north", "gateway/north/P%3A1")
    assert first.password not in out
    assert first.password.encode() not in b"".join(
        content for name, content in contents(folder).items() if not name.startswith("enrolments")
    )
    code, _, err = typed("gateway", "enrol", "P:1", "--site", "north")
    assert code == 2
    assert "--again" in err
    assert read_enrolment(file) == first
    assert typed("gateway", "enrol", "P:1", "--site", "north", "--again")[0] == 0
    assert read_enrolment(file).password != first.password
    code, out, _ = typed("gateway", "list")
    assert "P:1" in out
    assert "good until" in out
    code, out, _ = typed("gateway", "revoke", "P:1", "--site", "north")
    assert code == 0
    assert "pages go on showing" in out
    assert not file.exists()
    assert sorted(BrokerFolder(folder).names) == sorted(accounts.PROGRAMS)
    code, _, err = typed("gateway", "revoke", "P:1", "--site", "north")
    assert code == 2
    assert "poise gateway list" in err


def test_what_cannot_be_is_one_sentence(tmp_path: Path, typed: Typed) -> None:
    for words, said in (
        (["gateway", "enrol", "P-1"], "poise broker init"),
        (["gateway", "list"], "poise broker init"),
        (["broker", "renew"], "poise broker init"),
        (["gateway", "enrol", "a/b"], "letters, digits"),
        (["broker", "init", "--host", "bücher.example"], "cannot stand in a certificate"),
        (["join", "nowhere.json"], "nowhere.json cannot be read"),
        (["ask", "P-1", "buzz"], "no MQTT broker answers"),
    ):
        if words[0] == "ask":
            (tmp_path / "poise.toml").write_text(f"[broker]\nport = {free_port()}\n")
        code, _, err = typed(*words)
        assert (code, err.count("\n")) == (2, 1), err
        assert said in err
    (tmp_path / "data/broker").mkdir(parents=True, exist_ok=True)
    damaged = tmp_path / "data/broker/broker.json"
    damaged.write_text("{")
    damaged.chmod(0o600)
    for name in ("authority.pem", "authority.key"):
        (tmp_path / "data/broker" / name).write_text("nonsense")
        (tmp_path / "data/broker" / name).chmod(0o600)
    assert "broker.json cannot be read" in typed("gateway", "enrol", "P-1")[2]
    damaged.write_text('{"hosts": ["a"], "port": 1}')
    assert "authority of the broker cannot be read" in typed("broker", "renew")[2]


@pytest.mark.mosquitto
async def test_ingest_is_told_who_was_revoked_and_the_name_is_gone(running: Clinic) -> None:
    presences, topic = {"poise/1/+/+/+/presence": 1}, ANNA.topic(Leaf.PRESENCE)
    async with (
        connected(running.link(accounts.INGEST, subscriptions=presences)) as ingest,
        connected(running.link(ANNA)) as anna,
        connected(running.link(BEN)) as ben,
    ):
        assert await commands.revoke(running.folder, ANNA) == 0
        async with asyncio.timeout(10):
            (told,) = await ingest.receive()
        assert (told.topic, notices.decode(told.payload, Presence).state) == (topic, "revoked")
        await eventually(lambda: not anna.connected)
        assert ben.counts.connections == 1
    assert accounts.gateway_name(ANNA) not in running.folder.names
    assert running.folder.reload() is Reload.DONE


@pytest.mark.mosquitto
def test_a_computer_joins_and_the_doctor_tries_it(
    running: Clinic, typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    carried = tmp_path / "stick.json"
    carried.write_bytes(running.folder.enrolment_file(accounts.gateway_name(ANNA)).read_bytes())
    carried.chmod(0o644)
    assert typed("join", carried)[0] == 0
    _, out, _ = typed("doctor")
    assert f"answers at localhost:{running.server.port}" in out
    settings = load()
    with alone(settings.data / "spool-home-anna.lock", "gateway"):
        assert "not asked, a program that runs here" in typed("doctor")[1]
    assert running.folder.reload() is Reload.DONE
    running.folder.revoke(accounts.gateway_name(ANNA))
    running.reload()
    _, out, _ = typed("doctor")
    assert "refuses the name 'gateway/home/anna'" in out


def enrolment(patient: str = "", host: str = "broker.example") -> Enrolment:
    name = accounts.gateway_name(Wearer(patient)) if patient else accounts.PAGES
    return Enrolment(
        username=name, password=SECRET, host=host, port=8883, authority="PEM", patient=patient,
        site="home" if patient else "",
    )  # fmt: skip


def test_joining_keeps_the_secret_and_what_a_person_wrote(typed: Typed, tmp_path: Path) -> None:
    file, carried = tmp_path / "poise.toml", tmp_path / "usb" / "gateway.json"
    carried.parent.mkdir()
    write_enrolment(carried, enrolment("P-9"))
    carried.chmod(0o644)
    file.write_text(
        '# mine\ntimezone = "UTC"  # ours\n\n[broker]\nhost = "old"\n\n[sensors]\n"a:b" = "head"\n'
    )
    code, out, _ = typed("join", carried)
    assert code == 0
    assert f"Delete {carried}" in out
    assert SECRET not in out + file.read_text()
    assert "# mine" in file.read_text()
    kept = tmp_path / "enrolment.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    settings = load()
    assert (settings.patient, settings.timezone, settings.sensors) == ("P-9", "UTC", {"a:b": "head"})
    broker = settings.broker.settings()
    assert (broker.host, broker.port, broker.tls) == ("broker.example", 8883, True)
    assert (broker.username, broker.password, broker.authority) == ("gateway/home/P-9", SECRET, "PEM")
    for shown in (repr(settings), repr(broker), repr(read_enrolment(kept))):
        assert SECRET not in shown
    write_enrolment(carried, enrolment("P-10"))
    code, _, err = typed("join", carried)
    assert code == 2
    assert "P-9's" in err
    assert "--replace" in err
    assert typed("join", carried, "--replace")[0] == 0
    assert load().patient == "P-10"
    kept.chmod(0o640)
    with pytest.raises(ConfigurationError, match="chmod 600"):
        load().broker.settings()


def test_a_folder_of_enrolments_has_one_for_each_program(typed: Typed, tmp_path: Path) -> None:
    folder = tmp_path / "enrolments"
    write_enrolment(folder / "pages.json", enrolment())
    assert typed("join", folder)[0] == 0
    settings = load(broker={"enrolment": folder, "host": "localhost"})
    assert settings.broker.settings("pages").place == "localhost:8883"
    assert settings.broker.settings("pages").username == "pages"
    with pytest.raises(ConfigurationError, match=r"no enrolment .*ingest\.json.*poise join"):
        settings.broker.settings("ingest")


@pytest.mark.parametrize("content", ["", "{}", "[1]", '{"v": 2}', json.dumps({"username": 3}), "\xff\x00"])
def test_a_file_that_is_no_enrolment_is_named(tmp_path: Path, content: str) -> None:
    file = tmp_path / "x.json"
    file.write_bytes(content.encode("latin-1"))
    file.chmod(0o600)
    with pytest.raises(ConfigurationError, match=r"x\.json is no enrolment"):
        read_enrolment(file)


def test_a_password_is_for_its_owner_alone_and_never_shown(
    typed: Typed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, password = tmp_path / "poise.toml", tmp_path / "password"
    file.write_text(f'[broker]\nusername = "me"\npassword = "{SECRET}"\n')
    file.chmod(0o644)
    with pytest.raises(ConfigurationError, match=r"poise.toml holds a secret.*chmod 600"):
        load()
    file.chmod(0o600)
    assert load().broker.settings().password == SECRET
    file.write_text('[broker]\nusername = "me"\npassword_file = "password"\n')
    file.chmod(0o644)
    password.write_text(SECRET + "\n")
    password.chmod(0o644)
    with pytest.raises(ConfigurationError, match=r"password holds a secret.*chmod 600"):
        load().broker.settings()
    password.chmod(0o600)
    assert load().broker.settings().password == SECRET
    monkeypatch.setenv("POISE_BROKER__PASSWORD", SECRET[::-1])
    assert load().broker.settings().password == SECRET[::-1]
    file.write_text("[broker]\npassword = 31415926\n")
    monkeypatch.delenv("POISE_BROKER__PASSWORD")
    with pytest.raises(ConfigurationError, match=r"broker\.password: write a text, in quotes$") as caught:
        load()
    assert "31415926" not in str(caught.value)


def test_plain_text_to_another_machine_ends_a_program_with_a_sentence(typed: Typed, tmp_path: Path) -> None:
    (tmp_path / "poise.toml").write_text('[broker]\nhost = "broker.example"\n')
    code, _, err = typed("ingest")
    assert (code, err.count("\n")) == (2, 1)
    for word in ("another machine", "TLS", "poise join", "plain_text = true"):
        assert word in err
    assert "another machine" in typed("doctor")[1]


@given(NAMES, NAMES)
def test_a_name_is_one_wearers_and_fits_into_mosquittos_files(patient: str, site: str) -> None:
    wearer = Wearer(patient, site)
    name = accounts.gateway_name(wearer)
    assert accounts.wearer_of(name) == wearer
    assert not set(name) & set(": \n#+")
    assert accounts.read_passwords(accounts.write_passwords({name: "$7$"})) == {name: "$7$"}


def test_passwords_are_kept_as_mosquitto_keeps_them() -> None:
    first, second = accounts.hashed(SECRET), accounts.hashed(SECRET)
    assert first != second
    _, kind, rounds, salt, derived = first.split("$")
    assert kind == "7"
    assert b64decode(derived) == hashlib.pbkdf2_hmac("sha512", SECRET.encode(), b64decode(salt), int(rounds))
    for nonsense in ("", "gateway", "gateway/home", "gateway/home/", "gateway/a b/c", "ingest/home/P-1"):
        assert accounts.wearer_of(nonsense) is None
    assert "topic" not in accounts.rights(["stranger"])
