"""`poise person`: one person erased, stopped or resumed, and what became of it place by place."""

import asyncio
import contextlib
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from rich.markup import escape
from rich.table import Table

from ingest.erasing.broker import Told, tell
from ingest.erasing.erasure import Erasure, Place
from ingest.erasing.gate import GATEWAY
from ingest.erasing.register import Note, Order, Register, Standing
from ingest.mqtt.mosquitto import accounts
from ingest.mqtt.mosquitto.folder import Reload, absolute
from ingest.results.store import key
from poise.cli import parts, record
from poise.cli.alone import alone
from poise.cli.person.asking import Answers
from poise.cli.running import FAILED, OK, out
from poise.cli.settings import Settings
from poise.errors import BrokerError, ConfigurationError, StoreError, WireError
from poise.topics import Wearer

if TYPE_CHECKING:
    from ingest.results.influxdb.server import InfluxServer

_BROKER: Final = "broker"
_NOT_YET: Final = (
    "not confirmed yet: ingest tells it as often as it is heard, and `poise status` says when it has answered"
)


def wearer(whose: str, settings: Settings) -> Wearer:
    """Return who is meant.

    Raises:
        ConfigurationError: if that is no name of a wearer.
    """
    site, slash, patient = whose.partition("/")
    try:
        return Wearer(patient, site) if slash else Wearer(site, settings.site)
    except WireError as exc:
        raise ConfigurationError(f"{exc}: write SITE/PATIENT, for example home/P-0142") from exc


async def erase(settings: Settings, whose: Wearer, *, yes: bool) -> int:
    """Erase a person; exit code 1 while something is left to be done."""
    with _server(settings) as server:
        erasure = Erasure(parts.folder(settings.data), whose, parts.now_us, alone, server)
        if not yes:
            await _confirmed(erasure, whose)
        order = erasure.write_down()
        _say(f"{key(whose)} is on the list of erasures: what follows may be cut off, and goes on by itself.")
        places = await asyncio.to_thread(lambda: list(erasure.carry_out(order)))
        places += await asyncio.to_thread(lambda: list(record.erased(settings, whose)))
    places += await _at_the_broker(settings, whose, order, erasure.register)
    return _tell(places)


async def stop(settings: Settings, whose: Wearer) -> int:
    """Collect nothing any more."""
    order = Register(parts.folder(settings.data)).put(key(whose), Standing.WITHDRAWN, parts.now_us())
    _say(f"{key(whose)} has withdrawn consent: from now on nothing is stored; what is stored stays.")
    told = await _ask(settings, whose, order)
    confirmed = isinstance(told, Told) and told.confirmed
    _say("The gateway has stopped." if confirmed else f"The gateway has {_NOT_YET}.")
    if isinstance(told, str):
        _say(told)
    return OK if confirmed else FAILED


async def resume(settings: Settings, whose: Wearer) -> int:
    """Collecting may go on."""
    register = Register(parts.folder(settings.data))
    if not register.reason(key(whose)):
        raise ConfigurationError(f"{key(whose)} has not withdrawn consent")
    order = register.put(key(whose), Standing.RESUMED, parts.now_us())
    _say(f"{key(whose)} consents again: what comes is stored. A gateway that waits is told when it is heard.")
    told = await _ask(settings, whose, order)
    if isinstance(told, str):
        _say(told)
    return OK


def standings(data: Path) -> Iterator[str]:
    """Yield sentences about who was erased and has withdrawn, without naming anybody."""
    register = Register(data)
    for person, order in sorted(register.all.items(), key=lambda one: one[1].at_us):
        if order.what is Standing.RESUMED:
            continue
        since = f"{datetime.fromtimestamp(order.at_us / 1e6, UTC):%Y-%m-%d %H:%M} UTC"
        notes = register.notes(person)
        left = [f"{place}: {note.left}" for place, note in notes.items() if note.left]
        if not register.answered(person, GATEWAY):
            left.append("its gateway has not confirmed it yet")
        what = "was erased" if order.what is Standing.ERASED else "withdrew consent"
        yield f"A wearer {what} on {since} ({person[:8]}). {'; '.join(left)}".rstrip()


@contextmanager
def _server(settings: Settings) -> Iterator["InfluxServer | None"]:
    if settings.store.kind == "sqlite":
        yield None
        return
    from ingest.results.influxdb.server import InfluxServer  # a quarter of a second to read

    with closing(InfluxServer(settings.store.influx())) as server:
        yield server


async def _confirmed(erasure: Erasure, whose: Wearer) -> None:
    """Let the pseudonym be typed, so that no slip of the hand erases anybody."""
    if not erasure.known:
        _say(f"Nothing of {key(whose)} is in this folder. Is the name right? It can never be used again.")
    _say(f"All that was measured or recorded of {key(whose)} is deleted: here, at broker and gateway,")
    _say(f"and whenever a backup is restored. Nothing brings it back. Type {whose.patient} to go on:")
    sys.stdout.flush()
    if await Answers().next() != whose.patient:
        raise ConfigurationError("nothing was deleted: that is not the pseudonym")


async def _at_the_broker(settings: Settings, whose: Wearer, order: Order, register: Register) -> list[Place]:
    told, person = await _ask(settings, whose, order), register.person(key(whose))
    if isinstance(told, str):
        left, removed = f"{told}; run this again", dict[str, int]()
    else:
        left = _left(told)
        removed = {"retained messages": len(told.emptied)} if told.emptied else {}
    note = Note(asked_us=order.asked_us, at_us=parts.now_us(), removed=removed, left=left)
    register.note(person, _BROKER, note)
    if isinstance(told, Told) and told.confirmed:
        register.note(person, GATEWAY, Note(asked_us=order.asked_us, at_us=parts.now_us()))
    confirmed = register.answered(person, GATEWAY)
    return [
        Place(_BROKER, register.notes(person)[_BROKER].removed, left),
        Place("gateway", {"spool": 1} if confirmed else {}, "" if confirmed else _NOT_YET),
        *_enrolment(settings, whose, confirmed=confirmed),
    ]


def _left(told: Told) -> str:
    if told.refused:
        return (
            "it does not let us empty what it keeps: `poise broker init` admits `erase`, and `poise join` "
            "takes that enrolment; then run this again"
        )
    return "something is retained again: run this once more when the gateway has stopped" if told.left else ""


async def _ask(settings: Settings, whose: Wearer, order: Order) -> Told | str:
    """Tell the gateway; return the sentence if nobody could be asked."""
    try:
        return await tell(settings.broker.settings(accounts.ERASE), whose, order, parts.now_us())
    except (BrokerError, ConfigurationError) as exc:
        return str(exc)


def _enrolment(settings: Settings, whose: Wearer, *, confirmed: bool) -> Iterator[Place]:
    """Admit the gateway no longer, once it has done what it was told."""
    where, name = absolute(settings.data / "broker"), accounts.gateway_name(whose)
    if name not in where.names:
        return
    if not confirmed:
        yield Place("enrolment", left="kept, so that the gateway can be told; it goes when it has confirmed")
        return
    with contextlib.suppress(StoreError):
        where.revoke(name)
    done = where.reload() is Reload.DONE
    yield Place("enrolment", {"enrolments": 1}, "" if done else "tell the broker: send it a SIGHUP")


def _tell(places: list[Place]) -> int:
    table = Table("place", "removed", "still to be done")
    for place in places:
        removed = ", ".join(f"{what} {count:,}" for what, count in sorted(place.removed.items()))
        table.add_row(place.name, removed or "nothing", escape(place.left))
    out.print(table)
    left = [place for place in places if place.left]
    if left:
        _say("Not all is done yet: what is left stands above. The same command goes on with it.")
        return FAILED
    _say("All is done. What is kept is a keyed hash and the time: docs/erasure.md.")
    return OK


def _say(sentence: str) -> None:
    out.print(sentence, soft_wrap=True, markup=False)
