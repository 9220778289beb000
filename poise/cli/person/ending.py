"""A gateway whose wearer was erased or has withdrawn consent: it collects nothing, and says so.

What it was told stands in the list of erasures of its own data folder, by a keyed hash, so that it holds over
restarts and without a broker. Where ingest works in the same folder, that is ingest's own list.
"""

import asyncio
import contextlib
import platform
from collections.abc import AsyncIterator, Callable, Collection, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Final

from ingest.erasing import files
from ingest.erasing.gate import ENDED
from ingest.erasing.register import Register, Standing
from ingest.mqtt.link import Link
from ingest.mqtt.settings import BrokerSettings, Outgoing
from ingest.results.store import key
from poise import __version__, notices
from poise.cli.alone import alone
from poise.errors import BrokerError, ConfigurationError, WireError
from poise.notices import Command, Presence, Verb
from poise.topics import Leaf, Wearer

_LOOK_S: Final = 1.0
_SAY_S: Final = 5.0
_SENTENCES: Final = {
    Standing.ERASED: "{} was erased: nothing of this wearer is collected or kept here any more. A person who "
    "comes again gets a new pseudonym, in poise.toml or with `poise join`.",
    Standing.WITHDRAWN: "{} has withdrawn consent: nothing is collected until `poise person resume`.",
}
_STANDINGS: Final = {
    Verb.ERASE: Standing.ERASED, Verb.STOP: Standing.WITHDRAWN, Verb.RESUME: Standing.RESUMED,
}  # fmt: skip
SPOOLS: Final = ("spool", "replay")


class Ending:
    """What a gateway does about it.

    Args:
        data: the gateway's data folder.
        wearer: whose gateway it is.
        broker: whom to tell.
        sensors: addresses that it may have announced.
        now_us: UTC µs.
        told: called with a sentence for who looks.
    """

    def __init__(
        self,
        data: Path,
        wearer: Wearer,
        broker: BrokerSettings,
        sensors: Mapping[str, str] | Sequence[str],
        now_us: Callable[[], int],
        told: Callable[[str], None],
    ) -> None:
        self._data, self._wearer, self._broker = data, wearer, broker
        self._sensors: Collection[str] = set(sensors) if isinstance(sensors, Mapping) else ()
        self._now_us, self._told = now_us, told
        self._register = Register(data)
        self._ordered = asyncio.Event()

    async def permitted(self) -> None:
        """Wait until samples may be collected.

        Raises:
            ConfigurationError: if the wearer was erased.
        """
        if self._standing is Standing.WITHDRAWN:
            self._told(self._sentence)
            await self._until_resumed()
        if self._standing is Standing.ERASED:
            await self._carry_out()
            raise ConfigurationError(self._sentence)

    def obey(self, verb: Verb) -> bool:
        """Write down what was ordered; `ordered` takes it up."""
        self._register.put(key(self._wearer), _STANDINGS[verb], self._now_us())
        self._ordered.set()
        return True

    async def ordered(self, links: Collection[str]) -> None:
        """Wait until nothing may be collected any more, here or by an order in this folder, and raise then.

        Raises:
            ConfigurationError: with the sentence that says why.
        """
        self._sensors = links
        while self._standing not in _SENTENCES:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_S):
                    await self._ordered.wait()
            self._ordered.clear()
            self._register.refresh()
        raise ConfigurationError(self._sentence)

    @asynccontextmanager
    async def carried_out(self) -> AsyncIterator[None]:
        """After the block, do what an order that ended it asks for, and say so."""
        try:
            yield
        finally:
            if self._standing in _SENTENCES:
                await self._carry_out()

    @property
    def _standing(self) -> Standing:
        order = self._register.order(key(self._wearer))
        return Standing.RESUMED if order is None else order.what

    @property
    def _sentence(self) -> str:
        return _SENTENCES[self._standing].format(self._wearer.patient)

    async def _carry_out(self) -> None:
        erases = self._standing is Standing.ERASED
        if erases:
            await asyncio.to_thread(forget, self._data, self._wearer)
        with contextlib.suppress(BrokerError, ConfigurationError, TimeoutError):
            async with asyncio.timeout(_SAY_S), self._link() as link:
                await link.until_connected()
                for message in self._said(erases=erases):
                    await link.publish(message)

    def _said(self, *, erases: bool) -> list[Outgoing]:
        """Return what is said: of who was erased, nothing stays at the broker."""
        sensors = [self._wearer.topic(Leaf.SENSOR, sensor) for sensor in self._sensors]
        topics = [*sensors, self._wearer.topic(Leaf.CALIBRATION), self._wearer.topic(Leaf.PRESENCE)]
        empty = [Outgoing(topic, b"", 1, retain=True) for topic in topics] if erases else []
        return [*empty, self._presence(retain=not erases)]

    def _presence(self, *, retain: bool) -> Outgoing:
        presence = Presence(
            state=ENDED[self._standing], gateway=platform.node() or "gateway", session="",
            since_us=self._now_us(), program=f"poise {__version__}",
        )  # fmt: skip
        return Outgoing(self._wearer.topic(Leaf.PRESENCE), notices.encode(presence), 1, retain)

    def _link(self, *, listens: bool = False) -> Link:
        name = f"poise-gateway-{self._wearer.site}-{self._wearer.patient}"
        topics = {self._wearer.topic(Leaf.COMMAND): 1} if listens else {}
        return Link(self._broker, name, subscriptions=topics)

    async def _until_resumed(self) -> None:
        """Stay at the broker, collect nothing, and listen for what is ordered."""
        async with self._link(listens=True) as link:
            said = 0
            while self._standing is Standing.WITHDRAWN:
                if link.connected and link.counts.connections != said:
                    said = link.counts.connections
                    with contextlib.suppress(BrokerError):
                        await link.publish(self._presence(retain=True))
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_S):
                        for message in await link.receive(10):
                            link.acknowledge(message)
                            if not message.retain:
                                self._hear(message.payload)
                self._register.refresh()

    def _hear(self, payload: bytes) -> None:
        with contextlib.suppress(WireError):
            command = notices.decode(payload, Command)
            if command.verb in _STANDINGS and command.expires_us >= self._now_us():
                self.obey(command.verb)


def spool_file(data: Path, name: str, wearer: Wearer) -> Path:
    """Return where a wearer's spool is, `name` being one of `SPOOLS`."""
    return data / f"{name}-{wearer.site}-{wearer.patient}.db"


def forget(data: Path, wearer: Wearer) -> None:
    """Delete what a gateway keeps of a wearer who was erased; what a program uses, that one deletes."""
    for path in (spool_file(data, name, wearer) for name in SPOOLS):
        with contextlib.suppress(ConfigurationError), alone(path.with_suffix(".lock"), "gateway"):
            files.remove(path)
            with contextlib.suppress(OSError):  # Windows deletes nothing that is open
                path.with_suffix(".lock").unlink()
    for kind in ("calibration", "plan"):
        (data / f"{kind}-{wearer.site}-{wearer.patient}.json").unlink(missing_ok=True)


def refuse_ended(data: Path, wearer: Wearer) -> None:
    """Refuse to collect or send anything of who was erased or has withdrawn.

    Raises:
        ConfigurationError: with the sentence that says why.
    """
    if reason := Register(data).reason(key(wearer)):
        raise ConfigurationError(_SENTENCES[Standing(reason)].format(wearer.patient))
