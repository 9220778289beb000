"""Carries the outbox to InfluxDB, oldest first, and has minutes and hours made of what has arrived."""

import asyncio
import logging
import random
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from ingest.database.journal import Journal
from ingest.database.sqlite import Database
from ingest.results.influxdb import columns, lines, outbox
from ingest.results.influxdb.downsampling import QUIET_S, Downsampler
from ingest.results.influxdb.layout import Table
from ingest.results.influxdb.server import InfluxServer
from poise.errors import StoreError, StoreRejectedError

log = logging.getLogger("poise.influx")
BODY_LINES: Final = 5000
_IDLE_S: Final = 1.0
_LONGEST_WAIT_S: Final = 60.0
_SENTENCE: Final = 500
_ALARM: Final = "the outbox for InfluxDB holds"


class Erases(Protocol):
    """Deletes at the server who was erased, between what is forwarded."""

    def look(self) -> None:
        """Do what is due; raises StoreUnavailableError."""

    def refuses(self, line: bytes) -> bool:
        """Return whether a line is of somebody who was erased."""


class Forwarder:
    """Carries the outbox to InfluxDB: `run` it as a task beside the ingest.

    Args:
        database: `poise.db`.
        server: InfluxDB.
        most_bytes: cap of the outbox.
        clock: UTC µs.
        quiet_s: see `Downsampler`.
        erasure: deletes at the server who was erased.

    Attributes:
        forwarded: lines that the server has confirmed since the start.
        refused: lines put aside as dead letters.
        expired: lines older than the server keeps anything, which it let fall.
        trouble: what is wrong now, a sentence; "" if nothing.
    """

    def __init__(
        self,
        database: Database,
        server: InfluxServer,
        *,
        most_bytes: int = outbox.DEFAULT_MOST_BYTES,
        clock: Callable[[], int] = lambda: time.time_ns() // 1000,
        quiet_s: float = QUIET_S,
        erasure: Erases | None = None,
    ) -> None:
        self._database, self._server, self._most_bytes, self._clock = database, server, most_bytes, clock
        self._downsampler = Downsampler(database, server, clock, quiet_s)
        self._journal = Journal(database)
        self._erasure = erasure
        self.forwarded = 0
        self.refused = 0
        self.expired = 0
        self.trouble = ""

    async def run(self) -> None:
        """Forward until cancelled; waits longer each time the server is not there."""
        wait_s = _IDLE_S
        while True:
            try:
                done = await asyncio.to_thread(self.work)
                await asyncio.to_thread(self._say, "")
                wait_s = _IDLE_S
            except StoreError as exc:
                done = 0
                await asyncio.to_thread(self._say, str(exc))
                wait_s = min(2 * wait_s, _LONGEST_WAIT_S)
            if done < BODY_LINES:
                await asyncio.sleep(wait_s * random.uniform(0.7, 1.3))  # noqa: S311 - spreads retries

    def work(self) -> int:
        """Forward once, and have hours made when nothing more waits; return how many lines were forwarded.

        Raises:
            StoreUnavailableError: if the server is not there; nothing is lost.
        """
        if self._erasure is not None:
            self._erasure.look()
        done = self.forward()
        if done < BODY_LINES:
            self._downsampler.work()
        return done

    def forward(self) -> int:
        """Carry the oldest lines and return how many left the outbox.

        Raises:
            StoreUnavailableError: if the server is not there; nothing is lost.
        """
        with self._database.transaction() as c:
            batch = outbox.oldest(c, BODY_LINES)
        if not batch.bodies:
            return 0
        texts = _by_table(batch.bodies).items()
        refused = [bad for table, parts in texts for bad in self._write(table, b"\n".join(parts))]
        with self._database.transaction() as c:
            for line, sentence in refused:
                if self._erasure is not None and self._erasure.refuses(line):
                    continue
                self._journal.put_dead_letter(c, "influxdb", line, "refused", sentence, self._clock())
            outbox.remove(c, batch)
        self.forwarded += batch.count - len(refused)
        self.refused += len(refused)
        return batch.count

    def waiting(self) -> outbox.Waiting:
        """Return how much waits for the server."""
        with self._database.transaction() as c:
            return outbox.waiting(c)

    def _write(self, table: Table, text: bytes) -> list[tuple[bytes, str]]:
        """Write the lines, halving until those that the server refuses stand alone; return these."""
        try:
            self.expired += self._server.write(text, table.suffix)
        except StoreRejectedError as exc:
            body = text.split(b"\n")
            if len(body) == 1:
                return [(text, str(exc)[:_SENTENCE])]
            halves = body[: len(body) // 2], body[len(body) // 2 :]
            return [bad for half in halves for bad in self._write(table, b"\n".join(half))]
        return []

    def _say(self, trouble: str) -> None:
        """Keep what is wrong, and log what is news."""
        alarm = self._alarm()
        now = "; ".join(part for part in (trouble, alarm) if part)
        if trouble and not self.trouble:
            log.warning("%s; results wait in the outbox", trouble)
        if alarm and _ALARM not in self.trouble:
            log.error("%s", alarm)
        if self.trouble and not now:
            log.info("InfluxDB takes results again")
        self.trouble = now

    def _alarm(self) -> str:
        try:
            waiting = self.waiting()
        except StoreError:
            return ""  # the disk is in trouble, and whoever writes to it says so
        if waiting.stored_bytes < outbox.ALARM_SHARE * self._most_bytes:
            return ""
        return (
            f"{_ALARM} {waiting.lines} lines, {waiting.stored_bytes / 1e6:.0f} of "
            f"{self._most_bytes / 1e6:.0f} MB; "
            "when it is full nothing more is confirmed to gateways until InfluxDB takes results"
        )


def _by_table(bodies: Sequence[bytes]) -> Mapping[Table, list[bytes]]:
    """Return what rows of the outbox say, by where it belongs: lines, or some joined, in their order."""
    found = defaultdict[Table, list[bytes]](list)
    for body in bodies:
        text = outbox.text_of(body)
        # Columns are seconds alone; a row of lines may hold any.
        for part in [text] if body.startswith(columns.MARK) else text.split(b"\n"):
            found[lines.table_of(part)].append(part)
    return found
