"""A clinic's broker from the command line: set it up, admit gateways, join it, ask through it."""

import asyncio
import contextlib
import platform
import secrets
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.table import Table

from ingest.mqtt.commanding import outgoing
from ingest.mqtt.enrolment import Enrolment, read_enrolment, write_enrolment
from ingest.mqtt.link import Link
from ingest.mqtt.mosquitto import accounts, texts
from ingest.mqtt.mosquitto.folder import BrokerFolder, Reload, absolute
from ingest.mqtt.settings import BrokerSettings, Outgoing
from poise.cli import configuration
from poise.cli.parts import now_us
from poise.cli.running import OK, out
from poise.cli.settings import Settings, load
from poise.errors import ConfigurationError, PoiseError, WireError
from poise.notices import Command, Presence, Verb, encode
from poise.topics import Leaf, Wearer

IN_TIME_S: Final = 30
"""Project decision: a buzz that comes later than half a minute would be a riddle."""
_ANSWER_S: Final = 5.0
_TRIES: Final = 5
_TRY_S: Final = 0.3
_TOLD: Final = {
    Reload.DONE: "The broker has been told.",
    Reload.NOT_RUNNING: "No broker of this folder was found running here: it holds from its next start or "
    "SIGHUP on.",
    Reload.REFUSED: "The broker runs as another user: send it a SIGHUP, for example with `systemctl reload`.",
}


def folder(given: Path | None) -> BrokerFolder:
    """Return the folder that is meant."""
    return absolute(given or load().data / "broker")


def wearer(patient: str, site: str | None) -> Wearer:
    """Return whose gateway is meant.

    Raises:
        ConfigurationError: if the names cannot stand in a topic.
    """
    try:
        return Wearer(patient, site or load().site)
    except WireError as exc:
        raise ConfigurationError(str(exc)) from exc


def init(where: BrokerFolder, hosts: Sequence[str] | None, port: int, plain: int | None, workers: int) -> int:
    """Write what is missing, and say what to do with it."""
    made = where.init(hosts or [platform.node() or "localhost"], port, plain, datetime.now(UTC), workers)
    named, serves = where.address
    _say(f"The broker's folder is {where.path}, made for {', '.join(named)}, port {serves}.")
    _say(f"Written: {', '.join(made)}." if made else "Everything was there already, and was left as it is.")
    if hosts and list(hosts) != named:
        _say("Its names were not changed: `poise broker renew` does that.")
    program = texts.program() or "mosquitto"
    _say(f"Start it: {program} -c {where.path / 'mosquitto.conf'}, or as poise-broker.service says.")
    _say(f"Where ingest and pages run: `poise join {where.path / 'enrolments'}`.")
    _say("For each wearer: `poise gateway enrol PATIENT`.")
    return OK


def renew(where: BrokerFolder, hosts: Sequence[str] | None) -> int:
    """Give the broker a new certificate."""
    where.renew(hosts or where.address[0], datetime.now(UTC))
    _say(f"The broker's certificate is for {', '.join(where.address[0])} and good until {_day(where)}.")
    _say(_TOLD[where.reload()])
    return OK


def enrol(where: BrokerFolder, whose: Wearer, *, again: bool) -> int:
    """Admit a gateway."""
    name = accounts.gateway_name(whose)
    if name in where.names and not again:
        raise ConfigurationError(f"{name} is enrolled already; --again gives it a new password")
    file = where.admit(name, whose)
    _say(f"{name} is admitted. {_TOLD[where.reload()]}")
    _say(f"Its enrolment is a secret: {file}")
    _say("Bring it to the wearer's computer, take it there with `poise join`, and delete it here.")
    return OK


async def revoke(where: BrokerFolder, whose: Wearer) -> int:
    """Admit a gateway no longer, and let ingest and the pages know."""
    name = accounts.gateway_name(whose)
    if name not in where.names:
        raise ConfigurationError(f"{name} is not admitted; `poise gateway list` shows who is")
    farewell = await _say_revoked(where, whose)
    where.revoke(name)
    _say(f"{name} is admitted no longer. {_TOLD[where.reload()]}")
    if not farewell:
        _say("Ingest could not be told: the pages go on showing what the gateway said last.")
    return OK


async def _say_revoked(where: BrokerFolder, whose: Wearer) -> bool:
    """Publish what the gateway cannot say any more, in its name and with a password that it does not have."""
    enrolment = read_enrolment(where.admit(accounts.gateway_name(whose), whose))
    if where.reload() is not Reload.DONE:
        return False
    said = Presence(state="revoked", gateway="", session="", since_us=now_us())
    message = Outgoing(whose.topic(Leaf.PRESENCE), encode(said), retain=True)
    for _ in range(_TRIES):
        await asyncio.sleep(_TRY_S)  # Mosquitto reads its files soon, not at once
        with contextlib.suppress(PoiseError, TimeoutError):
            await _publish(_here(enrolment), enrolment.username, message)
            return True
    return False


def _here(enrolment: Enrolment) -> BrokerSettings:
    return BrokerSettings(
        host="localhost", port=enrolment.port, tls=True, authority=enrolment.authority,
        username=enrolment.username, password=enrolment.password,
    )  # fmt: skip


async def _publish(broker: BrokerSettings, name: str, message: Outgoing) -> None:
    async with asyncio.timeout(_ANSWER_S), Link(broker, name) as link:
        await link.until_connected()
        await link.publish(message)


def show(where: BrokerFolder) -> int:
    """Print who is admitted and how long the certificate is good."""
    table = Table("name", "patient", "site")
    for name in sorted(where.names):
        whose = accounts.wearer_of(name)
        table.add_row(name, whose.patient if whose else "all", whose.site if whose else "all")
    out.print(table)
    hosts, port = where.address
    _say(f"The broker is {hosts[0]}:{port}; its certificate is good until {_day(where)}.")
    return OK


def join(where: Path, *, replace: bool) -> int:
    """Keep an enrolment and let the settings name it."""
    file = configuration.file_in_force()
    if where.is_dir():
        configuration.write_enrolment(file, where.absolute(), {})
        _say(f"{file}: programs here take their enrolments from {where.absolute()}.")
        return OK
    enrolment = read_enrolment(where, on_its_way=True)
    names = {"patient": enrolment.patient, "site": enrolment.site} if enrolment.patient else {}
    known = configuration.written(file, "patient")
    if names and known not in (None, enrolment.patient) and not replace:
        raise ConfigurationError(
            f"this computer is {known}'s by {file}, and the enrolment is for {enrolment.patient}; --replace "
            "makes it theirs"
        )
    kept = file.absolute().with_name("enrolment.json")
    write_enrolment(kept, enrolment)
    configuration.write_enrolment(file, kept, names)
    _say(f"This computer is {enrolment.username} at {enrolment.host}:{enrolment.port} from now on ({file}).")
    if kept != where.absolute():
        _say(f"Delete {where}: what it holds is kept in {kept}. `poise doctor` tries it.")
    return OK


async def ask(settings: Settings, whose: Wearer, verb: Verb, sensor: str, minutes: float) -> int:
    """Send a command, which is done soon or never."""
    if verb in (Verb.ERASE, Verb.STOP, Verb.RESUME):
        raise ConfigurationError(f"that has to be written down as well: `poise person {verb}` does both")
    until_us = now_us() + round(minutes * 60e6) if verb in (Verb.PAUSE, Verb.WATCH) and minutes else 0
    command = Command(
        id=secrets.token_hex(4), verb=verb, sensor=sensor, until_us=until_us,
        expires_us=now_us() + IN_TIME_S * 1_000_000,
    )  # fmt: skip
    broker = settings.broker.settings(accounts.ASK)
    try:
        await _publish(broker, f"poise-ask-{command.id}", outgoing(whose, command, now_us()))
    except TimeoutError as exc:
        raise ConfigurationError(f"no MQTT broker answers at {broker.place}: see `poise doctor`") from exc
    _say(f"{whose.patient} was asked: {verb}. The gateway does it within {IN_TIME_S} s, or not at all.")
    return OK


def _day(where: BrokerFolder) -> str:
    return f"{where.valid_until:%Y-%m-%d}"


def _say(sentence: str) -> None:
    out.print(sentence, soft_wrap=True, markup=False)
