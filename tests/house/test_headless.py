"""The demonstration without a screen: what it finds, what it accounts for, and its exit codes.

The runs were begun in the background with the first test of this folder; here they are awaited and read.
"""

import re

import pytest
from house_helpers import SLOW_S, Program

from device.wearer import Wearer
from poise.results import KIND_TEXT

NUMBER = re.compile(r"(\d+(?:\.\d+)?) s")


def found(program: Program) -> list[tuple[str, float, float]]:
    """Read kind, start and end of the episodes from the printed account."""
    rows = [[cell.strip() for cell in line.strip("│ ").split("│")] for line in program.out.splitlines()]
    return [
        (row[0], *(float(NUMBER.search(cell)[1]) for cell in row[1:3]))
        for row in rows
        if row[0] in KIND_TEXT.values()
    ]


def done(script: str, seconds: float) -> list[tuple[str, float, float]]:
    """Return what the wearer of that script really did for 10 s or longer."""
    truth = Wearer(script, seed=1).truth(seconds)
    return [(KIND_TEXT[stretch.kind], stretch.start_s, stretch.end_s) for stretch in truth.episodes()]


def is_same(ours: list[tuple[str, float, float]], theirs: list[tuple[str, float, float]]) -> None:
    assert [kind for kind, _, _ in ours] == [kind for kind, _, _ in theirs]
    for (_, start, end), (_, true_start, true_end) in zip(ours, theirs, strict=True):
        assert start == pytest.approx(true_start, abs=1.5)
        assert end == pytest.approx(true_end, abs=1.5)


@pytest.mark.timeout(240)
@pytest.mark.parametrize(("name", "seconds"), [("desk", 62), ("short", 90)])
def test_what_the_wearer_did_is_found_and_every_sample_accounted_for(
    headless: dict[str, Program], name: str, seconds: float
) -> None:
    run = headless[name]
    code = run.ended(seconds + 2 * SLOW_S)
    print(run.out, run.err)
    assert code == 0
    assert run.err == ""
    assert "simulated" in run.out.splitlines()[0]
    is_same(found(run), done(name, seconds))
    assert "forward head" in {kind for kind, _, _ in found(run)}
    assert "Every sample is accounted for, once." in run.out


def test_a_run_in_which_nothing_can_be_found_says_so_and_fails(headless: dict[str, Program]) -> None:
    run = headless["soon"]
    assert run.ended(2 * SLOW_S) == 1
    assert "No episode was found." in run.out
    assert "Every sample" not in run.out
    assert run.err == ""
