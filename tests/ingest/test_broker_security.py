"""Who may do what at a clinic's broker: each rule is attacked, at a real Mosquitto."""

import asyncio
import socket
import ssl
import warnings
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import pytest
from clinic import ANNA, BEN, Clinic, connected, heard, let_in, refused, running_clinic
from ingest_helpers import eventually

from ingest.mqtt.link import Link
from ingest.mqtt.mosquitto import accounts, certificates
from ingest.mqtt.settings import BrokerSettings, Outgoing
from poise import wire
from poise.errors import BrokerError, BrokerRefusedError, ConfigurationError
from poise.topics import Leaf, Wearer

pytestmark = pytest.mark.mosquitto
PRESENCE = ANNA.topic(Leaf.PRESENCE)


@pytest.fixture(scope="module")
def clinic(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clinic]:
    with running_clinic(tmp_path_factory.mktemp("clinic")) as running:
        yield running


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Clinic]:
    """A clinic whose files a test may change."""
    with running_clinic(tmp_path) as running:
        yield running


async def is_refused(settings: BrokerSettings, client_id: str, *words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        async with Link(settings, client_id) as link:
            await asyncio.wait_for(link.until_connected(), 10)
    said = str(caught.value)
    assert "\n" not in said
    for word in (settings.place, *words):
        assert word in said, said
    assert not settings.password or settings.password not in said


@pytest.mark.parametrize(
    "changed",
    [
        {"username": "", "password": ""},
        {"password": ""},
        {"password": "a guess"},
        {"username": "gateway/home/carla"},
        {"username": "gateway/home/ben"},
        {"username": "ingest"},
    ],
)
async def test_who_is_not_known_is_refused(clinic: Clinic, changed: dict[str, str]) -> None:
    settings = replace(clinic.settings(ANNA), **changed)
    who = repr(settings.username) if settings.username else "without a name"
    await is_refused(settings, "x", who, "poise join")
    plain = replace(settings, tls=False, host="127.0.0.1", port=clinic.plain_port)
    await is_refused(plain, "x", who)


async def test_plain_text_is_for_this_machine_alone(clinic: Clinic) -> None:
    assert clinic.server.process is not None
    sockets = psutil.Process(clinic.server.process.pid).net_connections()
    plain = {c.laddr.ip for c in sockets if c.status == "LISTEN" and c.laddr.port == clinic.plain_port}
    assert plain == {"127.0.0.1"}
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(("127.0.0.2", clinic.plain_port), 2)
    here = replace(clinic.settings(ANNA), tls=False, port=clinic.plain_port)
    async with connected(Link(here, "x")):
        pass
    for port, tls in ((clinic.server.port, False), (clinic.plain_port, True)):
        async with Link(replace(here, port=port, tls=tls), "x") as link:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(link.until_connected(), 1)


def test_another_machine_is_not_spoken_to_in_plain_text() -> None:
    for host in ("broker.example", "192.0.2.1", "::ffff:192.0.2.1", "127.0.0.1.example"):
        with pytest.raises(ConfigurationError, match=r"another machine.*poise join.*tls = true"):
            BrokerSettings(host=host)
        assert BrokerSettings(host=host, plain_text=True).host == host
    for host in ("localhost", "127.0.0.1", "127.8.8.8", "::1"):
        assert not BrokerSettings(host=host).tls


@pytest.mark.parametrize("leaf", Leaf)
async def test_a_gateway_publishes_what_is_its_own_and_nothing_else(clinic: Clinic, leaf: Leaf) -> None:
    detail = "S1" if leaf is Leaf.SENSOR else ""
    async with connected(clinic.link(ANNA)) as anna:
        for topic in (ANNA.topic(leaf, detail), ANNA.topic(leaf, detail) + "/more", ANNA.topic(leaf, "more")):
            mine = leaf in accounts.WRITES[accounts.GATEWAY] and topic in (
                ANNA.topic(leaf, detail),
                ANNA.topic(leaf, "more") if leaf is Leaf.SENSOR else "",
            )
            refusal = await refused(anna, Outgoing(topic, b"{}"))
            assert (refusal is None) is mine, topic
        for whose in (BEN, Wearer("anna", "clinic"), Wearer("anna2")):
            for retain in (False, True):
                refusal = await refused(anna, Outgoing(whose.topic(leaf, detail), b"{}", retain=retain))
                assert isinstance(refusal, BrokerRefusedError), whose
        assert anna.connected


async def test_nothing_of_what_was_refused_reaches_ingest_or_stays(clinic: Clinic) -> None:
    everything = {"poise/1/+/+/+/presence": 1, "poise/1/+/+/+/samples": 1}
    async with (
        connected(clinic.link(accounts.INGEST, subscriptions=everything)) as ingest,
        connected(clinic.link(BEN)) as ben,
    ):
        for leaf in (Leaf.PRESENCE, Leaf.SAMPLES):
            for retain in (False, True):
                await refused(ben, Outgoing(ANNA.topic(leaf), b"forged", retain=retain))
        await ben.publish(Outgoing(BEN.topic(Leaf.SAMPLES), b"mine"))
        assert b"forged" not in [m.payload for m in await heard(ingest, b"mine")]
    async with (
        connected(clinic.link(accounts.INGEST, subscriptions=everything)) as later,
        connected(clinic.link(BEN)) as ben,
    ):
        await ben.publish(Outgoing(BEN.topic(Leaf.SAMPLES), b"mine"))
        assert b"forged" not in [m.payload for m in await heard(later, b"mine")]


@pytest.mark.parametrize(
    "pattern",
    [
        "#", "$SYS/#", "+/+/+/+/+/+", "poise/#", "$share/x/#", "$share/x/poise/1/#", "$CONTROL/#",
        ANNA.topic(Leaf.STORED), ANNA.topic(Leaf.COMMAND), ANNA.topic(Leaf.SAMPLES),
        ANNA.topic(Leaf.PLAN), "poise/1/+/+/+/plan",
    ],
)  # fmt: skip
async def test_a_gateway_hears_what_is_for_it_and_nothing_else(clinic: Clinic, pattern: str) -> None:
    async with (
        connected(clinic.link(BEN, subscriptions={pattern: 1, BEN.topic(Leaf.STORED): 1})) as ben,
        connected(clinic.link(ANNA)) as anna,
        connected(clinic.link(accounts.INGEST)) as ingest,
        connected(clinic.link(accounts.PAGES)) as pages,
    ):
        await pages.publish(Outgoing(ANNA.topic(Leaf.PLAN), b"for anna", retain=True))
        for leaf in accounts.WRITES[accounts.GATEWAY]:
            await anna.publish(Outgoing(ANNA.topic(leaf, "S1" if leaf is Leaf.SENSOR else ""), b"{}"))
        for leaf in accounts.WRITES[accounts.INGEST]:
            await ingest.publish(Outgoing(ANNA.topic(leaf), b"for anna"))
        await asyncio.sleep(0.1)  # nothing is at $SYS, not even a moment later
        await ingest.publish(Outgoing(BEN.topic(Leaf.STORED), b"for ben"))
        assert {m.topic for m in await heard(ben, b"for ben")} == {BEN.topic(Leaf.STORED)}


async def test_the_programs_may_do_their_part_and_no_more(clinic: Clinic) -> None:
    for name in accounts.PROGRAMS:
        async with connected(clinic.link(name)) as program:
            for leaf in Leaf:
                topic = ANNA.topic(leaf, "S1" if leaf is Leaf.SENSOR else "")
                refusal = await refused(program, Outgoing(topic, b"{}"))
                assert (refusal is None) is (leaf in accounts.WRITES.get(name, ())), (name, leaf)
            assert await refused(program, Outgoing("elsewhere", b"{}"))
            assert await refused(program, Outgoing("$CONTROL/dynamic-security/v1", b"{}"))


def test_only_the_clinics_own_server_writes_plans_and_who_erases_takes_them_back() -> None:
    writers = [role for role, leaves in accounts.WRITES.items() if Leaf.PLAN in leaves]
    assert writers == [accounts.PAGES, accounts.ERASE]


def test_every_kind_of_message_has_a_writer_and_a_reader() -> None:
    assert {leaf for leaves in accounts.WRITES.values() for leaf in leaves} == set(Leaf)
    assert {leaf for leaves in accounts.READS.values() for leaf in leaves} == set(Leaf)
    gateway, ingest = (set(accounts.WRITES[role]) for role in (accounts.GATEWAY, accounts.INGEST))
    assert not gateway & ingest


async def test_a_last_will_on_anothers_topic_is_not_executed(clinic: Clinic) -> None:
    presences = {"poise/1/+/+/+/presence": 1}
    async with connected(clinic.link(accounts.INGEST, subscriptions=presences)) as ingest:
        for whose in (ANNA, BEN):
            will = Outgoing(whose.topic(Leaf.PRESENCE), b"lost " + whose.patient.encode(), retain=True)
            try:
                async with connected(clinic.link(BEN, will=will)) as ben:
                    vanish(ben)
                    await eventually(lambda ben=ben: not ben.connected)
            except BrokerError:
                pass  # refused outright would be as good
        got = [m.payload for m in await heard(ingest, b"lost ben")]
    assert b"lost anna" not in got


def vanish(link: Link) -> None:
    """End the connection as a cut cable does: without a goodbye."""
    assert link._client is not None
    sock = link._client.socket()
    assert sock is not None
    sock.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("reloaded", [False, True])
async def test_no_gateway_takes_anothers_session_by_its_client_id(clinic: Clinic, reloaded: bool) -> None:
    if reloaded:
        clinic.reload()
    names = (accounts.gateway_name(ANNA), "poise-gateway-home-anna", accounts.INGEST, "poise-ingest")
    stored = {ANNA.topic(Leaf.STORED): 1}
    async with (
        connected(clinic.link(ANNA, "poise-gateway-home-anna", subscriptions=stored)) as anna,
        connected(clinic.link(accounts.INGEST, "poise-ingest", persistent=True)) as ingest,
    ):
        for name in names:
            async with connected(clinic.link(BEN, name, persistent=True)):
                await ingest.publish(Outgoing(ANNA.topic(Leaf.STORED), name.encode()))
                await heard(anna, name.encode())
        assert anna.connected
        assert ingest.connected
        assert (anna.counts.connections, ingest.counts.connections) == (1, 1)


async def test_what_is_too_large_is_not_taken_and_hurts_nobody_else(clinic: Clinic) -> None:
    async with connected(clinic.link(ANNA)) as anna, connected(clinic.link(BEN)) as ben:
        largest = Outgoing(BEN.topic(Leaf.SAMPLES), bytes(wire.MAX_BYTES))
        assert await refused(ben, largest) is None
        assert await refused(ben, replace(largest, payload=bytes(wire.MAX_BYTES + 8192)))
        await eventually(lambda: ben.connected)
        assert await refused(ben, replace(largest, payload=b"{}")) is None
        assert anna.counts.connections == 1


async def test_who_is_revoked_is_out_at_once_and_stays_out(
    own: Clinic, caplog: pytest.LogCaptureFixture
) -> None:
    settings = own.settings(ANNA)
    stored = {ANNA.topic(Leaf.STORED): 1}
    async with (
        connected(own.link(ANNA, subscriptions=stored)) as anna,
        connected(own.link(BEN)) as ben,
        connected(own.link(accounts.INGEST, persistent=True)) as ingest,
    ):
        own.folder.revoke(accounts.gateway_name(ANNA))
        own.reload()
        await eventually(lambda: not anna.connected, 5)
        await is_refused(settings, "x", "gateway/home/anna", "poise join")
        await eventually(lambda: "refuses the name 'gateway/home/anna'" in caplog.text)
        await asyncio.sleep(1)
        assert not anna.connected
        assert ben.connected
        assert (ben.counts.connections, ingest.counts.connections) == (1, 1)
    assert not own.folder.enrolment_file(accounts.gateway_name(ANNA)).exists()
    assert "anna" not in (own.folder.path / "rights").read_text()
    assert settings.password not in caplog.text
    with pytest.raises(ConfigurationError, match="not admitted"):
        own.folder.revoke(accounts.gateway_name(ANNA))


async def test_a_new_enrolment_ends_the_old_one(own: Clinic) -> None:
    before = own.settings(ANNA)
    async with connected(own.link(ANNA)) as anna:
        own.folder.admit(accounts.gateway_name(ANNA), ANNA)
        own.reload()
        await eventually(lambda: not anna.connected, 5)
    await is_refused(before, "x", "gateway/home/anna")
    async with connected(own.link(ANNA)):
        pass


async def test_a_broker_that_another_authority_vouches_for_is_not_believed(clinic: Clinic) -> None:
    stranger = certificates.new_authority(datetime.now(UTC)).certificate.decode()
    settings = clinic.settings(ANNA)
    await is_refused(replace(settings, authority=stranger), "x", "not trusted", "poise join", "authority.pem")
    await is_refused(replace(settings, authority=""), "x", "not trusted")  # nor by what the system trusts
    await is_refused(replace(settings, host="127.0.0.2"), "x", "other names", "renew --host 127.0.0.2")
    for nonsense in ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "nonsense"):
        with pytest.raises(ConfigurationError, match="authority of the enrolment cannot be read"):
            async with Link(replace(settings, authority=nonsense), "x") as link:
                await link.until_connected()


@pytest.mark.parametrize(
    ("days", "words"), [(-826, ("has expired", "broker renew")), (2, ("not valid yet", "clock"))]
)
async def test_a_certificate_out_of_its_time(tmp_path: Path, days: int, words: tuple[str, ...]) -> None:
    now = datetime.now(UTC)
    with running_clinic(tmp_path, now + timedelta(days=days)) as clinic:
        await is_refused(clinic.settings(ANNA), "x", *words)
        clinic.folder.renew(["localhost"], now)
        clinic.reload()
        if days < 0:  # else the authority is not valid yet either
            await let_in(clinic.settings(ANNA))


def test_the_certificate_stands_the_strict_look_of_python_3_13_and_old_tls_does_not(clinic: Clinic) -> None:
    settings = clinic.settings(ANNA)

    def spoken(lowest: ssl.TLSVersion, highest: ssl.TLSVersion) -> str | None:
        strict = ssl.create_default_context(cadata=settings.authority)
        strict.verify_flags |= ssl.VERIFY_X509_STRICT
        strict.set_ciphers("ALL:@SECLEVEL=0")
        strict.minimum_version, strict.maximum_version = lowest, highest
        address = (settings.host, settings.port)
        with (
            socket.create_connection(address, 5) as sock,
            strict.wrap_socket(sock, server_hostname="localhost") as link,
        ):
            return link.version()

    assert spoken(ssl.TLSVersion.TLSv1_3, ssl.TLSVersion.TLSv1_3) == "TLSv1.3"
    assert spoken(ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_2) == "TLSv1.2"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # Python's own, of the old version
        with pytest.raises((ssl.SSLError, ConnectionError)):
            spoken(ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1)


async def test_a_renewed_certificate_is_served_without_ending_connections(own: Clinic) -> None:
    async with connected(own.link(ANNA)) as anna:
        own.folder.renew(["localhost", "127.0.0.2"], datetime.now(UTC))
        own.reload()
        await let_in(replace(own.settings(BEN), host="127.0.0.2"))
        assert anna.connected
        assert anna.counts.connections == 1
