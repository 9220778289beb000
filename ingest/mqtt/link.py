"""The only file that knows paho: one MQTT connection that is kept up, as asyncio sees it.

Every connection uses a new paho client, so nothing of an old one is ever sent again behind our back: what was
not acknowledged fails with `BrokerError`, and its owner decides. This is also the only place that tries to
reconnect, at intervals that grow and are spread by chance so that a whole site does not return at once.
"""

import asyncio
import logging
import random
import ssl
from collections.abc import Callable, Mapping
from typing import Any, Final, Self

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from ingest.mqtt import tls
from ingest.mqtt.inbox import Inbox
from ingest.mqtt.settings import NOT_AUTHORISED, BrokerSettings, LinkCounts, Outgoing, Received
from poise.errors import BrokerError, BrokerRefusedError, ConfigurationError

log = logging.getLogger("poise.mqtt")
_CONNECT_S: Final = 5.0
_GOODBYE_S: Final = 2.0
_FIRST_WAIT_S: Final = 0.25
_LONGEST_WAIT_S: Final = 30.0
_SOON_S: Final = 2.0
_MOST_TOLD: Final = 100


class Link:
    """One client of the broker: `async with Link(…) as link`, connected as often as it can be.

    A broker that refuses this client for good ends it at the first connection, when somebody is there to read
    why. Later on (a certificate that expired, a name that was revoked) it says so and tries again: a gateway
    must not stop recording for that.

    Raises:
        ConfigurationError: from `receive` and `publish`, if the broker refused this client at the beginning.
    """

    def __init__(
        self,
        settings: BrokerSettings,
        client_id: str,
        *,
        subscriptions: Mapping[str, int] | None = None,
        will: Outgoing | None = None,
        persistent: bool = False,
        on_connected: Callable[[], None] | None = None,
        inbox: Inbox | None = None,
    ) -> None:
        self.settings, self.client_id = settings, client_id
        self.counts = LinkCounts()
        self._subscriptions = dict(subscriptions or {})
        self._will, self._persistent, self._on_connected = will, persistent, on_connected
        self._inbox = Inbox() if inbox is None else inbox
        self._up, self._down = asyncio.Event(), asyncio.Event()
        self._acks: dict[int, tuple[str, asyncio.Future[None]]] = {}
        self._refused: set[str] = set()
        self._been_up = False
        self._ending = (0, "")
        self._client: paho.Client | None = None
        self._refusal: ConfigurationError | None = None
        self._task: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._keep_up(), name=f"mqtt {self.client_id}")
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    @property
    def connected(self) -> bool:
        """True while the broker is there and all subscriptions stand."""
        return self._up.is_set() and self._refusal is None

    async def until_connected(self) -> None:
        """Wait for the connection."""
        await self._up.wait()
        self._raise_refusal()

    async def receive(self, most: int = 1) -> list[Received]:
        """Wait for a message and return it with up to `most` - 1 others that wait already."""
        self._raise_refusal()
        messages = await self._inbox.get(most)
        if not messages:
            self._raise_refusal()
        return messages

    @property
    def waiting(self) -> int:
        """How many messages have come and were not received yet."""
        return len(self._inbox)

    def acknowledge(self, message: Received) -> None:
        """Tell the broker that this QoS 1 message needs no second delivery."""
        if message.qos and self._client is not None and message.connection == self.counts.connections:
            self._client.ack(message.mid, message.qos)  # nothing to do for paho if it acknowledged by itself

    def send(self, message: Outgoing) -> "asyncio.Future[None]":
        """Publish in the order of calls; the future is done with the broker's PUBACK (QoS 0: at once).

        Raises:
            BrokerError: without a connection; through the future, if it ends before the PUBACK, or, as
                `BrokerRefusedError`, if the broker does not take the message.
        """
        self._raise_refusal()
        if self._client is None or not self._up.is_set():
            raise BrokerError(f"no connection to the MQTT broker at {self.settings.place}")
        info = self._client.publish(
            message.topic, message.payload, message.qos, message.retain, self._how(message)
        )
        if info.rc != MQTTErrorCode.MQTT_ERR_SUCCESS:
            raise BrokerError(f"{message.topic} could not be published: {paho.error_string(info.rc)}")
        self.counts.published += 1
        acknowledged: asyncio.Future[None] = self._loop.create_future()
        if message.qos:
            self._acks[info.mid] = message.topic, acknowledged
        else:
            _settle(acknowledged, None)
        return acknowledged

    async def publish(self, message: Outgoing) -> None:
        """Publish and wait for the PUBACK, which says that the broker has it, not that it is stored."""
        await self.send(message)

    def subscribe(self, topic: str, qos: int = 0) -> None:
        """Add a subscription, now and after every reconnect."""
        self._subscriptions[topic] = qos
        if self._client is not None and self._up.is_set():
            self._client.subscribe(topic, qos)

    def unsubscribe(self, topic: str) -> None:
        """Take a subscription back."""
        self._subscriptions.pop(topic, None)
        if self._client is not None and self._up.is_set():
            self._client.unsubscribe(topic)

    def _raise_refusal(self) -> None:
        if self._refusal is not None:
            raise self._refusal

    async def _keep_up(self) -> None:
        wait_s, told = _FIRST_WAIT_S, ""
        while True:
            began_s = self._loop.time()
            try:
                await self._one_connection()
            except (BrokerError, ConfigurationError) as exc:
                if isinstance(exc, ConfigurationError) and not self._been_up:
                    self._give_up(exc)
                    return
                if str(exc) != told:
                    log.warning("%s; trying again", exc)
                told = str(exc)
            else:
                soon = self._loop.time() - began_s < _SOON_S
                wait_s, told = (wait_s if soon else _FIRST_WAIT_S), ""
                log.warning("%s", self.settings.ended(*self._ending, soon=soon))
            await asyncio.sleep(wait_s * random.uniform(0.5, 1.5))  # noqa: S311 - spreads retries
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    def _give_up(self, refusal: ConfigurationError) -> None:
        self._refusal = refusal
        self._up.set()
        self._inbox.close()

    async def _one_connection(self) -> None:
        """Connect, stay until the connection ends, and leave nothing of it behind."""
        self._down.clear()
        client = self._new_client()
        ready: asyncio.Future[None] = self._loop.create_future()
        self.counts.connections += 1
        self._attach(client, ready, self.counts.connections)
        try:
            self._client = client
            await self._connect(client, ready)
            self._been_up = True
            self._up.set()
            if self._on_connected is not None:
                self._on_connected()
            await self._down.wait()
        finally:
            ready.cancel()
            self._up.clear()
            self._client = None
            await self._take_down(client)
            self._fail_acks()

    async def _connect(self, client: paho.Client, ready: "asyncio.Future[None]") -> None:
        settings = self.settings
        arguments: dict[str, Any] = {"keepalive": settings.keepalive_s}
        if not settings.embedded:
            arguments |= {"clean_start": not self._persistent, "properties": self._wishes()}
        try:
            await asyncio.to_thread(client.connect, settings.host, settings.port, **arguments)
            client.loop_start()
            async with asyncio.timeout(_CONNECT_S):
                await ready
        except ssl.SSLCertVerificationError as exc:
            raise tls.untrusted(settings, exc) from exc
        except ssl.SSLError as exc:
            raise BrokerError(f"no TLS at {settings.place} ({exc.reason}); check the port") from exc
        except (OSError, ValueError) as exc:
            why = str(exc) or f"silent for {_CONNECT_S:.0f} s"
            raise BrokerError(f"no MQTT broker answers at {settings.place} ({why})") from exc

    def _new_client(self) -> paho.Client:
        """Decide in one place which MQTT is spoken to which broker."""
        settings, embedded = self.settings, self.settings.embedded
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            self.client_id,
            clean_session=not self._persistent if embedded else None,
            protocol=MQTTProtocolVersion.MQTTv311 if embedded else MQTTProtocolVersion.MQTTv5,
            reconnect_on_failure=False,
            # The embedded broker never sends again and waits 5 s for an acknowledgement: to hold it back
            # there would only block it. What gets lost, the gateway's bridge sends again.
            manual_ack=not embedded,
        )
        client.connect_timeout = _CONNECT_S
        # The embedded broker keeps sessions only of clients with a name; it listens on loopback only.
        name = settings.username or ("poise" if embedded else "")
        if name:
            client.username_pw_set(name, settings.password or None)
        if settings.tls:
            client.tls_set_context(tls.context(settings))
        if self._will is not None:
            client.will_set(self._will.topic, self._will.payload, self._will.qos, self._will.retain)
        return client

    def _wishes(self) -> Properties:
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        properties.ReceiveMaximum = self.settings.receive_maximum
        properties.SessionExpiryInterval = self.settings.session_expiry_s if self._persistent else 0
        return properties

    def _how(self, message: Outgoing) -> Properties | None:
        if message.expires_s is None or self.settings.embedded:
            return None
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        properties.MessageExpiryInterval = message.expires_s
        return properties

    def _attach(self, client: paho.Client, ready: "asyncio.Future[None]", connection: int) -> None:
        """Lead paho's callbacks, which run in its thread, into the event loop."""

        # None names `client`, which would then hold itself, its sockets open until somebody looks.
        def on_connect(here: paho.Client, _u: object, _f: object, reason: ReasonCode, _p: object) -> None:
            if reason.is_failure:
                self._loop.call_soon_threadsafe(
                    _settle, ready, self.settings.refused(reason.value, str(reason))
                )
            elif self._subscriptions:
                here.subscribe(list(self._subscriptions.items()))
            else:
                self._loop.call_soon_threadsafe(_settle, ready, None)

        def on_subscribe(_c: object, _u: object, _m: int, reasons: list[ReasonCode], _p: object) -> None:
            refused = next((reason for reason in reasons if reason.is_failure), None)
            outcome = None if refused is None else self.settings.refused(refused.value, str(refused))
            self._loop.call_soon_threadsafe(_settle, ready, outcome)

        def on_disconnect(_c: object, _u: object, _f: object, reason: ReasonCode, _p: object) -> None:
            self._ending = reason.value, str(reason)
            gone = BrokerError(f"the MQTT broker at {self.settings.place} ended the connection")
            self._loop.call_soon_threadsafe(_settle, ready, gone)
            self._loop.call_soon_threadsafe(self._down.set)

        def on_publish(_c: object, _u: object, mid: int, reason: ReasonCode, _p: object) -> None:
            self._loop.call_soon_threadsafe(self._acknowledged, mid, reason)

        def on_message(_c: object, _u: object, m: paho.MQTTMessage) -> None:
            # A topic that is not UTF-8 must not end paho's thread.
            topic = m._topic.decode(errors="replace")  # noqa: SLF001
            received = Received(topic, bytes(m.payload), m.qos, m.retain, m.mid, connection)
            self._loop.call_soon_threadsafe(self._take, received)

        client.on_connect, client.on_subscribe, client.on_disconnect = on_connect, on_subscribe, on_disconnect
        client.on_publish, client.on_message = on_publish, on_message

    def _take(self, received: Received) -> None:
        self.counts.received += 1
        if self._inbox.is_copy(received):
            self.acknowledge(received)
        elif not self._inbox.put(received):
            self.counts.overflowed += 1
            self.acknowledge(received)  # or the broker would keep its place, and hold others back for it

    def _acknowledged(self, mid: int, reason: ReasonCode) -> None:
        topic, future = self._acks.pop(mid, ("", None))
        if future is None:
            return
        if not reason.is_failure:
            _settle(future, None)
            return
        refusal = f"the MQTT broker at {self.settings.place} does not take {topic} ({reason})"
        if topic not in self._refused and len(self._refused) < _MOST_TOLD:
            self._refused.add(topic)
            mend = "; its name has no right to it" if reason.value == NOT_AUTHORISED else ""
            log.error("%s%s", refusal, mend)
        _fail(future, BrokerRefusedError(refusal))

    def _fail_acks(self) -> None:
        acks, self._acks = self._acks, {}
        for _, future in acks.values():
            _fail(future, BrokerError("the connection ended before the broker acknowledged"))

    async def _take_down(self, client: paho.Client) -> None:
        client.disconnect()
        stop = asyncio.create_task(asyncio.to_thread(client.loop_stop))
        done, _ = await asyncio.wait([stop], timeout=_GOODBYE_S)
        if done:
            # paho leaves these open until it is forgotten, and a refusal that is kept remembers it.
            client._reset_sockets()  # noqa: SLF001


def _settle(future: "asyncio.Future[None]", error: Exception | None) -> None:
    if not future.done() and error is None:
        future.set_result(None)
    elif not future.done() and error is not None:
        future.set_exception(error)


def _fail(future: "asyncio.Future[None]", error: Exception) -> None:
    """Not everybody waits: the bridge sends again whatever is unconfirmed."""
    _settle(future, error)
    if not future.cancelled():
        future.exception()
