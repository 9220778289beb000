"""What is not judged though it can be read: other content, a second gateway, clocks that cannot be."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
from ingest_helpers import (
    START_US,
    WEARER,
    Shelf,
    calibrated,
    conclusions,
    day,
    message,
    received,
    samples,
    take_all,
)

from ingest.database.journal import Lane
from ingest.judging.guards import AT_WORK_US, TWO_GATEWAYS
from ingest.judging.intake import LATE_IDLE_US
from poise.samples import SampleMessage
from poise.topics import Leaf
from poise.wire import encode_samples


@pytest.fixture
def shelf(tmp_path: Path) -> Iterator[Shelf]:
    shelf = Shelf(tmp_path / "poise.db")
    yield shelf
    shelf.database.close()


def counted(shelf: Shelf, name: str) -> list[tuple[object, ...]]:
    return shelf.rows("SELECT wearer, count FROM counters WHERE name = ?", name)


def test_a_session_that_comes_back_with_something_else_is_put_aside(shelf: Shelf) -> None:
    take_all(shelf, [calibrated(), *samples(day(3))])
    before = conclusions(shelf)
    other = samples([message(40 + i, sequence=i) for i in range(3)])
    outcome = shelf.intake.take(other)
    assert shelf.rows("SELECT reason FROM dead_letters") == [("replayed",)] * 3
    assert [reason for _, reason in outcome.dead] == ["replayed"] * 3
    assert counted(shelf, "dead letter: replayed") == [("", 3)]
    assert conclusions(shelf) == before
    shelf.intake.take(samples(day(3)))
    assert shelf.intake.counts.duplicates == 3


def test_a_gateway_that_has_only_raised_its_floor_has_sent_the_same(shelf: Shelf) -> None:
    take_all(shelf, samples(day(3)))
    shelf.intake.take(samples([replace(m, floor=m.sequence) for m in day(3)]))
    assert shelf.rows("SELECT count(*) FROM dead_letters") == [(0,)]
    assert shelf.intake.counts.duplicates == 3


def two_gateways(seconds: int, apart: float) -> list[SampleMessage]:
    """A second gateway with the same sensors that begins after ten seconds, and both by turns."""
    both: list[SampleMessage] = []
    for mine in day(seconds):
        both.append(mine)
        if mine.sequence >= 10:
            i = mine.sequence - 10
            both.append(message(10 + i + apart, lean=1.0, session="g2", sequence=i))
    return both


@pytest.mark.parametrize("apart", [0.0, 0.5, -0.3])
@pytest.mark.parametrize("turned", [False, True])
def test_of_two_gateways_at_once_one_is_judged_and_the_wearer_is_told(
    shelf: Shelf, tmp_path: Path, apart: float, turned: bool
) -> None:
    both = two_gateways(60, apart)
    if turned:  # from the 31st second on the second one's come first
        both[50:] = [m for pair in zip(both[51::2], both[50::2], strict=True) for m in pair]
    take_all(shelf, [calibrated(), *samples(both)])
    lanes = dict(shelf.rows("SELECT session, group_concat(DISTINCT lane) FROM messages GROUP BY session"))
    judged = next(session for session, lane in lanes.items() if lane == str(int(Lane.LIVE)))
    other = next(session for session in lanes if session != judged)
    assert str(int(Lane.BESIDE)) in str(lanes[other])
    beside = shelf.rows("SELECT count(*) FROM messages WHERE lane = 3")[0][0]
    assert beside >= 48  # type: ignore[operator]
    assert counted(shelf, "second gateway") == [("home/anna", beside)]
    assert shelf.intake.counts.beside == beside
    assert shelf.rows("SELECT late, reason FROM runs") == [(0, "start")]
    outcome = shelf.intake.take(samples([message(60, session=judged, sequence=99)]))
    assert outcome.live[WEARER].advice[0] == TWO_GATEWAYS
    assert shelf.intake.confirmed((WEARER, str(other))).through >= 49
    shelf.now_us += AT_WORK_US + 1
    outcome = shelf.intake.take(samples([message(61, session=judged, sequence=100)]))
    assert outcome.live[WEARER].advice == []
    if other == "g2" and apart == 0.0:
        alone = Shelf(tmp_path / "alone.db")
        take_all(
            alone, [calibrated(), *samples([*day(60), message(60, sequence=99), message(61, sequence=100)])]
        )
        assert conclusions(shelf) == conclusions(alone)
        alone.database.close()


def test_a_restart_anywhere_judges_the_same_of_two_gateways(tmp_path: Path) -> None:
    stream = [calibrated(), *samples(two_gateways(40, 0.5))]
    whole = Shelf(tmp_path / "whole.db")
    take_all(whole, stream)
    for cut in (12, 13, 30, 55):
        shelf = Shelf(tmp_path / f"cut{cut}.db")
        take_all(shelf, stream[:cut])
        shelf.database.close()
        again = Shelf(shelf.path)
        take_all(again, stream[cut:])
        assert conclusions(again) == conclusions(whole)
        again.database.close()
    whole.database.close()


def test_the_second_gateway_is_judged_once_the_first_is_silent(shelf: Shelf) -> None:
    take_all(shelf, [calibrated(), *samples(two_gateways(20, 0.0))])
    shelf.now_us += AT_WORK_US + 1
    take_all(shelf, samples([message(20 + i, session="g2", sequence=10 + i) for i in range(20)]))
    assert shelf.rows("SELECT count(*) FROM messages WHERE session = 'g2' AND lane = 0") == [(20,)]


def seen_s(shelf: Shelf) -> object:
    shelf.now_us += LATE_IDLE_US + 1
    shelf.intake.close_late_runs()
    return shelf.rows("SELECT sum(seconds) FROM exposures WHERE kind = 'seen'")[0][0]


@pytest.mark.parametrize("apart", [0.0, 0.5])
def test_a_second_gateways_backlog_counts_once_however_long_the_first_is_silent(
    shelf: Shelf, apart: float
) -> None:
    """It was out of reach from the tenth second on; what it has alone is judged."""
    take_all(shelf, [calibrated(), *samples(day(60))])
    shelf.now_us += 3600_000_000
    backlog = [message(10 + i + apart, session="g2", sequence=i) for i in range(80)]
    take_all(shelf, samples(backlog))
    beside = shelf.rows("SELECT count(*), max(sequence) FROM messages WHERE lane = 3")
    assert beside == [(50, 49)]
    assert counted(shelf, "second gateway") == [("home/anna", 50)]
    take_all(shelf, samples(backlog))
    assert counted(shelf, "second gateway") == [("home/anna", 50)], "what comes again is no more"
    assert (shelf.intake.counts.beside, shelf.intake.counts.duplicates) == (50, 80)
    outcome = shelf.intake.take(samples([message(90 + apart, session="g2", sequence=80)]))
    assert outcome.live[WEARER].advice == [], "there is one gateway only by now"
    assert seen_s(shelf) == pytest.approx(91, abs=1)


def test_what_a_gateway_fills_in_after_it_took_over_counts_once(shelf: Shelf) -> None:
    take_all(shelf, [calibrated(), *samples(day(30))])
    shelf.now_us += 300_000_000
    take_all(shelf, samples([message(200 + i, session="g2", sequence=40 + i) for i in range(20)]))
    take_all(shelf, samples([message(10 + i, session="g2", sequence=i) for i in range(40)]))
    lanes = shelf.rows("SELECT lane, count(*) FROM messages WHERE session = 'g2' GROUP BY lane")
    assert lanes == [(0, 20), (1, 20), (3, 20)]
    assert seen_s(shelf) == pytest.approx(70, abs=1)


def test_a_clock_that_is_set_back_into_anothers_time_is_judged_as_such(shelf: Shelf) -> None:
    """One gateway's morning, then another's whose clock jumps back into it: no second one."""
    take_all(shelf, [calibrated(), *samples(day(30))])
    shelf.now_us += 3600_000_000
    late = [message(3000 + i, session="g2", sequence=i) for i in range(5)]
    back = [message(10 + i, session="g2", sequence=5 + i) for i in range(5)]
    take_all(shelf, samples([*late, *back]))
    assert shelf.rows("SELECT lane, count(*) FROM messages WHERE session = 'g2' GROUP BY lane") == [
        (0, 5),
        (1, 5),
    ]
    assert shelf.rows("SELECT reason FROM runs WHERE late = 1") == [("clock",)]


def test_who_has_the_right_time_takes_over_from_a_clock_that_was_ahead(shelf: Shelf) -> None:
    """The first gateway's times were an hour ahead: what comes now overlaps them, and is no backlog."""
    take_all(shelf, samples(day(60, 3600)))
    shelf.now_us += 3630_000_000
    take_all(shelf, samples([message(3610 + i, session="g2", sequence=i) for i in range(20)]))
    assert shelf.rows("SELECT count(*) FROM messages WHERE lane = 3") == [(0,)]


def test_a_gateway_that_starts_anew_is_no_second_one(shelf: Shelf) -> None:
    """What is left of its first session may come after the second has begun."""
    first, second = day(30), [message(30.2 + i, session="g2", sequence=i) for i in range(20)]
    take_all(shelf, samples([*first[:25], *second[:5], *first[25:], *second[5:]]))
    assert shelf.rows("SELECT count(*) FROM messages WHERE lane = 3") == [(0,)]
    assert shelf.rows("SELECT count(*) FROM messages WHERE lane = 1") == [(5,)]


def test_clocks_far_off_are_counted_and_lose_no_sample(shelf: Shelf) -> None:
    worn = [replace(m, origin="worn") for m in (message(0), message(3 * 86400, sequence=1))]
    old = replace(message(-40 * 86400, sequence=2), origin="worn")
    old = replace(old, batches=tuple(replace(b, first_tick=0) for b in old.batches))
    take_all(shelf, samples([*worn, old]))
    assert counted(shelf, "clock far off") == [("home/anna", 2)]
    assert shelf.rows("SELECT lane FROM messages ORDER BY sequence") == [(0,), (1,), (1,)]
    assert shelf.now_us == START_US


def test_a_later_version_is_called_so_however_it_looks(shelf: Shelf) -> None:
    later = [2, {"session": "s"}, b"something else altogether"]
    topic = WEARER.topic(Leaf.SAMPLES)
    shelf.intake.take([received(topic, msgspec.msgpack.encode(later)), received(topic, b'{"v": 2}')])
    good = bytearray(encode_samples(message(0)))
    good[1] = 2
    shelf.intake.take([received(topic, bytes(good))])
    presence = received(WEARER.topic(Leaf.PRESENCE), b'{"v": 2, "condition": "there"}')
    shelf.intake.take([presence])
    reasons = [row[0] for row in shelf.rows("SELECT reason FROM dead_letters ORDER BY id")]
    assert reasons == ["version", "malformed", "version", "version"]
