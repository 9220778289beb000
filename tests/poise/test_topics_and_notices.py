"""Topics and the JSON notices."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from poise import notices, topics
from poise.calibration import Alignment, Calibration, Verdict
from poise.errors import WireError
from poise.topics import Leaf, Wearer


def test_a_topic_is_what_the_document_says() -> None:
    wearer = Wearer("P-0142")
    assert wearer.bucket == 16  # CRC-32("P-0142") = 0x22629790
    assert wearer.topic(Leaf.SAMPLES) == "poise/1/home/16/P-0142/samples"
    assert topics.parse(wearer.topic(Leaf.SENSOR, "D4:22:CD:00:00:01")).detail == "D4:22:CD:00:00:01"
    assert topics.everyone(Leaf.SENSOR, bucket=3) == "poise/1/+/3/+/sensor/+"


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,63}", fullmatch=True), st.sampled_from(Leaf))
def test_parse_gives_back_what_topic_made(patient: str, leaf: Leaf) -> None:
    assert topics.parse(Wearer(patient).topic(leaf)) == topics.Address(Wearer(patient), leaf)


@pytest.mark.parametrize(
    ("topic", "reason"),
    [
        ("poise/2/home/16/P-0142/samples", "topic"),
        ("poise/1/home/17/P-0142/samples", "bucket"),
        ("poise/1/home/16/P-0142/samples/a/b", "topic"),
        ("poise/1/home/16/P-0142/nonsense", "topic"),
        ("poise/1/home/54/P+/samples", "name"),
        ("", "topic"),
    ],
)
def test_foreign_topics_are_refused_with_a_reason(topic: str, reason: str) -> None:
    with pytest.raises(WireError) as refused:
        topics.parse(topic)
    assert refused.value.reason == reason


ALIGNMENT = Alignment("D4:22", (1.0, 0.0, 0.0, 0.0), 0.01, 0.6)
LIVE = notices.Live(
    run_us=1, calibration="c", origin="worn", segments=["c7"], t_us=[2], sagittal=[[0.1]], frontal=[[None]],
    kinds=[[]], activity="sitting", advice=["Sit tall for five seconds."],
)  # fmt: skip
SAMPLES = [
    LIVE,
    notices.Presence(state="online", gateway="g", session="s", since_us=1),
    notices.SensorStatus(sensor="a", segment="c7", state="streaming", since_us=1, battery_percent=80),
    notices.Stored(session="s", through=4, highest=9, holes=[(5, 6)]),
    notices.CalibrationNotice(
        calibration=Calibration("c", 5, "static", Verdict.STATIC_ONLY, {"c7": ALIGNMENT}, ("why",))
    ),
]


@pytest.mark.parametrize("notice", SAMPLES, ids=lambda notice: type(notice).__name__)
def test_notices_survive_the_wire(notice: notices.Notice) -> None:
    assert notices.decode(notices.encode(notice), type(notice)) == notice


def test_a_live_notice_from_before_activity_and_advice_is_still_read() -> None:
    fields = msgspec.json.decode(notices.encode(LIVE))
    del fields["activity"], fields["advice"]
    old = notices.decode(msgspec.json.encode(fields | {"unheard": "of"}), notices.Live)
    assert (old.activity, old.advice, old.t_us) == ("", [], LIVE.t_us)


def test_a_calibration_notice_from_before_re_checks_were_named_is_still_read() -> None:
    fields = msgspec.json.decode(notices.encode(SAMPLES[-1]))
    assert fields["calibration"].pop("renews") == ""
    assert notices.decode(msgspec.json.encode(fields), notices.CalibrationNotice) == SAMPLES[-1]


@given(st.binary(max_size=80))
def test_nonsense_raises_only_a_wire_error(payload: bytes) -> None:
    with pytest.raises(WireError):
        notices.decode(payload, notices.Stored)


def test_a_newer_version_says_to_update() -> None:
    with pytest.raises(WireError, match="update"):
        notices.decode(b'{"v":2,"session":"s","through":0,"highest":0}', notices.Stored)
