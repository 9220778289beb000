import re
from dataclasses import replace
from datetime import date, datetime
from math import radians
from zoneinfo import ZoneInfo

import pytest
from dashboards_fakes import replace_status
from dashboards_house import ANNA, episode, made_up_day

from dashboards import charts, words
from dashboards.palette import COLOUR, INK, LOST, MUTE, TEAL, Tone, tone_of
from dashboards.status import Need, patience_s, reason, sensor_lines, sensor_sentence
from dashboards.today import halves, read_history, read_recent, read_seen, read_still, read_today, span_s
from ingest.reading import Day
from poise.results import KIND_TEXT, Kind
from poise.topics import Wearer

VIENNA = ZoneInfo("Europe/Vienna")
NOON = round(datetime(2026, 11, 20, 13, 20, tzinfo=VIENNA).timestamp() * 1e6)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (40, "40 s"), (59.7, "1 min"), (725, "12 min"), (15_600, "4 h 20 min"), (7200, "2 h")],
)
def test_durations(seconds, text):
    assert words.duration(seconds) == text


def test_exposure_names_unit_period_and_coverage():
    day = Day(date(2026, 11, 20), 0.92 * 15_600, {"forward_head": 3000.0, "slouch": 960.0, "hip_lean": 99.0})
    assert words.exposure(day, 15_600) == "1.1 h forward of upright · 92 % of 4 h 20 min seen"
    assert words.exposure(None, 0) == "nothing seen yet today"


def test_nearly_all_is_never_called_all():
    assert words.share(99.8, 100) == "99 %"
    assert words.share(100, 100) == "100 %"


def test_every_kind_has_its_sentence():
    assert words.held(Kind.FORWARD_HEAD, radians(14), 40) == "Head forward 14° beyond your upright for 40 s"
    for kind in Kind:
        assert "12°" in words.held(kind, radians(12), 5)
        assert words.held(kind, None, None).lower() == KIND_TEXT[kind]


def test_days_are_the_wearers_own_and_as_long_as_they_are():
    assert words.local_day(NOON, ZoneInfo("Pacific/Auckland")) == date(2026, 11, 21)
    first, last = words.day_bounds_us(date(2026, 10, 25), VIENNA)
    assert last - first == 25 * 3_600_000_000


def test_days_after_injection_count_from_the_newest_past_one():
    days = (date(2026, 11, 1), date(2026, 11, 8), date(2026, 12, 1))
    assert words.after_injection(days, date(2026, 11, 20)) == "day 12 after injection"
    assert words.after_injection(days, date(2026, 11, 8)) == "day of the injection"
    assert words.after_injection((), date(2026, 11, 8)) == "no injection noted"


def test_staleness_says_since_when():
    assert words.freshness(NOON - 400_000, NOON, VIENNA) == "live · 0.4 s ago"
    assert words.freshness(NOON - 3_100_000, NOON, VIENNA) == "no data since 13:19:56"
    assert words.freshness(0, NOON, VIENNA) == "no data yet"


def test_a_silent_sensor_is_named_with_the_time_and_seen_live_ones_are_not_accused():
    store = made_up_day(NOON)
    today = read_today(store, ANNA, NOON + 10_000_000)
    seen = dict.fromkeys(("head", "c7", "t4", "lumbar", "scapula_right"), NOON + 9_000_000)
    lines = sensor_lines(today, seen, NOON + 10_000_000)
    assert [sensor_sentence(line) for line in lines if line.silent] == [
        "Left scapula: no data since 13:20:00"
    ]


def test_a_status_is_believed_until_the_next_one_is_due():
    store = made_up_day(NOON)
    later = NOON + 6_000_000
    store.persons[ANNA] = replace(store.persons[ANNA], last_us=later)
    assert not any(line.silent for line in sensor_lines(read_today(store, ANNA, later), {}, later))
    store.persons[ANNA] = replace(store.persons[ANNA], last_us=NOON)
    assert all(line.silent for line in sensor_lines(read_today(store, ANNA, later), {}, later))
    store.statuses[ANNA][0] = replace_status(store.statuses[ANNA][0], NOON, state="stale")
    store.persons[ANNA] = replace(store.persons[ANNA], last_us=later)
    lines = sensor_lines(read_today(store, ANNA, later), {}, later)
    assert [line.segment for line in lines if line.silent] == ["head"]


def test_a_gateway_that_lets_its_messages_grow_is_heard_by_its_status():
    store = made_up_day(NOON)
    store.persons[ANNA] = replace(store.persons[ANNA], last_us=NOON - 50_000_000)
    store.statuses[ANNA] = [replace_status(one, NOON, state="streaming") for one in store.statuses[ANNA]]
    for age_s, need in ((1, Need.CALM), (4.9, Need.CALM), (7.9, Need.CALM), (8.1, Need.LOST)):
        now_us = NOON + round(age_s * 1e6)
        today = read_today(store, ANNA, now_us)
        assert reason(today).need is need
        assert any(line.silent for line in sensor_lines(today, {}, now_us)) is (need is Need.LOST)
        fresh = words.freshness(NOON, now_us, VIENNA, patience_s(today))
        assert fresh.startswith("no data since") is (need is Need.LOST)


def test_reasons_come_from_what_is_known():
    store = made_up_day(NOON)
    assert reason(read_today(store, Wearer("P-0098"), NOON)).text == "No data since 11:45:00"
    assert reason(read_today(store, Wearer("P-0217"), NOON)).need is Need.QUIET
    assert reason(read_today(store, ANNA, NOON)).need is Need.CALM
    store.held[ANNA].append(episode(Kind.SLOUCH, NOON - 300_000_000, None, NOON))
    why = reason(read_today(store, ANNA, NOON))
    assert (why.need, why.text) == (Need.LOOK, "Slouch for 5 min, still going on")


def test_reading_a_day_finds_gaps_stills_and_the_days_around_the_injection():
    store = made_up_day(NOON)
    today = read_today(store, ANNA, NOON)
    seen = read_seen(store, today)
    assert len(seen) == 3
    assert words.duration(span_s(seen)) == "4 h 20 min"
    slouch = next(e for e in today.episodes if e.kind is Kind.SLOUCH)
    assert abs(read_still(store, ANNA, slouch)["t4"] - radians(26)) < radians(1)
    assert set(read_recent(store, ANNA, NOON)) == {"neck", "shoulder_left", "shoulder_right", "thorax"}
    found = halves(read_history(store, today), date(2026, 11, 8), today.day)
    assert found["before"].forward_s > found["after"].forward_s > 0


def test_charts_leave_gaps_open_and_escape_what_they_are_given():
    t_us = [NOON - 3_000_000, NOON - 2_900_000, NOON - 200_000, NOON - 100_000]
    curve = charts.Trace("<neck>", 10.0, t_us, [0.0, 0.1, 0.2, 0.3])
    drawn = charts.trace(curve, NOON)
    path = re.search(r'class="curve" d="([^"]+)"', drawn)
    assert path is not None
    assert path[1].count("M") == 2
    assert "<neck>" not in drawn
    assert "<b>17°</b>" in drawn
    assert "<b>not seen</b>" in charts.trace(curve, NOON + 4_000_000)
    assert "not seen" in charts.trace_table([curve], NOON)
    assert "<script>" not in charts.table(("a",), [("<script>",)])


def test_the_day_is_drawn_with_every_episode_and_its_gaps():
    store = made_up_day(NOON)
    today = read_today(store, ANNA, NOON)
    drawn = charts.timeline(read_seen(store, today), today.episodes, VIENNA)
    assert drawn.count("<i class=") == 2 * 3 + len(today.episodes)
    assert "11:00" in drawn
    bars = charts.day_bars(read_history(store, today), date(2026, 11, 8), today.day)
    assert "injection, 8 Nov" in bars
    assert "little" in bars
    assert 'class="none"' in bars


def test_nothing_seen_is_said_not_drawn_as_nothing_done():
    assert "Nothing has been seen" in charts.timeline((), (), VIENNA)
    assert "No day has been seen" in charts.day_bars((), None, date(2026, 11, 20))


def _luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    r, g, b = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


@pytest.mark.parametrize(
    ("colour", "ground"),
    [(c, g) for c in (INK, MUTE, TEAL, LOST) for g in ("#ffffff", "#fbfcfb")] + [("#7d5008", "#fdf6ea")],
)
def test_texts_have_contrast_of_4_5(colour, ground):
    light, dark = sorted((_luminance(colour), _luminance(ground)), reverse=True)
    assert (light + 0.05) / (dark + 0.05) >= 4.5


def test_posture_is_never_red():
    assert LOST not in COLOUR.values()
    assert [tone_of(s) for s in (None, 0.0, 59.0, 60.0)] == [
        Tone.UPRIGHT, Tone.DRIFTING, Tone.DRIFTING, Tone.SUSTAINED,
    ]  # fmt: skip
