"""A clinic's broker as `poise broker init` makes it, in a real Mosquitto, and who comes to it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Coroutine, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from servers import MOSQUITTO_ADVICE, Server, free_port, missing

from ingest.mqtt.enrolment import read_enrolment
from ingest.mqtt.link import Link
from ingest.mqtt.mosquitto import accounts, texts
from ingest.mqtt.mosquitto.folder import BrokerFolder, Reload
from ingest.mqtt.settings import BrokerSettings, Outgoing, Received
from poise.errors import BrokerError, ConfigurationError
from poise.topics import Wearer

ANNA, BEN = Wearer("anna"), Wearer("ben")


@dataclass
class Clinic:
    """A broker's folder, the server that runs on it, and its port for plain text."""

    folder: BrokerFolder
    server: Server
    plain_port: int

    def settings(self, who: Wearer | str) -> BrokerSettings:
        """Return what the enrolment of a gateway or a program says."""
        name = accounts.gateway_name(who) if isinstance(who, Wearer) else who
        known = read_enrolment(self.folder.enrolment_file(name))
        return BrokerSettings(
            host=known.host, port=known.port, tls=True, authority=known.authority,
            username=known.username, password=known.password,
        )  # fmt: skip

    def link(self, who: Wearer | str, client_id: str = "x", **more: Any) -> Link:
        return Link(self.settings(who), client_id, **more)

    def reload(self) -> None:
        assert self.folder.reload() is Reload.DONE


@contextmanager
def running_clinic(path: Path, now: datetime | None = None) -> Iterator[Clinic]:
    """Two gateways are enrolled; `now` is when the certificates were made."""
    program = texts.program()
    if program is None:
        missing(MOSQUITTO_ADVICE)
    folder = BrokerFolder(path / "broker")
    port, plain_port = free_port(), free_port()
    folder.init(["localhost"], port, plain_port, now or datetime.now(UTC))
    for wearer in (ANNA, BEN):
        folder.admit(accounts.gateway_name(wearer), wearer)
    command = [str(program), "-c", str(folder.path / "mosquitto.conf")]
    server = Server(command, port, path / "mosquitto.log")
    server.start()
    try:
        yield Clinic(folder, server, plain_port)
    finally:
        server.kill()


@asynccontextmanager
async def connected(link: Link) -> AsyncIterator[Link]:
    async with link:
        await asyncio.wait_for(link.until_connected(), 10)
        yield link


async def let_in(settings: BrokerSettings) -> None:
    """Wait until the broker, which reads its files soon but not at once, lets these in."""
    async with asyncio.timeout(20):
        while True:
            with contextlib.suppress(ConfigurationError):
                async with Link(settings, "x") as link:
                    await link.until_connected()
                    return
            await asyncio.sleep(0.1)


async def no_more(link: Link, message: Outgoing) -> None:
    """Wait until the broker does not take this message any more."""
    async with asyncio.timeout(20):
        while await refused(link, message) is None:  # noqa: ASYNC110 - the broker tells nobody
            await asyncio.sleep(0.1)


async def heard(link: Link, last: bytes) -> list[Received]:
    """Return what a link gets up to the message with this payload."""
    messages: list[Received] = []
    async with asyncio.timeout(10):
        while not messages or messages[-1].payload != last:
            messages += await link.receive()
    return messages


async def refused(link: Link, message: Outgoing) -> Exception | None:
    """Return how a message was refused, None if it was taken."""
    try:
        await asyncio.wait_for(link.publish(message), 10)
    except BrokerError as exc:
        return exc
    return None


@asynccontextmanager
async def running(work: Coroutine[Any, Any, None]) -> AsyncIterator["asyncio.Task[None]"]:
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        if task.done():
            task.result()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
