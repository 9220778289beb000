"""What the wearer reads about sensors and samples: never more than is known."""

import io
from dataclasses import replace

import pytest
from rich.console import Console

from device.bluetooth.link import Link, Trouble
from device.calibration.calibrating import Step
from device.vendors import vendor_named
from poise.calibration import Calibration, Verdict
from poise.cli.person import status
from poise.cli.person.status import Kept, Sensor
from poise.cli.person.wear import countdown
from poise.notices import SensorStatus

NOW_US = 1_790_000_000_000_000
SAFE = Kept(0, None, 12, broker=True)
DOT, ESENSE, WITMOTION = (vendor_named(name) for name in ("movella_dot", "esense", "witmotion"))


def sensor(state: str = "streaming", rate: float | None = 60.0, *, trouble: str = "", **more) -> Sensor:
    said = {"rate_hz": 60.0, "since_us": NOW_US - 9_000_000, "last_us": NOW_US - 4_000_000, **more}
    link = Link("a", "c7", DOT, state=state, trouble=trouble)
    return Sensor(SensorStatus(sensor="a", segment="c7", state=state, **said), link, rate, 0, 0)


@pytest.mark.parametrize(
    ("seen", "words"),
    [
        (sensor(), "sending"),
        (sensor(rate=None), "begins to send"),
        (sensor("connected", None), "no samples yet"),
        (sensor("stale", None), "silent for 4 s"),
        (sensor("lost", None), "being looked for"),
        (sensor("lost", None, trouble=Trouble.NOT_SEEN), "not seen"),
        (sensor("lost", None, trouble=Trouble.REFUSED), "refuses to connect"),
        (sensor("lost", None, trouble=Trouble.NO_SLOT), "no connection free"),
    ],
)
def test_a_state_is_what_comes_of_it(seen: Sensor, words: str) -> None:
    assert status.state(seen, NOW_US) == words
    assert "connected" not in status.state(seen, NOW_US)


def test_losses_and_clocks_say_what_is_an_estimate() -> None:
    assert status.missing(replace(sensor(), missing=7)) == "7"
    assert status.missing(replace(sensor(), missing=120, spread=15)) == "120 ± 15"
    assert status.clock(sensor()) == "being learned"
    assert status.clock(sensor(clock_ppm=-31.4)) == "good (-31 ppm)"
    for vendor, words in ((ESENSE, "from sample numbers"), (WITMOTION, "estimated from arrivals")):
        seen = sensor()
        seen.link.vendor = vendor
        assert status.clock(seen) == words


def test_a_battery_that_is_not_told_is_not_guessed() -> None:
    assert status.battery(sensor()) == "not told"
    assert status.battery(sensor(battery_percent=80, charging=True)) == "80 %, charging"


def test_what_is_only_here_is_said() -> None:
    assert "nothing waits" in status.safe(SAFE, NOW_US)
    alone = status.safe(Kept(300, NOW_US - 300_000_000, 0, broker=False), NOW_US)
    assert alone.startswith("No broker: everything is kept on this machine")
    assert "300 s of samples wait in the spool, the oldest for 5 min" in alone


def test_a_calibration_has_an_age_and_a_worth() -> None:
    assert "not judged" in status.calibrated(None, NOW_US)
    made = Calibration("c-1", NOW_US - 3 * 3_600_000_000, "static", Verdict.STATIC_ONLY, {})
    assert status.calibrated(made, NOW_US) == (
        "Calibration c-1, made 3 h ago, of lower trust, without the bow."
    )


@pytest.mark.parametrize(
    ("sensors", "kept", "advice", "words"),
    [
        ([sensor()], SAFE, "", "all is well"),
        ([sensor()], SAFE, Step.BOW.value, "bow forward"),
        (
            [sensor(), sensor("lost", None, trouble=Trouble.NOT_SEEN)],
            SAFE,
            "Sit tall",
            "for C7: Switch it on",
        ),
        ([sensor("connected", None)], SAFE, "Sit tall", "Wait a moment"),
        ([sensor(battery_percent=9)], SAFE, "", "Charge the sensor for C7 soon: 9 % left"),
        ([sensor()], replace(SAFE, broker=False), "", "poise doctor"),
    ],
)
def test_one_thing_is_to_be_done(sensors: list[Sensor], kept: Kept, advice: str, words: str) -> None:
    assert words in status.next_step(sensors, kept, advice)


def printed(what: object) -> str:
    page = Console(file=io.StringIO(), width=150, emoji=False)
    page.print(what)
    return page.file.getvalue()


def test_the_table_has_a_line_for_each_and_names_places_that_are_not_judged() -> None:
    odd = sensor("lost", None, trouble=Trouble.NOT_SEEN)
    odd = replace(odd, status=SensorStatus(sensor="b", segment="hed", state="lost", since_us=NOW_US))
    lines = printed(status.table([sensor(), odd], NOW_US)).splitlines()
    assert any("C7" in line and "60.0 of 60 Hz" in line and "sending" in line for line in lines)
    assert any("hed (not judged)" in line and "not seen" in line for line in lines)


@pytest.mark.parametrize(("us", "words"), [(-5, "0 s"), (119_000_000, "119 s"), (120_000_000, "2 min")])
def test_a_length_of_time(us: int, words: str) -> None:
    assert status.ago(us) == words


def test_the_countdown_counts_what_is_asked_for() -> None:
    assert "3 s" in printed(countdown(Step.SIT_TALL, 1.0, ""))
    moving = printed(countdown(Step.SIT_TALL, 6.0, "too little bow"))
    assert "You still move a little" in moving
    assert "Once more: too little bow" in moving
    assert "at most 10 s" in printed(countdown(Step.BOW, 5.0, ""))
    assert "No hurry" in printed(countdown(Step.BOW, 50.0, ""))
    assert "0 s" in printed(countdown(Step.NOD, 99.0, ""))
    printed(countdown(Step.DONE, 1.0, ""))
