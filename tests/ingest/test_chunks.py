"""Pieces of ten minutes: the same bits in fewer bytes, whatever comes later, and however they are read."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from ingest_helpers import START_US, WEARER, Shelf

from ingest.database import chunks
from ingest.database.chunks import SETTLED_S
from ingest.database.fresh import LENGTH_S, RECORD
from ingest.database.rows import Rows
from poise.results import Results
from poise.samples import Floats
from poise.seconds import SecondBlock, SecondTable
from poise.topics import Wearer

START_S = START_US // 1_000_000 // LENGTH_S * LENGTH_S
FLOATS = st.floats(allow_nan=False, width=64)


def write(
    shelf: Shelf, t_s: np.ndarray, mean: Floats, run_us: int = START_US, *, who: Wearer = WEARER
) -> None:
    names = ("c7", "head")
    both = np.repeat(t_s, 2)
    block = SecondBlock(
        both, names, np.tile(np.arange(2), len(t_s)), np.repeat(mean, 2), np.repeat(mean, 2) - 0.1,
        np.repeat(mean, 2) + 0.1, np.full(len(both), 0.9), run_us, "k1",
    )  # fmt: skip
    with shelf.database.transaction() as c:
        shelf.results.write(c, who, "worn", Results(seconds=SecondTable([block])))


def settle(shelf: Shelf, now_s: int) -> None:
    shelf.now_us, after = now_s * 1_000_000, ""
    while after := shelf.intake.settle(after):
        pass


def counts(shelf: Shelf) -> tuple[object, object]:
    ((size,),) = shelf.rows("SELECT coalesce(sum(length(body)), 0) FROM fresh")
    return int(size) // RECORD.itemsize, shelf.rows("SELECT count(*) FROM pieces")[0][0]  # type: ignore[call-overload]


@settings(deadline=None)
@given(arrays(np.float64, st.tuples(st.just(4), st.integers(1, 40)), elements=FLOATS), st.data())
def test_what_is_packed_comes_back_bit_for_bit(values: Floats, data: st.DataObject) -> None:
    n = values.shape[1]
    t_s = np.array(sorted(data.draw(st.sets(st.integers(-(2**40), 2**40), min_size=n, max_size=n))), np.int64)
    judgement = np.array(data.draw(st.lists(st.integers(1, 2**40), min_size=n, max_size=n)), np.int64)
    again = chunks.unpack(chunks.pack(Rows(t_s, values, judgement)))
    assert (again.t_s == t_s).all()
    assert (again.judgement == judgement).all()
    assert again.values.tobytes() == values.tobytes()


@pytest.mark.parametrize("points", [0, 500, 7])
def test_old_seconds_read_the_same_from_pieces(tmp_path: Path, points: int) -> None:
    shelf, t_s = Shelf(tmp_path / "poise.db"), START_S + np.r_[0:700, 900:3000]
    write(shelf, t_s, np.random.default_rng(1).normal(size=len(t_s)))
    asked = (WEARER, ["c7", "head", "nowhere"], START_S + 30, START_S + 2990, points)
    before = shelf.results.series(*asked)
    settle(shelf, START_S + 3000)
    assert counts(shelf) == (2 * (3000 - 1800), 2 * 3)
    settle(shelf, START_S + 3000 + SETTLED_S)
    assert counts(shelf) == (0, 2 * 5)
    after = shelf.results.series(*asked)
    for name in asked[1]:
        for mine, theirs in zip(before[name].columns, after[name].columns, strict=True):
            assert mine.tobytes() == theirs.tobytes()
    assert len(after["nowhere"].t_s) == 0


def test_what_comes_later_replaces_and_is_put_to_its_piece(tmp_path: Path) -> None:
    shelf, t_s = Shelf(tmp_path / "poise.db"), START_S + np.arange(600)
    write(shelf, t_s, np.zeros(600))
    settle(shelf, START_S + 5000)
    write(shelf, t_s[100:200], np.ones(100), START_US + 5)
    for _ in range(2):
        series = shelf.results.series(WEARER, ["c7"], START_S, START_S + 600)["c7"]
        assert (series.t_s == t_s).all()
        assert (series.mean == np.r_[np.zeros(100), np.ones(100), np.zeros(400)]).all()
        settle(shelf, START_S + 5000)
    assert counts(shelf) == (0, 2)
    with shelf.database.transaction() as c:
        rows = chunks.read(c, 1, START_S, START_S + 600)
    assert [len(np.unique(rows.judgement[part])) for part in (slice(0, 100), slice(100, 200))] == [1, 1]
    assert rows.judgement[0] != rows.judgement[150]


def test_a_piece_is_much_smaller_than_its_rows() -> None:
    t_s = START_S + np.arange(600)
    mean = np.cumsum(np.random.default_rng(2).normal(size=600)) * 0.01
    values = np.array([mean, mean - 0.02, mean + 0.02, np.ones(600)])
    assert len(chunks.pack(Rows(t_s, values, np.ones(600, np.int64)))) < 600 * 26


def test_the_days_of_a_stream_are_found_in_rows_and_pieces(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "poise.db")
    day_s = START_S // 86_400 * 86_400
    write(shelf, day_s + np.r_[5:10, 86_400:86_410, 5 * 86_400 : 5 * 86_400 + 3], np.zeros(18))
    settle(shelf, day_s + 2 * 86_400)
    assert counts(shelf) == (6, 4)
    with shelf.database.transaction() as c:
        assert list(chunks.times(c, 1, 86_400)) == [day_s + k * 86_400 for k in (0, 1, 5)]


def test_wearers_are_settled_a_few_at_a_time(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path / "poise.db")
    for who in (WEARER, Wearer("berta")):
        write(shelf, START_S + np.arange(10), np.zeros(10), who=who)
    with shelf.database.transaction() as c:
        assert chunks.settle_some(c, "", 1, START_S + 9000) == "home/anna"
        assert chunks.settle_some(c, "home/anna", 1, START_S + 9000) == "home/berta"
        assert chunks.settle_some(c, "home/berta", 1, START_S + 9000) == ""
    assert counts(shelf) == (0, 4)
