"""The only file that knows amqtt: an MQTT broker inside this program, for one machine without Mosquitto.

It keeps everything in memory and speaks MQTT 3.1.1. Nothing depends on it for safety: what it loses, the
gateway's spool still holds and sends again (docs/ingest.md tells what was measured).
"""

import asyncio
import logging
from typing import Final, Self

from amqtt.broker import Broker
from amqtt.errors import AMQTTError
from amqtt.errors import BrokerError as AmqttBrokerError

from ingest.mqtt.settings import BrokerSettings
from poise.errors import ConfigurationError

HOST: Final = "127.0.0.1"
_SESSION_S: Final = 3600


class _Broker(Broker):  # type: ignore[misc]
    """Closes its connections: amqtt leaves open what ends in the middle of something, or while it stops."""

    def __init__(self, configuration: dict[str, object]) -> None:
        super().__init__(configuration)
        self._writers: set[asyncio.StreamWriter] = set()

    async def stream_connected(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, listener_name: str
    ) -> None:
        self._writers.add(writer)
        try:
            await super().stream_connected(reader, writer, listener_name)
        finally:
            self._writers.discard(writer)
            writer.close()

    async def shutdown(self) -> None:
        await super().shutdown()
        writers = list(self._writers)
        for writer in writers:
            writer.close()
        await asyncio.gather(*(writer.wait_closed() for writer in writers), return_exceptions=True)


class EmbeddedBroker:
    """`async with EmbeddedBroker() as broker`: listens on loopback only, for as long as the block lasts.

    Args:
        port: 0 for any free one.
    """

    def __init__(self, port: int = 1883) -> None:
        self._port = port
        self._broker: _Broker | None = None

    @property
    def settings(self) -> BrokerSettings:
        """How clients reach it."""
        return BrokerSettings(host=HOST, port=self._port, embedded=True)

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.stop()

    async def start(self) -> None:
        """Begin to listen.

        Raises:
            ConfigurationError: if the port is taken.
        """
        # It reports every client that leaves in the middle of something; our own links say what matters.
        for name in ("amqtt", "transitions"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
        broker = _Broker(_configuration(self._port))
        try:
            await broker.start()
        except (AMQTTError, AmqttBrokerError, OSError) as exc:
            raise ConfigurationError(
                f"port {self._port} of {HOST} is taken, perhaps by another MQTT broker; "
                "choose another port, or use that broker"
            ) from exc
        self._broker = broker
        self._port = _listening(broker)

    async def stop(self) -> None:
        """End all sessions and close the port."""
        broker, self._broker = self._broker, None
        if broker is not None:
            await broker.shutdown()


def _configuration(port: int) -> dict[str, object]:
    return {
        "listeners": {"default": {"type": "tcp", "bind": f"{HOST}:{port}"}},
        "session_expiry_interval": _SESSION_S,
        # Clients must give a name: amqtt keeps no messages for anonymous ones that are away.
        "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": False}},
    }


def _listening(broker: Broker) -> int:
    server = broker._servers["default"].instance  # noqa: SLF001 - amqtt has no way to ask for the port
    return int(server.sockets[0].getsockname()[1])
