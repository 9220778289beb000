"""A saved analysis goes on with the same bits, and what cannot be read says so."""

import hashlib
import json

import posed
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from posed_minute import MOUNTS, NOISY, SECONDS, stored

from analytics.pipeline import Pipeline
from analytics.state import VERSION, restore, save, shape
from poise.errors import StateError
from poise.results import Results
from poise.samples import ImuBatch

SHAPES = {1: "ec7d7db0af7979e8", 2: "0ebe69ee4e728679", 3: "0ebe69ee4e728679", 4: "0ebe69ee4e728679"}
"""What the classes look like in each version: if this test fails, count up. 3, 4: longer exposure blocks."""


def begun(n: int) -> Pipeline:
    pipeline = Pipeline()
    pipeline.calibrate(posed.calibration(MOUNTS))
    pipeline.update([batch.part(0, n) for batch in NOISY])
    return pipeline


def rest(pipeline: Pipeline, n: int) -> list[Results]:
    return [pipeline.update([batch.part(n, SECONDS * 50) for batch in NOISY]), pipeline.finish()]


@settings(max_examples=15, deadline=None)
@given(st.integers(1, (SECONDS - 3) * 50))
def test_saved_anywhere_and_restored_it_goes_on_with_the_same_bits(n: int) -> None:
    pipeline = begun(n)
    again = Pipeline.restore(pipeline.save())
    assert again.save() == pipeline.save()
    assert stored(rest(again, n)) == stored(rest(pipeline, n))


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_damaged_state_raises_its_own_error_only(data: st.DataObject) -> None:
    saved = bytearray(STATE)
    at = data.draw(st.integers(0, len(saved) - 1))
    saved[at] ^= data.draw(st.integers(1, 255))
    with pytest.raises(StateError):
        Pipeline.restore(bytes(saved))
    with pytest.raises(StateError):
        Pipeline.restore(bytes(STATE[:at]))


STATE = begun(700).save()


def test_another_version_and_another_thing_are_named() -> None:
    other = STATE[:8] + (VERSION + 1).to_bytes(2, "big") + STATE[10:]
    with pytest.raises(StateError, match=f"version {VERSION + 1}"):
        Pipeline.restore(other)
    with pytest.raises(StateError, match="hold a Results, not a Pipeline"):
        Pipeline.restore(save(Results()))


def test_nothing_but_state_is_written() -> None:
    with pytest.raises(TypeError):
        save(lambda: None)
    assert isinstance(restore(save(NOISY[0].part(0, 3)), ImuBatch), ImuBatch)


def test_the_version_counts_up_with_the_shape_of_the_state() -> None:
    text = json.dumps(shape(begun(2000)), sort_keys=True)
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == SHAPES[VERSION], text
