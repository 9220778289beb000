"""The panels of a person's page; each is built once and then only changed where something changed."""

import asyncio
from collections.abc import Callable, Sequence
from html import escape
from typing import Final

from analytics.posture.rules import DEFAULT_PLAN, Worn, unseen
from dashboards import charts, figure, words
from dashboards.elements import LiveFigure, attribute, card, data_table, put, tag
from dashboards.live import LivePosture
from dashboards.palette import SUSTAINED_S, Tone
from dashboards.status import sensor_lines
from dashboards.today import ENOUGH_S, Today, halves, newest_injection, read_still, span_s
from ingest.reading import Day, Reader
from poise.notices import Live
from poise.results import KIND_TEXT, Episode
from poise.skeleton import spoken
from poise.topics import Wearer

CURVES: Final = (
    ("neck", "Neck, C7 beyond the upper back", DEFAULT_PLAN.forward_head_deg),
    ("thorax", "Upper back", DEFAULT_PLAN.slouch_deg),
    ("shoulder_left", "Left shoulder", DEFAULT_PLAN.rounded_deg),
    ("shoulder_right", "Right shoulder", DEFAULT_PLAN.rounded_deg),
)
EPISODES_SHOWN: Final = 12


class AdvicePanel:
    """What the wearer should know and do now; nothing is shown where there is nothing to say."""

    def __init__(self) -> None:
        # The region itself is always there, so that a screen reader tells what comes into it.
        self._region = tag("div", role="status", aria_label="What to do")

    def show(self, posture: LivePosture, now_us: int) -> None:
        """Show the advice that holds now."""
        items = "".join(f"<li>{escape(sentence)}</li>" for sentence in posture.advice_at(now_us))
        put(self._region, html=f'<ul class="advice">{items}</ul>' if items else "")


class LivePanel:
    """The live figure with its sentence."""

    def __init__(self, today: Today, posture: LivePosture, on_zone: Callable[[str], None]) -> None:
        with card("Posture now", "now"), tag("div", "now-grid"):
            self._figure = LiveFigure(self._worn(today, posture), on_zone)
            with tag("div", "now-words"):
                self._title = tag("p", "title")
                self._sentence = tag("p", "mute sentence")
                self._doing = tag("p", "mute doing")
                self._sensors = tag("p", "mute small")
        self._spoken = tag("p", "hidden", role="status")

    def play(self, live: Live) -> None:
        """Hand new frames to the figure."""
        self._figure.play(live)

    def show(self, today: Today, posture: LivePosture, now_us: int) -> None:
        """Say the posture now."""
        now = posture.now(now_us, today.open_since)
        self._figure.wear(self._worn(today, posture), posture.angles)
        self._figure.say(now.tone, now.alternative)
        put(self._title, text=now.title)
        put(self._sentence, text=now.sentence)
        put(self._doing, text=now.doing)
        put(self._spoken, text=now.alternative)
        put(self._sensors, text=self._drawn_from(posture))

    @staticmethod
    def _worn(today: Today, posture: LivePosture) -> list[str]:
        worn = {status.segment for status in today.sensors} | set(posture.seen_us)
        return [name for name in figure.DOTS if name in worn]

    @staticmethod
    def _drawn_from(posture: LivePosture) -> str:
        drawn = [spoken(name) for name in figure.DOTS if name in posture.angles]
        if not drawn or not posture.calibration:
            return "Grey shape: the person's own upright."
        return f"Drawn from {words.several(drawn)}. Grey shape: your own upright."


class TracesPanel:
    """The last two minutes."""

    def __init__(self) -> None:
        with card("Last two minutes", "traces"):
            self._plot = tag("div")
            tag(
                "p",
                "mute small",
                text="Degrees from your upright. Shaded: where the posture begins to count.",
            )
            self._table = data_table("The last two minutes as a table")

    def show(self, posture: LivePosture, now_us: int) -> None:
        """Draw the curves that can be had from what is worn."""
        curves = [charts.Trace(text, limit, *posture.traces(name)) for name, text, limit in CURVES]
        seen = [curve for curve in curves if curve.t_us]
        if not seen:
            put(
                self._plot,
                html='<p class="empty">No live data yet. It appears here as soon as sensors send.</p>',
            )
            return
        put(self._plot, html=charts.traces(seen, now_us))
        put(self._table, html=charts.trace_table(seen, now_us))


class TodayPanel:
    """Today's sums and timeline."""

    def __init__(self) -> None:
        self.seen: Sequence[tuple[int, int]] = ()
        with card("Today so far", "today"):
            self._numbers = tag("div", "numbers")
            self._timeline = tag("div")
            tag("p", "mute small legend", html=_legend())

    def show(self, today: Today) -> None:
        """Show the day."""
        span = span_s(self.seen)
        put(self._numbers, html=_numbers(today, span))
        put(self._timeline, html=charts.timeline(self.seen, today.episodes, today.zone))


class EpisodesPanel:
    """Today's episodes, newest first, each with its mean posture as a small still figure."""

    def __init__(self, reader: Reader, wearer: Wearer) -> None:
        self._reader, self._wearer = reader, wearer
        self._stills: dict[tuple[str, int | None], figure.Angles] = {}
        with card("Episodes today", "episodes"):
            self._list = tag("ul", "episode-list")
            self._note = tag("p", "mute small")

    async def show(self, today: Today) -> None:
        """Show the newest episodes.

        Raises:
            StoreError: if the store cannot be read.
        """
        shown = today.episodes[:EPISODES_SHOWN]
        for episode in shown:
            key = (episode.id, episode.end_us)
            if not self._stills.get(key):
                self._stills[key] = await asyncio.to_thread(read_still, self._reader, self._wearer, episode)
        put(self._list, html="".join(self._item(episode, today) for episode in shown))
        attribute(self._list, "data-count", str(len(today.episodes)))
        put(self._note, text=_episodes_note(len(today.episodes)))

    def _item(self, episode: Episode, today: Today) -> str:
        angles = self._stills[(episode.id, episode.end_us)]
        tone = Tone.SUSTAINED if episode.duration_s >= SUSTAINED_S else Tone.DRIFTING
        still = figure.svg(
            angles, tone if angles else Tone.UNKNOWN, label=f"e{episode.start_us}{episode.kind}"
        )
        going = ' class="going"' if episode.end_us is None else ""
        remarks = f" · {escape(', '.join(episode.remarks))}" if episode.remarks else ""
        return (
            f'<li{going}><span class="still">{still}</span>'
            f'<span class="when">{words.clock(episode.start_us, today.zone)}</span>'
            f'<span class="kind">{KIND_TEXT[episode.kind]}<small>{remarks}</small></span>'
            f'<span class="peak">peak {words.degrees(episode.peak_rad)}</span>'
            f'<span class="long">{words.lasted(episode)}</span></li>'
        )


class SensorsPanel:
    """Every sensor: does it send, since when not, its battery."""

    def __init__(self) -> None:
        with card("Sensors", "sensors"):
            self._list = tag("ul", "sensor-list")
            self._gateway = tag("p", "mute small")
            self._unseen = tag("p", "mute small")

    def show(self, today: Today, posture: LivePosture, now_us: int) -> None:
        """Show each sensor as of now."""
        lines = sensor_lines(today, posture.seen_us, now_us)
        items = [
            f'<li data-silent="{str(line.silent).lower()}"><b>{escape(words.name(line.segment))}:</b> '
            f'<span>{escape(line.text)}</span><small class="mute">{escape(line.battery)}</small></li>'
            for line in lines
        ]
        put(self._list, html="".join(items) or '<li class="mute">No sensor has been heard of yet.</li>')
        put(self._gateway, text=_gateway(today, now_us))
        worn = {line.segment: i for i, line in enumerate(lines)}
        put(self._unseen, text=" ".join(unseen(Worn(worn, {}))) if worn else "")


class DaysPanel:
    """Exposure a day before and after the injection."""

    def __init__(self) -> None:
        with card("Before and after the injection", "history"):
            self._words = tag("p", "halves")
            self._bars = tag("div")
            little = words.duration(ENOUGH_S)
            text = f"Hours forward of upright a day. Hatched: less than {little} seen, not in the means."
            tag("p", "mute small", text=text)
            self._table = data_table("The days as a table")

    def show(self, days: Sequence[Day], today: Today) -> None:
        """Show the days."""
        injection = newest_injection(today.person, today.day)
        put(self._words, html=_halves(days, today))
        put(self._bars, html=charts.day_bars(days, injection, today.day))
        put(self._table, html=charts.day_table(days, injection))


def _legend() -> str:
    texts = {
        Tone.UPRIGHT: "near your upright",
        Tone.DRIFTING: f"away from it, under {words.duration(SUSTAINED_S)}",
        Tone.SUSTAINED: "longer",
    }
    keys = "".join(f'<span><i class="key {tone}"></i>{text}</span>' for tone, text in texts.items())
    return f"{keys}<span><i class='key none'></i>not worn or not seen</span>"


def _numbers(today: Today, span: float) -> str:
    day = today.exposure
    if day is None or day.seen_s <= 0:
        return '<p class="empty">No posture has been judged yet today.</p>'
    number, unit = words.amount(words.forward_s(day))
    seen = words.share(day.seen_s, max(span, day.seen_s)).split()[0]
    done = [e for e in today.episodes if e.duration_s >= SUSTAINED_S]
    return (
        f"<p><b>{number}</b> {unit}<small>forward of your upright</small></p>"
        f"<p><b>{seen}</b> %<small>of {words.duration(max(span, day.seen_s))} seen</small></p>"
        f"<p><b>{len(done)}</b><small>episodes of a minute or longer</small></p>"
    )


def _episodes_note(n: int) -> str:
    if n == 0:
        return "No posture has been held for ten seconds or longer today."
    shown = f"The newest {EPISODES_SHOWN} of {n}. " if n > EPISODES_SHOWN else ""
    return f"{shown}Each figure is the mean posture of its episode; the peak is the largest angle in it."


def _gateway(today: Today, now_us: int) -> str:
    missing: dict[str, float] = {}
    for gap in today.gaps:
        missing[gap.segment] = missing.get(gap.segment, 0.0) + (gap.to_us - gap.from_us) / 1e6
    lost = ", ".join(f"{spoken(s)} {words.duration(t)}" for s, t in sorted(missing.items()) if t >= 1)
    text = f"Reported missing today: {lost}. " if lost else ""
    if today.presence is None:
        return text
    since = words.moment(today.presence.since_us, today.zone, now_us)
    state = {
        "online": f"Gateway there since {since}.",
        "offline": "The gateway said goodbye; the recording has ended.",
        "lost": "The gateway is lost: check that its program runs and that it is in reach.",
        "revoked": "The gateway is no longer admitted at the broker.",
    }
    return text + state.get(today.presence.state, f"Gateway: {today.presence.state}.")


def _halves(days: Sequence[Day], today: Today) -> str:
    found = halves(days, newest_injection(today.person, today.day), today.day)
    texts = []
    for name, half in found.items():
        if half.days == 0:
            texts.append(f"<span><b>none</b><small>{name}: no day with enough seen</small></span>")
            continue
        number, unit = words.amount(half.forward_s)
        n = "1 day" if half.days == 1 else f"{half.days} days"
        texts.append(
            f"<span><b>{number}</b> {unit} a day<small>{name} · mean of {n}, "
            f"{words.duration(half.seen_s)} seen a day</small></span>"
        )
    return "".join(texts)
