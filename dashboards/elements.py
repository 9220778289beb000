"""The building blocks of the pages on NiceGUI: native elements only, so that no page needs `eval`."""

import math
from collections.abc import Callable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any, Final

from nicegui import ui

from dashboards import figure
from dashboards.live import well_shaped
from dashboards.palette import COLOUR, Tone
from poise.notices import Live

STATIC: Final = Path(__file__).parent / "static"


def tag(name: str, css: str = "", *, text: str = "", html: str = "", **props: str) -> ui.element:
    """Add an HTML element.

    Args:
        name: "div", "section", …
        css: classes.
        text: plain text, escaped here.
        html: markup of our own making.
        props: attributes; underscores stand for dashes.
    """
    element = ui.element(name)
    if css:
        element.classes(css)
    for key, value in props.items():
        element.props[key.rstrip("_").replace("_", "-")] = value
    if text or html:
        element.props["innerHTML"] = html or escape(text)
    return element


def put(element: ui.element, *, text: str = "", html: str = "") -> None:
    """Change what an element holds; nothing is sent if it is the same."""
    content = html or escape(text)
    if element.props.get("innerHTML") != content:
        element.props["innerHTML"] = content


def attribute(element: ui.element, name: str, value: str) -> None:
    """Change an attribute; nothing is sent if it is the same."""
    if element.props.get(name) != value:
        element.props[name] = value


def card(title: str, css: str = "") -> ui.element:
    """Add a section with its heading; use it as a context."""
    section = tag("section", f"card {css}")
    with section:
        heading = tag("h2", text=title)
        heading.props["id"] = f"h-{heading.id}"
        section.props["aria-labelledby"] = f"h-{heading.id}"
    return section


def data_table(summary: str, html: str = "") -> ui.element:
    """Add a table behind a chart, folded away; returns the element to `put` it into."""
    with tag("details", "behind"):
        tag("summary", text=summary)
        return tag("div", "scroll", html=html, tabindex="0", role="region", aria_label=summary)


class LiveFigure(ui.element, component="static/figure.js"):
    """The figure that plays posture frames back in the browser."""

    def __init__(self, worn: Sequence[str], on_zone: Callable[[str], None]) -> None:
        """Draw the ghost; `on_zone` is told the viewer's IANA time zone."""
        super().__init__()
        self._worn: tuple[str, ...] = ()
        self.props["rig"] = figure.rig()
        self.wear(worn, {})
        self.say(Tone.UNKNOWN, "No posture to show yet.")
        self.on("zone", lambda event: on_zone(str(event.args)))

    def wear(self, worn: Sequence[str], angles: Mapping[str, float]) -> None:
        """Show the dots of these segments, in the posture known."""
        if tuple(worn) != self._worn or "markup" not in self.props:
            self._worn = tuple(worn)
            self.props["markup"] = figure.svg(angles, Tone.UNKNOWN, worn=worn, text="…", label="live")

    def say(self, tone: Tone, alternative: str) -> None:
        """Set the colour and the text alternative."""
        state = {"tone": str(tone), "colour": COLOUR[tone], "alternative": alternative}
        if any(self.props.get(key) != value for key, value in state.items()):
            self.props.update(state)

    def play(self, live: Live) -> None:
        """Send a notice's frames to the browser, which plays them at its own pace."""
        if not well_shaped(live):
            return
        batch: dict[str, Any] = {
            "t_ms": [t_us / 1000 for t_us in live.t_us],
            "segments": list(live.segments),
            "sagittal": [
                [None if v is None or not math.isfinite(v) else round(v, 5) for v in frame]
                for frame in zip(*live.sagittal, strict=True)
            ],
        }
        self.props["batch"] = batch
