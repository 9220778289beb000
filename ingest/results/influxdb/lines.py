"""Results as InfluxDB line protocol, and names as its two languages want them quoted. Pure functions.

Tags are bounded things one groups by (site, patient, stream or kind); run, episode and calibration are
fields. The same tags and time overwrite, so writing anything twice changes nothing.
"""

import re
from functools import lru_cache
from itertools import chain, repeat
from typing import Final

import msgspec

from analytics.exposure.counts import QuarterExposure
from ingest.reading import Series
from ingest.results.influxdb.layout import CONCLUSIONS, TABLES, Table
from ingest.results.quarters import quarters_in, to_text
from poise.errors import WireError
from poise.results import QUARTER_S, Episode, Exposure, Results
from poise.samples import Floats, Int64s
from poise.seconds import SecondBlock, blocks_of
from poise.topics import Wearer

_TABLES: Final = {table.measurement.encode(): table for table in TABLES.values()}
_QUARTER_US: Final = QUARTER_S * 1_000_000
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f]")
_WHOSE: Final = re.compile(rb"[a-z_]+,site=([^, ]+),patient=([^, ]+)[, ]")
_NEVER: Final = re.compile(r"[\x00-\x1f\x7f\\]")


def lines(wearer: Wearer, origin: str, results: Results) -> list[bytes]:
    """Return a line for each second, episode, exposure and quarter in full; times in µs."""
    parts = [seconds(wearer, origin, block) for block in blocks_of(results.seconds)]
    return [row for part in parts for row in part.split(b"\n")] + conclusions(wearer, origin, results)


def conclusions(wearer: Wearer, origin: str, results: Results) -> list[bytes]:
    """Return the lines of all but the seconds."""
    tags = f"site={tag(wearer.site)},patient={tag(wearer.patient)}"
    rows = [_episode(tags, origin, episode) for episode in results.episodes]
    rows += [_exposure(tags, origin, exposure) for exposure in results.exposures]
    rows += [_counts(tags, origin, quarter) for quarter in quarters_in(results)]
    return [row.encode(errors="replace") for row in rows]


def seconds(wearer: Wearer, origin: str, block: SecondBlock) -> bytes:
    """Return a line for each second, joined: there are thousands, and this is the dearest part of writing."""
    head = f"posture_second,site={tag(wearer.site)},patient={tag(wearer.patient)},stream="
    heads = [f"{head}{tag(stream)} mean=".encode(errors="replace") for stream in block.streams]
    about = f"run_us={block.run_us}i,calibration={_quoted(block.calibration)},origin={_quoted(origin)}"
    pieces = zip(
        map(heads.__getitem__, block.of.tolist()), _numbers(block.mean),
        repeat(b",low="), _numbers(block.low), repeat(b",high="), _numbers(block.high),
        repeat(b",coverage="), _numbers(block.coverage),
        repeat(f",{about} ".encode(errors="replace")), _numbers(block.t_s), repeat(b"000000\n"),
    )  # fmt: skip
    return b"".join(chain.from_iterable(pieces))[:-1]


def joined_seconds(wearer: Wearer, stream: str, series: Series) -> list[bytes]:
    """Return the lines of a stream's minutes or hours."""
    table = TABLES[series.step_s]
    tags = f"{table.measurement},site={tag(wearer.site)},patient={tag(wearer.patient)},stream={tag(stream)}"
    columns = (series.t_s, series.mean, series.low, series.high, series.coverage)
    return [
        f"{tags} mean={mean!r},low={low!r},high={high!r},coverage={coverage!r} {t_s * 1_000_000}".encode(
            errors="replace"
        )
        for t_s, mean, low, high, coverage in zip(*(column.tolist() for column in columns), strict=True)
    ]


def table_of(line: bytes) -> Table:
    """Return where a line belongs."""
    return _TABLES.get(line.partition(b",")[0], CONCLUSIONS)


def kept_name(text: str) -> str:
    """Return a name as it is kept: line protocol can hold neither control characters nor a last backslash."""
    return _NEVER.sub("_", text) or "_"


def kept_text(text: str) -> str:
    """Return a text field as it is kept: a line must stay one line."""
    return _CONTROL.sub("_", text)


@lru_cache(4096)
def tag(text: str) -> str:
    """Quote a tag value."""
    return re.sub(r"([,= ])", r"\\\1", kept_name(text))


def literal(text: str) -> str:
    """Quote a string for InfluxQL."""
    return "'" + kept_name(text).replace("'", "\\'") + "'"


def exposure_time_us(quarter_s: int, run_us: int) -> int:
    """Return a time within the quarter that is the run's own, so that runs of one quarter do not overwrite.

    A run would have to be a tag otherwise, and tags must stay few.
    """
    return quarter_s * 1_000_000 + run_us % _QUARTER_US


def _numbers(column: Floats | Int64s) -> list[bytes]:
    """Return each number as the shortest text that reads as the same number; msgspec writes it fastest."""
    return msgspec.json.encode(column.tolist())[1:-1].split(b",")


def _episode(tags: str, origin: str, e: Episode) -> str:
    # The whole episode rides along as one string: a field for each would lose the difference between an end
    # that is not there and one that was written before.
    whole = msgspec.json.encode(e).decode()
    until_us = e.last_us if e.end_us is None else e.end_us
    return (
        f"posture_episode,{tags},kind={tag(e.kind)} id={_string(e.id)},run_us={e.run_us}i,"
        f"until_us={until_us}i,ended={'false' if e.end_us is None else 'true'},duration_s={e.duration_s!r},"
        f"peak_rad={e.peak_rad!r},mean_rad={e.mean_rad!r},dose_rad_s={e.dose_rad_s!r},"
        f"activity={_string(e.activity)},coverage={e.coverage!r},calibration={_quoted(e.calibration)},"
        f"origin={_quoted(origin)},episode={_string(whole)} {e.start_us}"
    )


def _exposure(tags: str, origin: str, x: Exposure) -> str:
    return (
        f"posture_exposure,{tags},kind={tag(x.kind)} seconds={x.seconds!r},run_us={x.run_us}i,"
        f"origin={_quoted(origin)} {exposure_time_us(x.quarter_s, x.run_us)}"
    )


def _counts(tags: str, origin: str, q: QuarterExposure) -> str:
    return (
        f"posture_quarter,{tags} counts={_string(to_text(q).decode())},run_us={q.run_us}i,"
        f"origin={_quoted(origin)} {exposure_time_us(q.quarter_s, q.run_us)}"
    )


def _string(text: str) -> str:
    quoted = kept_text(text).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{quoted}"'


_quoted = lru_cache(4096)(_string)
"""The same for names, which come again and again."""


def wearer_in(line: bytes) -> Wearer:
    """Return whose a line is.

    Raises:
        WireError: if it is no line of ours.
    """
    found = _WHOSE.match(line)
    if found is None:
        raise WireError(f"{line[:80]!r} does not say whose it is", reason="line")
    return Wearer(found[2].decode(errors="replace"), found[1].decode(errors="replace"))
