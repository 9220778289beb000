"""`poise sensors record` and `fetch`: sensors that record by themselves, away from the computer."""

import asyncio
from datetime import datetime
from typing import Final

from device.gateway import new_session
from device.recall.book import FETCHED, OUT, Book
from device.recall.errand import Errand, span
from device.recall.storing import Home
from device.spooling.spool import DiskSpool
from device.vendors.movella_dot_frames import RATE_HZ
from poise.cli import parts, radio
from poise.cli.person.asking import Answers
from poise.cli.person.ending import refuse_ended
from poise.cli.running import FAILED, OK, during, out
from poise.cli.settings import Settings
from poise.skeleton import place, spoken

_LOOK_S: Final = 0.2
_STALLED_S: Final = 5.0
"""Sending is given up when nothing was confirmed for so long."""


async def record(settings: Settings, transport: str, origin: str, *, erase: bool) -> int:
    """Let the sensors record; exit code 1 if any does not."""
    worn = radio.with_sensors(settings)
    refuse_ended(worn.data, worn.wearer)
    known = parts.calibration_on(parts.calibration_file(worn.data, worn.wearer))
    with parts.spooling(worn.data, "spool", worn.wearer) as spool:
        async with radio.bluetooth(transport) as backend:
            errand = Errand(Book(spool), new_session(), origin, _say, backend)
            await errand.record(
                worn.sensors, known.id if known else "", _Asking().may_erase if erase else None
            )
    if len(errand.refused) < len(worn.sensors):
        _say("They record until `poise sensors fetch`, or their memory is full. Nothing is judged meanwhile.")
    return FAILED if errand.refused else OK


async def fetch(settings: Settings, transport: str, origin: str, *, incomplete: bool) -> int:
    """Bring recordings home, store and send them; exit code 1 if any could not be."""
    wearer, session = settings.wearer, new_session()
    refuse_ended(settings.data, wearer)
    with parts.spooling(settings.data, "spool", wearer) as spool:
        if not reminder(spool):
            _say("No recording is to be fetched.")
            return OK
        async with radio.bluetooth(transport) as backend:
            errand = Errand(Book(spool), session, origin, _say, backend)
            for home in await errand.fetch(incomplete=incomplete):
                _say(_stored(home))
        bridge = parts.bridge_of(wearer, settings.broker.settings(), spool, session, origin)
        async with during(bridge.run()):
            left = await _sent(spool)
    _say(f"{left} s of samples wait here; `poise wear` sends them." if left else "All of it is stored.")
    return FAILED if errand.refused else OK


def reminder(spool: DiskSpool) -> str:
    """Return a sentence about recordings that have not come home, "" without any."""
    waiting = Book(spool).recordings(*OUT, FETCHED)
    if not waiting:
        return ""
    places = ", ".join(dict.fromkeys(place(recording.segment) for recording in waiting))
    return f"Recordings are to be fetched (`poise sensors fetch`, when nothing is worn): {places}."


class _Asking:
    """What has come home may be erased without a question; what nobody here knows may not."""

    def __init__(self) -> None:
        self._answers: Answers | None = None

    async def may_erase(self, at: str, strange: int) -> bool:
        if not strange:
            return True
        _say(f"{at}: somebody else began {strange} of the recordings in its memory. Delete them? (y/N)")
        self._answers = self._answers or Answers()
        return await self._answers.yes()


async def _sent(spool: DiskSpool) -> int:
    """Wait while messages are confirmed; return how many are left."""
    loop = asyncio.get_running_loop()
    left, moved = await asyncio.to_thread(spool.depth), loop.time()
    while left and loop.time() - moved < _STALLED_S:
        await asyncio.sleep(_LOOK_S)
        now = await asyncio.to_thread(spool.depth)
        left, moved = now, loop.time() if now < left else moved
    return left


def _stored(home: Home) -> str:
    name, n = spoken(home.recording.segment), home.recording.spooled
    begun = datetime.fromtimestamp(home.recording.begun_us / 1e6).astimezone()
    if home.timed is None:
        return f"{name}: the recording of {begun:%H:%M:%S} is empty."
    unsure = f"its times are good to {home.timed.unsure_us / 1e6:.2g} s"
    estimate = ", an estimate" if home.timed.estimated else ""
    return f"{name}: {span(n / RATE_HZ)} from {begun:%Y-%m-%d %H:%M:%S} on; {unsure}{estimate}."


def _say(sentence: str) -> None:
    out.print(sentence, soft_wrap=True, markup=False)
