import re
from math import radians

from dashboards_fakes import posture_deg
from hypothesis import given
from hypothesis import strategies as st

from dashboards.figure import DOTS, dots, paths, rig, svg
from dashboards.palette import Tone
from poise.results import Kind


def pose(kind):
    return {name: radians(deg) for name, deg in posture_deg(kind).items()}


@given(st.dictionaries(st.sampled_from(sorted(DOTS)), st.floats(-1.6, 1.6)))
def test_any_posture_is_drawn_with_whole_numbers_and_inside_reason(angles):
    for d in paths(angles).values():
        numbers = [float(v) for v in re.findall(r"-?\d+\.\d", d)]
        assert "nan" not in d
        assert max(map(abs, numbers)) < 900


def test_upright_lies_on_its_ghost():
    drawing = svg(pose(None), Tone.UPRIGHT)
    assert drawing.count(paths({})["torso"]) == 2
    assert drawing.count(paths({})["head"]) == 2


def test_a_forward_head_brings_the_head_forward_and_leaves_the_back():
    upright, forward = dots({}), dots(pose(Kind.FORWARD_HEAD))
    assert forward["head"][0] - upright["head"][0] > 10
    assert abs(forward["lumbar"][0] - upright["lumbar"][0]) < 1


def test_a_slouch_bends_the_upper_back_and_a_hip_lean_takes_the_lower_back_along():
    slouch, lean = dots(pose(Kind.SLOUCH)), dots(pose(Kind.HIP_LEAN))
    assert slouch["t4"][0] > dots({})["t4"][0] + 10
    assert lean["lumbar"][0] > slouch["lumbar"][0] + 5


def test_turns_are_drawn_as_measured():
    upright, turned = dots({}), dots({"head": radians(90)})
    pivot = (2.5 * 4, -63 * 4)
    assert turned["head"][0] - pivot[0] == -(upright["head"][1] - pivot[1])


def test_what_no_sensor_sees_follows_its_neighbour():
    assert dots({"t4": 0.6, "lumbar": 0.3})["head"][0] > dots({"lumbar": 0.3})["head"][0]


def test_worn_but_unseen_sensors_are_hollow():
    drawing = svg({"c7": 0.1}, Tone.DRIFTING, worn=("c7", "head", "hat"))
    assert re.search(r'data-sensor="c7"[^>]+fill="#1d2b2a"', drawing)
    assert re.search(r'data-sensor="head"[^>]+fill="#fff"', drawing)
    assert "hat" not in drawing


def test_the_text_alternative_is_escaped_and_a_still_without_one_is_hidden():
    assert 'aria-label="&lt;b&gt;&quot;"' in svg({}, Tone.UPRIGHT, text='<b>"')
    assert 'aria-hidden="true"' in svg({}, Tone.UPRIGHT)


def test_the_browser_gets_the_same_skeleton():
    plain = rig()
    assert set(plain["dots"]) == set(DOTS)
    assert set(plain["parts"]) == set(paths({}))
