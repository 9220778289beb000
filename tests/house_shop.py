"""One recording through `poise simulate`, `replay` and `record`, at several paces."""

import sqlite3
from dataclasses import dataclass
from pathlib import Path

from house_helpers import Programs, until
from seconds_table import asked
from servers import free_port

from device.wearer.truth import Truth

RESULTS = (
    """SELECT name, t_s, mean, low, high, coverage, run_us, calibration
       FROM seconds JOIN streams ON streams.id = stream JOIN judgements ON judgements.id = judgement
       WHERE wearer = ? ORDER BY 1, 2""",
    "SELECT episode FROM episodes WHERE wearer = ? ORDER BY id",
    "SELECT quarter_s, run_us, kind, seconds FROM exposures WHERE wearer = ? ORDER BY 1, 2, 3",
)
Results = list[list[tuple[object, ...]]]


@dataclass(frozen=True)
class Shop:
    """A broker and ingest at work, and what was done with one recording.

    Attributes:
        first: results after the first replay, as fast as possible.
        again: results after the second.
        recorded: what `poise record` wrote during a replay at twenty times the pace, for another patient.
    """

    path: Path
    original: Path
    truth: Truth
    first: Results
    again: Results
    recorded: Path

    def rows(self, sql: str, *values: object) -> list[tuple]:
        return rows(self.path, sql, *values)


def rows(path: Path, sql: str, *values: object) -> list[tuple]:
    with sqlite3.connect(path) as c:
        return asked(c, sql, values)


def results(path: Path, patient: str = "P-SIM") -> Results:
    return [rows(path, sql, f"home/{patient}") for sql in RESULTS]


def a_day_in_the_shop(starter: Programs) -> Shop:
    folder, port = starter.folder, free_port()
    env = {"POISE_BROKER__PORT": str(port), "POISE_BROKER__EMBEDDED": "true"}
    simulate = starter.start("simulate", "x.poise", "--script", "short", "--seed", 2)
    starter.start("broker", "--port", port)
    ingest = starter.start("ingest", env=env)
    assert simulate.ended() == 0
    ingest.said("Ingest stores into")
    path, found = folder / "data/poise.db", []
    for _ in range(2):
        replay = starter.start("replay", "x.poise", "--speed", 0, env=env)
        assert replay.ended() == 0, replay.err
        assert "samples of P-SIM are stored" in replay.out
        found.append(results(path))
    record = starter.start("record", "y.poise", "--patient", "P-TWO", env=env)
    record.said("Recording P-TWO")
    replay = starter.start("replay", "x.poise", "--speed", 20, "--patient", "P-TWO", env=env)
    assert replay.ended() == 0, replay.err
    size = (folder / "x.poise").stat().st_size
    until(lambda: (folder / "y.poise").stat().st_size > 0.98 * size, 20, record)
    record.interrupted().in_good_order()
    assert "samples in y.poise" in record.out
    truth = Truth.from_json((folder / "x.truth.json").read_bytes())
    return Shop(path, folder / "x.poise", truth, *found, folder / "y.poise")
