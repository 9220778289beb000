"""Exposure of one stretch of frames computed the slow and obvious way, to hold the product against.

Written from the definitions in docs/methods.md, frame by frame, with dictionaries and loops, on exact angles
except for rounding to a hundredth of a degree.
"""

import math
from collections import Counter, defaultdict

import numpy as np

JUDGED = ("sitting", "standing", "upright", "unknown")
AWAY = ("standing", "walking", "lying")
EVA_EDGES = (10, 30, 70, 150, 310, 600, 3000)
LEVELS = (-5, 10, 20, 45, 60)


def judged(frames, angles, doing):
    """Return by stream {frame: degrees} of what was seen and judged."""
    return {
        name: {
            int(f): round(math.degrees(v), 2)
            for f, v, d in zip(frames, values, doing, strict=True)
            if math.isfinite(v) and abs(math.degrees(v)) <= 180 and d in JUDGED
        }
        for name, values in angles.items()
    }


def quarter(frame):
    return frame // 9000


def percentile(values, share):
    """Return the nearest-rank percentile."""
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered) - 1e-9), 1) - 1]


def speeds(seen):
    """Return by frame degrees a second since the frame before."""
    return {f: round(abs(v - seen[f - 1]) * 10, 1) for f, v in seen.items() if f - 1 in seen}


def eva(seen):
    """Return by quarter {(level, duration): frames}."""
    stretches, last = [], None
    for f, v in sorted(seen.items()):
        level = sum(v >= edge for edge in LEVELS)
        if last is None or level != last[1] or f - last[0] > 10:
            stretches.append((level, []))
        stretches[-1][1].append(f)
        last = (f, level)
    found = defaultdict(Counter)
    for level, members in stretches:
        duration = sum(len(members) >= edge for edge in EVA_EDGES)
        for f in members:
            found[quarter(f)][level, duration] += 1
    return found


def second_means(seen):
    """Return {second: hundredths of a degree}, rounded down, of seconds half seen."""
    gathered = defaultdict(list)
    for f, v in seen.items():
        gathered[f // 10].append(round(v * 100))
    return {s: sum(v) // len(v) for s, v in gathered.items() if len(v) >= 5}


def static(means):
    """Return the static seconds, and by second the length so far of the stretch it ends a minute in."""
    still = [
        s
        for s in means
        if all(s - i in means for i in range(60))
        and max(means[s - i] for i in range(60)) - min(means[s - i] for i in range(60)) <= 1000
    ]
    covered = sorted({s - i for s in still for i in range(60)})
    length, begun, before = {}, None, None
    still = set(still)
    for s in covered:
        begun = s if before is None or s != before + 1 else begun
        before = s
        if s in still:
            length[s] = s - begun + 1
    return covered, length


def shifts(trunk, side):
    """Return the seconds at which the trunk had settled elsewhere."""
    found, origin, last = [], None, None
    for s in sorted(trunk):
        window = [s - i for i in range(5)]
        if not all(w in trunk for w in window):
            continue
        planes = [[trunk[w] for w in window], [side.get(w, 0) for w in window]]
        if any(max(p) - min(p) > 500 for p in planes):
            continue
        here = [min(p) for p in planes]
        if origin is None or s - last > 60:
            origin = here
        elif max(abs(a - b) for a, b in zip(here, origin, strict=True)) >= 1000:
            found.append(s)
            origin = here
        last = s
    return found


def breaks(frames, doing):
    """Return the seconds at which half a minute out of the seat was full."""
    counted = Counter(int(f) // 10 for f, d in zip(frames, doing, strict=True) if d in AWAY)
    away = sorted(s for s, n in counted.items() if n >= 5)
    found, start, last, done = [], None, None, False
    for s in away:
        if last is None or s - last > 11:
            start, done = s, False
        last = s
        if not done and s - start + 1 >= 30:
            found.append(s)
            done = True
    return found


def rula_neck(at):
    """Return the score of one moment; `at` has what was seen of it."""
    lower = at.get("neck", at.get("c7"))
    upper = at.get("head_relative", at.get("head"))
    if lower is None and upper is None:
        return None
    flexion = max(v for v in (lower, upper) if v is not None)
    extended = upper if upper is not None else lower
    score = 3 if flexion >= 20 else 2 if flexion >= 10 else 4 if extended < -5 else 1
    return score + (abs(at.get("head_side", 0)) >= 15)


def rula_trunk(at):
    """Return the score of one moment."""
    if "trunk" not in at:
        return None
    lean = at["trunk"]
    return 1 + sum(lean >= edge for edge in (5, 20, 60)) + (abs(at.get("side_bend", 0)) >= 15)


def by_moment(seen):
    """Return {frame: {stream: degrees}}."""
    moments = defaultdict(dict)
    for name, values in seen.items():
        for f, v in values.items():
            moments[f][name] = v
    return moments


def dose(seen):
    """Return degree-minutes above and below upright."""
    values = np.array(list(seen.values()) or [0.0])
    return values[values > 0].sum() / 600, -values[values < 0].sum() / 600
