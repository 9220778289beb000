"""`poise wear` and `poise calibrate`: the gateway for a person who looks at it."""

import asyncio
import contextlib
import logging
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import replace
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np
from rich.console import Group
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from analytics.cues.cue import CueMode
from device.calibration.calibrating import LONGEST_BOW_US, LONGEST_NOD_US, SETTLE_US, STILL_US, Step
from device.tally import Tally
from ingest.mqtt.mosquitto.accounts import gateway_name
from poise.calibration import Calibration, Verdict
from poise.cli import parts, radio
from poise.cli.parts import Wearing, now_us
from poise.cli.person import recalling, status
from poise.cli.running import FAILED, OK, err, out
from poise.cli.settings import Settings
from poise.skeleton import spoken
from poise.wire import decode_samples

PATIENCE_S: Final = 300.0
_REFRESH_S: Final = 0.5
_FIRST_S: Final = 10.0
_PLAIN_S: Final = 60.0
_DRAIN_S: Final = 5.0
_LASTS_S: Final = {
    Step.SIT_TALL: STILL_US / 1e6,
    Step.BOW: LONGEST_BOW_US / 1e6,
    Step.SETTLE: SETTLE_US / 1e6,
    Step.NOD: LONGEST_NOD_US / 1e6,
}
"""How long each step takes at most, or, for the first, at least."""


@asynccontextmanager
async def _worn(
    settings: Settings, transport: str, origin: str, drain_s: float, cues: parts.Cues | None = None
) -> AsyncIterator[Wearing]:
    worn = radio.with_sensors(settings)
    async with (
        radio.bluetooth(transport) as backend,
        parts.wearing(
            worn.wearer, worn.sensors, worn.broker.settings(gateway_name(worn.wearer)), worn.data,
            backend=backend, origin=origin, told=_say, drain_s=drain_s,
            cues=cues, message_s=worn.gateway.message_s,
        ) as wearing,
    ):  # fmt: skip
        yield wearing


def _say(sentence: str) -> None:
    """A live table shows the sentence itself; elsewhere it is a line."""
    if not out.is_terminal:
        out.print(sentence)


async def wear(settings: Settings, transport: str, origin: str) -> int:
    """Run the gateway and show what it does until ended."""
    async with _worn(settings, transport, origin, parts.DRAIN_S, _by_plan(settings)) as worn:
        tally = Tally()
        worn.gateway.observers.append(tally)
        out.print(f"Wearing as {settings.wearer.patient}; Ctrl-C ends it and keeps what was measured.")
        if waiting := recalling.reminder(worn.spool):
            out.print(waiting, soft_wrap=True)
        await (_watch(worn, tally) if out.is_terminal else _log(worn, tally))
    return OK


def _by_plan(settings: Settings) -> parts.Cues:
    """Return no cues of one's own; the clinic's plan may want some, and its guard needs the analysis."""
    silent = replace(settings.cues.plan(), mode=CueMode.OFF)
    return parts.Cues(silent, ZoneInfo(settings.zone), settings.cues.desktop)


async def _watch(worn: Wearing, tally: Tally) -> None:
    with _live() as live:
        while True:
            live.update(await _view(worn, tally), refresh=True)
            await asyncio.sleep(_REFRESH_S)


@contextmanager
def _live(*, transient: bool = False) -> Iterator[Live]:
    """Draw in place; lines of the log go above it, not into it."""
    logs = [one for one in logging.getLogger().handlers if isinstance(one, logging.StreamHandler)]
    before = [one.stream for one in logs]
    with Live(console=out, auto_refresh=False, transient=transient) as live:
        try:
            for one in logs:
                one.setStream(sys.stderr)  # which is the live display's now
            yield live
        finally:
            for one, stream in zip(logs, before, strict=True):
                one.setStream(stream)


async def _view(worn: Wearing, tally: Tally) -> Group:
    now, sensors, kept = now_us(), _sensors(worn, tally), await _kept(worn)
    step = status.next_step(sensors, kept, _advice(worn))
    lines = (status.safe(kept, now), status.calibrated(worn.calibration, now), f"[b]To do:[/b] {step}")
    return Group(status.table(sensors, now), *lines)


async def _log(worn: Wearing, tally: Tally) -> None:
    """Write a line whenever a sensor's state changes, and how things are every minute."""
    told: dict[str, str] = {}
    loop = asyncio.get_running_loop()
    due = loop.time() + _FIRST_S
    while True:
        for sensor in _sensors(worn, tally):
            said = sensor.status.state
            if told.get(sensor.status.sensor) != said:
                told[sensor.status.sensor] = said
                out.print(f"{spoken(sensor.status.segment)}: {status.state(sensor, now_us())}")
        if loop.time() >= due:
            due += _PLAIN_S
            await _summary(worn, tally)
        await asyncio.sleep(_REFRESH_S)


async def _summary(worn: Wearing, tally: Tally) -> None:
    now, sensors = now_us(), _sensors(worn, tally)
    rates = ", ".join(
        f"{spoken(s.status.segment)} {'-' if s.rate_hz is None else f'{s.rate_hz:.1f} Hz'}, missing "
        f"{status.missing(s)}"
        for s in sensors
    )
    out.print(f"{rates}. {status.safe(await _kept(worn), now)}", soft_wrap=True)
    out.print(status.calibrated(worn.calibration, now))


def _sensors(worn: Wearing, tally: Tally) -> list[status.Sensor]:
    found = []
    for said in worn.gateway.statuses():
        of = tally.of(said.sensor)
        rate = tally.rate_hz(said.sensor, now_us())
        found.append(status.Sensor(said, worn.gateway.links[said.sensor], rate, of.missing, of.spread))
    return found


async def _kept(worn: Wearing) -> status.Kept:
    waiting = await asyncio.to_thread(worn.spool.depth)
    oldest = await asyncio.to_thread(worn.spool.after, -1, 1) if waiting else ()
    first_us = decode_samples(oldest[0].payload).first_us if oldest else None
    return status.Kept(waiting, first_us, worn.bridge.counts.confirmed, worn.bridge.connected)


def _advice(worn: Wearing) -> str:
    return "" if worn.step is Step.DONE else f"{worn.remark} {worn.step.value}".strip()


async def calibrate(settings: Settings, transport: str, origin: str) -> int:
    """Guide the wearer through a calibration; exit code 1 if none was made in time."""
    async with _worn(settings, transport, origin, _DRAIN_S) as worn:
        out.print(f"Connecting {_sensors_of(settings)} …")
        await _all_sending(worn)
        worn.recalibrate()
        try:
            async with asyncio.timeout(PATIENCE_S):
                made = await _guided(worn, worn.calibration)
        except TimeoutError:
            err.print(f"No calibration was made in {PATIENCE_S / 60:.0f} minutes. {worn.remark}".strip())
            return FAILED
        _verdict(made)
        drained = await worn.drained(_DRAIN_S)
    out.print(
        "It is stored and used from now on. Next: `poise wear`."
        if drained
        else "It is used from now on. What was measured waits here until ingest is there: `poise wear`."
    )
    return OK


def _sensors_of(settings: Settings) -> str:
    return ", ".join(spoken(segment) for segment in settings.sensors.values())


async def _all_sending(worn: Wearing) -> None:
    """Wait for the sensors and say which are not there."""
    loop = asyncio.get_running_loop()
    due = loop.time() + 10
    while waiting := [s for s in worn.gateway.statuses() if s.state != "streaming"]:
        if loop.time() >= due:
            due += 10
            names = ", ".join(spoken(s.segment) for s in waiting)
            out.print(f"Still waiting for: {names}. Switch them on and move them.")
        await asyncio.sleep(0.1)


async def _guided(worn: Wearing, before: Calibration | None) -> Calibration:
    """Show each step with its countdown until a new calibration is in force."""
    loop = asyncio.get_running_loop()
    step, began, remark = worn.step, loop.time(), ""
    with _live(transient=True) if out.is_terminal else contextlib.nullcontext() as live:
        while worn.calibration is before or worn.calibration is None:
            if worn.step is not step:
                step, began = worn.step, loop.time()
            if worn.remark != remark:
                remark = worn.remark
            if live is not None:
                live.update(countdown(step, loop.time() - began, remark), refresh=True)
            await asyncio.sleep(0.1)
    return worn.calibration


def countdown(step: Step, elapsed_s: float, remark: str) -> Group:
    """Return what to do now and for how long.

    Stillness is waited for: when its seconds are over and it was not still enough, they begin anew. So is the
    bow, without an end.
    """
    lasts = _LASTS_S.get(step, 0.0)
    late = elapsed_s > lasts + 1
    lines = [f"[yellow]Once more: {remark}[/yellow]"] if remark else []
    if step is Step.BOW and late:
        return Group(*lines, f"[b]{step.value}[/b] No hurry: no bow was seen yet.")
    again = step is Step.SIT_TALL and late
    lines.append(f"[b]{step.value}[/b]" + (" You still move a little." if again else ""))
    return Group(*lines, _bar(step, elapsed_s % lasts if again else min(elapsed_s, lasts), lasts))


def _bar(step: Step, done_s: float, lasts_s: float) -> Table:
    most = "" if step in (Step.SIT_TALL, Step.SETTLE) else "at most "
    bar = Table.grid(padding=(0, 1))
    left = f"{most}{max(0.0, lasts_s - done_s):.0f} s"
    bar.add_row(ProgressBar(total=lasts_s or 1, completed=done_s, width=40), left)
    return bar


def _verdict(made: Calibration) -> None:
    words = {
        Verdict.GOOD: "[green]Calibrated: good.[/green]",
        Verdict.STATIC_ONLY: "[yellow]Calibrated, but of lower trust: the bow could not be used.[/yellow]",
    }
    out.print(words.get(made.verdict, "[red]This calibration should be repeated.[/red]"))
    for reason in made.reasons:
        out.print(f"  {reason}", soft_wrap=True)
    grid = Table("worn at", "sensor", "sideways in the bow", "leaned in the bow")
    for segment, alignment in made.alignments.items():
        beside, bow = np.degrees(alignment.residual_rad), np.degrees(alignment.bow_rad)
        grid.add_row(spoken(segment), alignment.sensor, f"{beside:.1f}°", f"{bow:.0f}°")
    out.print(grid)
