"""Half of real people's recordings before a move and half after it: the same bits as without one."""

from pathlib import Path

import pytest
import sitting_recordings as sitting
from ingest_helpers import received, samples
from spread_folders import Told, concluded, feed

from ingest.spreading.spread import spread
from poise import notices
from poise.notices import CalibrationNotice
from poise.topics import Leaf, Wearer

pytestmark = pytest.mark.recordings
PEOPLE = (2, 3, 8)
MESSAGES = 240
"""Some four minutes each, of several runs; the break is in the midst of one."""


def halves() -> tuple[Told, Told]:
    """What their gateways send before the move and after it."""
    first, rest = Told(), Told()
    for person in PEOPLE:
        session, wearer = sitting.load(person), Wearer(f"sitting-{person:02d}")
        known = notices.encode(CalibrationNotice(calibration=sitting.own_calibration(session)))
        sent = samples(session.messages[:MESSAGES], wearer)
        first[wearer] = [received(wearer.topic(Leaf.CALIBRATION), known), *sent[: MESSAGES // 2]]
        rest[wearer] = sent[MESSAGES // 2 :]
    return first, rest


@pytest.mark.parametrize(("there", "to"), [(1, 3), (3, 1)])
def test_the_break_does_not_show(tmp_path: Path, there: int, to: int) -> None:
    sitting.require()
    moved, still = tmp_path / "moved", tmp_path / "still"
    first, rest = halves()
    for folder in (moved, still):
        feed(folder, there, first)
    assert spread(moved, to, "aside", lambda *_: None) is not None
    feed(moved, to, rest)
    feed(still, there, rest)
    found = concluded(still, there, list(first))
    assert all(any("seconds" in name for name in of) for of in found.values())
    assert any(of["episodes"] for of in found.values())
    assert concluded(moved, to, list(first)) == found
