from hypothesis import given
from hypothesis import strategies as st

from ingest.judging.confirm import MOST_HOLES, Confirmation
from poise.notices import MAX_BYTES, Stored, encode


def said_to_be_stored(stored: Stored, most: int) -> set[int]:
    holes = {n for first, last in stored.holes for n in range(first, last + 1)}
    return {n for n in range(most) if n <= stored.through or (n <= stored.highest and n not in holes)}


@given(st.lists(st.tuples(st.integers(0, 60), st.integers(0, 3)), max_size=80))
def test_confirms_exactly_what_is_stored_or_given_up(arrivals: list[tuple[int, int]]) -> None:
    confirmation, have, floor = Confirmation(), set(), 0
    for sequence, rise in arrivals:
        floor = min(floor + rise, sequence) if sequence >= floor else floor
        confirmation.add(sequence, floor)
        have.add(sequence)
        assert said_to_be_stored(confirmation.notice("g"), 70) == have | set(range(floor))
        again = Confirmation.of(have, floor)
        assert (again.through, again.beyond) == (confirmation.through, confirmation.beyond)


def test_too_many_holes_confirm_less_never_more_and_the_notice_stays_small() -> None:
    have = set(range(0, 40_000, 2))
    stored = Confirmation.of(have, 0).notice("g" * 64)
    assert len(stored.holes) == MOST_HOLES
    assert said_to_be_stored(stored, 40_000) < have
    assert len(encode(stored)) < MAX_BYTES
