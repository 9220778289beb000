"""Recordings of fourteen people, replayed through MQTT into the store, and what is found in them."""

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest
import sitting_recordings as sitting

from device.recordings.recording import RecordingHeader, RecordingWriter
from ingest.mqtt.embedded import EmbeddedBroker
from poise.calibration import Verdict
from poise.cli import data, parts
from poise.cli.settings import BrokerPart, load
from poise.results import Episode, Kind
from poise.topics import Wearer

pytestmark = [pytest.mark.recordings, pytest.mark.timeout(600)]
FORWARD = {Kind.SLOUCH, Kind.FORWARD_HEAD}
SHORTEST_US = 20_000_000


@dataclass(frozen=True)
class Judged:
    """One trial that was not used for calibration."""

    subject: int
    number: int
    posture: str
    kinds: frozenset[Kind]

    @property
    def forward(self) -> bool:
        return bool(self.kinds & FORWARD)


def recording(folder: Path, session: sitting.Sitting) -> Path:
    path = folder / f"{session.subject:02d}.poise"
    header = RecordingHeader(f"sitting-{session.subject:02d}", origin="replayed")
    with RecordingWriter(path, header) as writer:
        writer.write(sitting.own_calibration(session))
        for message in session.messages:
            writer.write(message)
    return path


async def replayed(folder: Path) -> dict[int, list[Episode]]:
    """Replay everybody through one broker into one store and read the episodes back."""
    found: dict[int, list[Episode]] = {}
    async with EmbeddedBroker(0) as broker:
        at = BrokerPart(port=broker.settings.port, embedded=True)
        settings = load(data=folder / "data", broker=at)
        async with parts.ingesting(settings, broker.settings) as (ingest, reader):
            await ingest.until_connected()
            for subject in sitting.subjects():
                path = recording(folder, sitting.load(subject))
                assert await data.play(path, 0, settings, as_if_now=False, patient="") == 0
                wearer = Wearer(f"sitting-{subject:02d}")
                found[subject] = list(await asyncio.to_thread(reader.episodes, wearer, 0, 2**60))
    return found


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> list[Judged]:
    sitting.require()
    episodes = asyncio.run(replayed(tmp_path_factory.mktemp("people")))
    trials = []
    for subject, found in episodes.items():
        session = sitting.load(subject)
        used = {session.first("upright").number, session.first("forward_bend").number}
        for trial in session.trials:
            if trial.end_us - trial.start_us < SHORTEST_US:
                print(f"left out: subject {subject}, trial {trial.number}, {trial.posture}: under 20 s")
            elif trial.number not in used:
                inside = {e.kind for e in found if trial.start_us <= e.start_us < trial.end_us}
                trials.append(Judged(subject, trial.number, trial.posture, frozenset(inside)))
    return trials


def share(trials: list[Judged], wanted: bool) -> float:
    wrong = [(t.subject, t.number, sorted(t.kinds)) for t in trials if t.forward is not wanted]
    print(f"{len(trials) - len(wrong)} of {len(trials)}; not so: {wrong}")
    return 1 - len(wrong) / len(trials)


def test_everybody_is_there_and_calibrated() -> None:
    sitting.require()
    assert len(sitting.subjects()) == 14
    verdicts = {
        subject: sitting.own_calibration(sitting.load(subject)).verdict for subject in sitting.subjects()
    }
    assert set(verdicts.values()) == {Verdict.GOOD}


def test_a_slouch_is_found_in_at_least_nine_of_ten_slouch_trials(judged: list[Judged]) -> None:
    assert share([t for t in judged if t.posture == "slouch"], wanted=True) >= 0.9


def test_none_is_invented_in_at_least_nine_of_ten_other_upright_trials(judged: list[Judged]) -> None:
    assert share([t for t in judged if t.posture == "upright"], wanted=False) >= 0.9
