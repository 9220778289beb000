"""The list of people: a row a person, a reason in words, sorted by need."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final

from nicegui import ui

from dashboards import words
from dashboards.elements import attribute, put, tag
from dashboards.status import CHIP, Reason, newest_us, patience_s, reason
from dashboards.today import Today, read_seen, read_today, span_s
from ingest.reading import Reader
from poise.errors import StoreError
from poise.topics import Wearer

REFRESH_S: Final = 2.0
_FULL_EVERY: Final = 15
"""Coverage, which reads a whole day, is read in every so many refreshes."""


@dataclass(frozen=True, slots=True)
class Row:
    """One person as the list shows them."""

    today: Today
    why: Reason
    span_s: float


@dataclass(frozen=True, slots=True)
class _Cells:
    reason: ui.element
    chip: ui.element
    about: ui.element
    exposure: ui.element
    fresh: ui.element


def read_rows(reader: Reader, now_us: int, spans: dict[Wearer, float], *, full: bool) -> list[Row]:
    """Return everybody, most in need first.

    Args:
        reader: the store.
        now_us: UTC µs.
        spans: seconds from the first to the last moment seen today, kept between calls and changed here.
        full: read `spans` again.

    Raises:
        StoreError: if the store cannot be read.
    """
    rows = []
    for person in reader.people():
        today = read_today(reader, person.wearer, now_us)
        if today is not None:
            if full or person.wearer not in spans:
                spans[person.wearer] = span_s(read_seen(reader, today))
            rows.append(Row(today, reason(today), spans[person.wearer]))
    return sorted(rows, key=lambda row: (row.why.need, row.today.person.wearer.patient))


async def show_people(reader: Reader, now: Callable[[], int]) -> None:
    """Build the page and keep it fresh."""
    page = _People(reader, now)
    page.build()
    await page.refresh()
    ui.timer(REFRESH_S, page.refresh, immediate=False)


class _People:
    def __init__(self, reader: Reader, now: Callable[[], int]) -> None:
        self._reader, self._now = reader, now
        self._spans: dict[Wearer, float] = {}
        self._cells: dict[Wearer, _Cells] = {}
        self._turn = 0

    def build(self) -> None:
        with tag("header", "top"):
            tag("h1", text="People")
            self._summary = tag("p", "mute", text="Reading …")
        self._trouble = tag("p", "trouble", role="alert")
        with tag("table", "people card", role="table"):
            tag("caption", "hidden", text="People, most in need of a look first")
            with tag("thead"), tag("tr"):
                for text in ("person", "reason", "today", "newest data"):
                    tag("th", text=text, scope="col")
            self._body = tag("tbody")
        tag(
            "p",
            "mute small",
            text="Sorted by need when the page is opened. Each name opens the data behind it.",
        )

    async def refresh(self) -> None:
        full = self._turn % _FULL_EVERY == 0
        self._turn += 1
        try:
            rows = await asyncio.to_thread(read_rows, self._reader, self._now(), self._spans, full=full)
        except StoreError as exc:
            put(self._trouble, text=f"The store cannot be read just now: {exc} The page keeps trying.")
            return
        put(self._trouble)
        put(self._summary, text=_summary(rows))
        for row in rows:
            self._show(row)

    def _show(self, row: Row) -> None:
        today, wearer = row.today, row.today.person.wearer
        if wearer not in self._cells:
            with self._body:
                self._cells[wearer] = _new_row(today)
        cells = self._cells[wearer]
        put(cells.chip, text=CHIP[row.why.need])
        attribute(cells.chip, "data-need", row.why.need.name.lower())
        put(cells.reason, text=row.why.text)
        put(cells.about, html=_about(today))
        put(cells.exposure, text=words.exposure(today.exposure, row.span_s))
        put(cells.fresh, text=words.freshness(newest_us(today), today.now_us, today.zone, patience_s(today)))


def _new_row(today: Today) -> _Cells:
    wearer = today.person.wearer
    with tag("tr", role="row"):
        with tag("th", scope="row", role="rowheader"):
            tag("a", text=wearer.patient, href=f"/person/{wearer.site}/{wearer.patient}")
            about = tag("div", "mute small")
        with tag("td", role="cell"):
            chip, why = tag("span", "chip"), tag("span", "why")
        return _Cells(why, chip, about, tag("td", role="cell"), tag("td", "mute", role="cell"))


def _about(today: Today) -> str:
    label = words.origin_label(today.person.origin)
    chip = f' <span class="chip sim">{escape(label)}</span>' if label else ""
    return escape(words.after_injection(today.person.injections, today.day)) + chip


def _summary(rows: Sequence[Row]) -> str:
    if not rows:
        return "Nobody has sent any data yet. As soon as a gateway sends some, its wearer appears here."
    look = sum(row.why.need <= 1 for row in rows)
    people = "1 person" if len(rows) == 1 else f"{len(rows)} people"
    return f"{people} · {look} with a reason to look"
