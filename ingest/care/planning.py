"""The plan on its way to the gateways: published again whenever the record says something that changes it.

The notice is retained and holds all phases ahead, so a gateway hears of the next phase even if it is never
connected again. After each connection to the broker every patient's plan is published: it may have forgotten.
"""

import asyncio
import logging
import uuid
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from analytics.care.told import plan_notice
from ingest.care.clinic import Clinic
from ingest.mqtt.link import Link
from ingest.mqtt.settings import BrokerSettings, Outgoing
from ingest.record.patients import Patient, by_id, everybody
from poise.care.entry import Entry
from poise.care.injections import Injection
from poise.care.plans import Plan
from poise.errors import BrokerError, BrokerRefusedError, RecordMissingError, StoreError
from poise.notices import encode
from poise.topics import Leaf

log = logging.getLogger("poise.record")
_AGAIN_S: Final = 5.0


class Planning:
    """Publishes plans; `run` it as a task, `told` may be called in any thread.

    Args:
        clinic: with the record.
        broker: with an account that may publish plans.
        clock: UTC µs.
    """

    def __init__(self, clinic: Clinic, broker: BrokerSettings, clock: Callable[[], int]) -> None:
        self._clinic, self._clock = clinic, clock
        self._link = Link(broker, f"poise-plans-{uuid.uuid4().hex[:12]}", on_connected=self._all_again)
        self._due: dict[Patient, None] = {}
        self._all = False
        self._wake = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        clinic.told.append(self.told)

    def told(self, patient: Patient, entry: Entry | None) -> None:
        """Publish a patient's plan again if an entry changes it; None: their time zone has changed."""
        if self._loop is not None and (entry is None or isinstance(entry, Injection | Plan)):
            self._loop.call_soon_threadsafe(self._add, patient)

    async def run(self) -> None:
        """Publish until cancelled.

        Raises:
            ConfigurationError: if the broker refuses this program for good.
        """
        self._loop = asyncio.get_running_loop()
        async with self._link:
            while True:
                await self._wake.wait()
                self._wake.clear()
                await self._link.until_connected()
                if self._all:
                    self._all = False
                    self._due |= dict.fromkeys(await asyncio.to_thread(self._everybody))
                while self._due:
                    await self._publish(next(iter(self._due)))

    async def _publish(self, patient: Patient) -> None:
        """Publish one plan; what could not be told now stays due."""
        del self._due[patient]
        try:
            payload = await asyncio.to_thread(self._payload, patient)
            if payload is not None:
                message = Outgoing(patient.wearer.topic(Leaf.PLAN), payload, 1, retain=True)
                await self._link.publish(message)
        except BrokerRefusedError as exc:
            log.warning(
                "%s: plans reach no gateway until the broker's rights are written anew (poise gateway enrol)",
                exc,
            )
        except (BrokerError, StoreError) as exc:
            log.warning("a plan could not be sent to its gateway yet: %s", exc)
            self._due[patient] = None
            await asyncio.sleep(_AGAIN_S)
        except Exception:
            log.exception("a plan cannot be made; the others are sent all the same")

    def _payload(self, patient: Patient) -> bytes | None:
        """Return the notice; empty bytes take back what no longer holds, None for who is not there."""
        try:
            with self._clinic.database.reading() as session:
                now = by_id(session, patient.id)
                course = self._clinic.reader.course(session, now, self._clock())
        except RecordMissingError:
            return None
        if not course.injections:
            return b""
        made = datetime.fromtimestamp(self._clock() / 1e6, UTC)
        injections = list(course.injections.values())
        return encode(plan_notice(uuid.uuid4().hex, made, injections, course.plans, course.zone))

    def _all_again(self) -> None:
        """Tell everybody's gateway again after each connection: a broker may have forgotten."""
        self._all = True
        self._wake.set()

    def _everybody(self) -> list[Patient]:
        with self._clinic.database.reading() as session:
            return list(everybody(session))

    def _add(self, patient: Patient) -> None:
        self._due[patient] = None
        self._wake.set()
