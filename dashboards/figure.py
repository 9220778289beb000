"""The figure: measured inclinations to a seated person in side view, as SVG.

A small skeleton of rigid bones (cm, x forward, y up, origin at the hip joint) carries the points of soft
outlines; each bone is turned by the sagittal inclination of the sensors near it, without exaggeration. The
browser moves the same skeleton by the same rule (`static/figure.js`); both read it from `rig()`. Proportions
are a drawing's, of about the average adult: nothing is measured from it.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, Final

from dashboards.palette import COLOUR, GHOST, INK, Tone

Angles = Mapping[str, float]
"""rad by segment, forward of the person's upright positive; unseen segments are absent."""
Point = tuple[float, float]
Weights = tuple[tuple[str, float], ...]

SCALE: Final = 4.0
VIEW: Final = (-96, -346, 316, 448)
"""x, y, width, height of the drawing in SVG units, `SCALE` to a centimetre."""


@dataclass(frozen=True, slots=True)
class Bone:
    """A rigid part of the drawing.

    Attributes:
        name: of the bone.
        parent: the bone it stands on, "" for the seat.
        pivot: where it turns, cm, in the upright drawing.
        drivers: weighted segments that say how far it is inclined; the first set that is seen whole counts,
            and without one the bone stays as its parent is.
    """

    name: str
    parent: str
    pivot: Point
    drivers: tuple[Weights, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """A point of an outline, cm, carried by one bone or shared between two."""

    x: float
    y: float
    bones: Weights


SCAPULA: Final = (-6.0, 29.0)
BONES: Final = (
    Bone("seat", "", (0.0, 0.0), ()),
    Bone("waist", "seat", (0.0, 2.0), ((("lumbar", 1.0),), (("t12", 0.5),), (("t4", 0.3),))),
    Bone("ribs", "waist", (-1.0, 22.0), ((("t12", 1.0),), (("lumbar", 0.5), ("t4", 0.5)), (("t4", 0.8),))),
    Bone("chest", "ribs", (-2.5, 34.0), ((("t4", 1.0),), (("t12", 1.0),))),
    Bone("neck", "chest", (-2.0, 51.0), ((("c7", 1.0),),)),
    Bone("head", "neck", (2.5, 63.0), ((("head", 1.0),),)),
    # A shoulder blade tips about its lower end, so that a rounded shoulder carries the arm forward.
    Bone("shoulder_left", "chest", SCAPULA, ((("scapula_left", 1.0),),)),
    Bone("shoulder_right", "chest", SCAPULA, ((("scapula_right", 1.0),),)),
)


def _on(name: str, *points: Point) -> tuple[Node, ...]:
    return tuple(Node(x, y, ((name, 1.0),)) for x, y in points)


def _between(first: str, second: str, share: float, *points: Point) -> tuple[Node, ...]:
    return tuple(Node(x, y, ((first, share), (second, 1.0 - share))) for x, y in points)


TORSO: Final = (
    *_on("seat", (-7.5, -10.0), (-13.0, -7.5), (-14.2, -1.0)),
    *_between("seat", "waist", 0.4, (-11.6, 7.0)),
    *_on("waist", (-9.2, 15.0)),
    *_between("waist", "ribs", 0.5, (-9.4, 22.0)),
    *_on("ribs", (-11.0, 29.0)),
    *_between("ribs", "chest", 0.4, (-12.3, 36.0)),
    *_on("chest", (-11.4, 43.5)),
    *_between("chest", "neck", 0.6, (-8.2, 50.0)),
    *_on("neck", (-5.6, 55.0)),
    *_between("neck", "head", 0.5, (-4.9, 60.5)),
    *_on("head", (-3.5, 66.0), (4.0, 66.0)),
    *_between("neck", "head", 0.5, (5.4, 60.0)),
    *_on("neck", (4.9, 55.0)),
    *_between("chest", "neck", 0.7, (6.2, 50.6)),
    *_on("chest", (9.0, 46.0), (10.9, 40.0)),
    *_between("ribs", "chest", 0.5, (11.0, 33.0)),
    *_on("ribs", (10.0, 25.0)),
    *_between("waist", "ribs", 0.6, (10.0, 17.0)),
    *_between("seat", "waist", 0.5, (10.8, 9.0)),
    *_on("seat", (11.5, 1.0), (6.0, -9.0)),
)
HEAD: Final = _on(
    "head",
    (-5.6, 63.6), (-7.7, 68.0), (-8.0, 73.0), (-5.6, 78.4), (-0.6, 81.6), (5.0, 81.6), (9.6, 78.8),
    (11.6, 74.8), (12.0, 72.0), (13.0, 70.2), (14.7, 67.9), (13.0, 66.9), (12.6, 65.9), (13.1, 64.9),
    (12.5, 63.9), (12.7, 62.7), (12.1, 61.4), (11.9, 59.6), (9.6, 58.4), (6.0, 59.6), (2.2, 60.2),
    (-2.4, 60.6),
)  # fmt: skip
LEG: Final = _on(
    "seat",
    (-6.0, -9.6), (6.0, -10.2), (20.0, -9.4), (34.0, -9.0), (37.6, -13.0), (37.8, -26.0), (47.2, -26.0),
    (48.8, -12.0), (48.6, -3.0), (44.6, 1.0), (36.0, 2.4), (24.0, 4.0), (12.0, 5.0), (0.0, 3.0),
)  # fmt: skip


def _arm(shoulder: str, shift: float) -> tuple[Node, ...]:
    return (
        *_on(shoulder, (shift, 46.0), (shift - 0.6, 38.0)),
        *_between(shoulder, "seat", 0.55, (shift + 0.4, 28.0), (shift + 2.2, 19.5)),
        *_between(shoulder, "seat", 0.15, (shift + 9.5, 12.6)),
        *_on("seat", (shift + 19.0, 9.4), (shift + 26.0, 6.6)),
    )


ARM: Final = _arm("shoulder_right", 0.0)
FAR_ARM: Final = _arm("shoulder_left", 3.0)
"""The figure looks to the right, so the person's right arm is the near one."""
DOTS: Final = {
    "head": _on("head", (-6.8, 72.5))[0],
    "c7": _on("neck", (-6.6, 53.4))[0],
    "t4": _on("chest", (-11.6, 42.0))[0],
    "t12": _on("ribs", (-9.9, 25.0))[0],
    "lumbar": _on("waist", (-9.6, 12.0))[0],
    "scapula_left": _on("shoulder_left", (-9.0, 37.4))[0],
    "scapula_right": _on("shoulder_right", (-8.2, 36.0))[0],
}
PARTS: Final[Mapping[str, tuple[tuple[Node, ...], bool]]] = {
    "far_arm": (FAR_ARM, False),
    "leg": (LEG, True),
    "torso": (TORSO, True),
    "head": (HEAD, True),
    "arm": (ARM, False),
}
_LINE: Final = ' fill="none" stroke-linecap="round" stroke-linejoin="round"'
LOOKS: Final = (
    ("far_arm", f'{_LINE} stroke="currentColor" stroke-opacity=".6" stroke-width="32"'),
    ("leg", ""),
    ("torso", ""),
    ("head", ""),
    ("arm", f'{_LINE} stroke="currentColor" stroke-width="36"'),
    ("arm", f'{_LINE} stroke="#fff" stroke-opacity=".42" stroke-width="28"'),
)
"""Parts in the order in which they are painted; the arm lies light on a seam of the body's own colour."""


def rig() -> dict[str, Any]:
    """Return the skeleton as plain JSON for the browser, which moves it by the same rule."""

    def plain(nodes: Sequence[Node]) -> list[list[Any]]:
        return [[n.x, n.y, [list(b) for b in n.bones]] for n in nodes]

    return {
        "scale": SCALE,
        "bones": [
            [b.name, b.parent, list(b.pivot), [[list(d) for d in ds] for ds in b.drivers]] for b in BONES
        ],
        "parts": {name: [plain(nodes), closed] for name, (nodes, closed) in PARTS.items()},
        "dots": {name: plain([node])[0] for name, node in DOTS.items()},
    }


def paths(angles: Angles) -> dict[str, str]:
    """Return the `d` attribute of each part of the body for these inclinations."""
    place = _pose(angles)
    return {name: _smooth([place(n) for n in nodes], closed) for name, (nodes, closed) in PARTS.items()}


def dots(angles: Angles) -> dict[str, Point]:
    """Return where each sensor sits, in SVG units."""
    place = _pose(angles)
    return {name: place(node) for name, node in DOTS.items()}


def svg(
    angles: Angles,
    tone: Tone,
    *,
    worn: Sequence[str] = (),
    text: str = "",
    label: str = "",
    css_class: str = "figure",
) -> str:
    """Return the figure over the ghost of the person's own upright.

    Args:
        angles: rad by segment.
        tone: what its colour says.
        worn: segments that carry a sensor; those without an angle are drawn hollow.
        text: the text alternative; empty for a figure that only repeats words beside it.
        label: id prefix, so that several figures can stand on one page.
        css_class: class of the SVG.
    """
    role = f'role="img" aria-label="{escape(text)}"' if text else 'aria-hidden="true"'
    x, y, w, h = VIEW
    fade = f"{label or 'fig'}-fade"
    shapes = paths(angles)
    body = "".join(f'<path data-part="{name}" d="{shapes[name]}"{look}/>' for name, look in LOOKS)
    return (
        f'<svg class="{css_class}" viewBox="{x} {y} {w} {h}" {role} data-tone="{tone}"'
        f' style="color:{COLOUR[tone]}">'
        f'<defs><linearGradient id="{fade}" gradientUnits="userSpaceOnUse" x1="0" y1="36" x2="0" y2="102">'
        '<stop offset="0" stop-color="#fff"/><stop offset="1" stop-color="#000"/></linearGradient>'
        f'<mask id="{fade}-mask" maskUnits="userSpaceOnUse" x="{x}" y="{y}" width="{w}" height="{h}">'
        f'<rect x="{x}" y="{y}" width="{w}" height="{h}" fill="url(#{fade})"/></mask></defs>'
        f'<g mask="url(#{fade}-mask)"><g class="ghost" fill="{GHOST}">{_ghost()}</g>'
        f'<g class="body" fill="currentColor">{body}</g></g>'
        f'<g class="dots">{_dots(angles, worn)}</g></svg>'
    )


def _ghost() -> str:
    return "".join(f'<path d="{d}"/>' for name, d in paths({}).items() if name in ("torso", "head"))


def _dots(angles: Angles, worn: Sequence[str]) -> str:
    places = dots(angles)
    marks = []
    for name in worn:
        if name in places:
            x, y = places[name]
            fill = INK if name in angles else "#fff"
            marks.append(
                f'<circle data-sensor="{name}" cx="{x:.1f}" cy="{y:.1f}" r="6.5" fill="{fill}"'
                f' stroke="{"#fff" if name in angles else INK}" stroke-width="2.5"/>'
            )
    return "".join(marks)


def _pose(angles: Angles) -> Callable[[Node], Point]:
    turned: dict[str, float] = {}
    seats: dict[str, Point] = {}
    pivots = {bone.name: bone.pivot for bone in BONES}

    def move(bone: str, p: Point) -> Point:
        (px, py), (sx, sy) = pivots[bone], seats[bone]
        s, c = math.sin(turned[bone]), math.cos(turned[bone])
        dx, dy = p[0] - px, p[1] - py
        return sx + dx * c + dy * s, sy - dx * s + dy * c

    for bone in BONES:
        turned[bone.name] = _inclination(bone, angles, turned.get(bone.parent, 0.0))
        seats[bone.name] = move(bone.parent, bone.pivot) if bone.parent else bone.pivot

    def place(node: Node) -> Point:
        moved = [(weight, move(bone, (node.x, node.y))) for bone, weight in node.bones]
        return (
            SCALE * sum(weight * p[0] for weight, p in moved),
            -SCALE * sum(weight * p[1] for weight, p in moved),
        )

    return place


def _inclination(bone: Bone, angles: Angles, parent: float) -> float:
    for driver in bone.drivers:
        if all(segment in angles for segment, _ in driver):
            return sum(weight * angles[segment] for segment, weight in driver)
    return parent


def _smooth(points: Sequence[Point], closed: bool) -> str:  # noqa: FBT001 - both kinds are drawn alike
    """Return a Catmull-Rom curve through the points as cubic Béziers."""
    n = len(points)

    def at(i: int) -> Point:
        return points[i % n] if closed else points[min(max(i, 0), n - 1)]

    out = [f"M{points[0][0]:.1f} {points[0][1]:.1f}"]
    for i in range(n if closed else n - 1):
        (ax, ay), (bx, by), (cx, cy), (dx, dy) = at(i - 1), at(i), at(i + 1), at(i + 2)
        out.append(
            f"C{bx + (cx - ax) / 6:.1f} {by + (cy - ay) / 6:.1f} "
            f"{cx - (dx - bx) / 6:.1f} {cy - (dy - by) / 6:.1f} {cx:.1f} {cy:.1f}"
        )
    return "".join(out) + ("Z" if closed else "")
