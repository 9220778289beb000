"""What the tests of erasure look for, and where."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
from ingest_helpers import Shelf, calibrated, day, received, samples, take_all

from ingest.erasing.gate import Gate
from ingest.erasing.register import Register, Standing
from ingest.judging.outcome import Outcome
from ingest.mqtt.settings import Received
from ingest.results.store import key
from poise import notices
from poise.notices import Presence, SensorStatus
from poise.samples import Gap, SampleMessage
from poise.topics import Leaf, Wearer

GONE, OTHER = Wearer("P-gone"), Wearer("P-stays")


def marked(message: SampleMessage, mark: int) -> SampleMessage:
    """The message with a noise on its accelerations that no other wearer has."""
    rng = np.random.default_rng([mark, message.sequence])
    noises = [rng.integers(-40, 40, batch.acc.shape, np.int16) for batch in message.batches]
    pairs = zip(message.batches, noises, strict=True)
    return replace(message, batches=tuple(replace(batch, acc=batch.acc + noise) for batch, noise in pairs))


def traces(messages: Iterable[SampleMessage]) -> list[bytes]:
    """Bytes of samples by which a message is known wherever it lies uncompressed."""
    return [batch.acc[5:25].tobytes() for message in messages for batch in message.batches[:1]]


def found_in(folder: Path, words: Iterable[bytes], *, besides: Iterable[str] = ()) -> list[str]:
    """Every file of a folder that holds one of these, or has it in its name."""
    wanted, skipped, found = list(words), set(besides), []
    for path in sorted(folder.rglob("*")):
        if skipped & set(path.relative_to(folder).parts):
            continue
        name = str(path.relative_to(folder)).encode()
        content = path.read_bytes() if path.is_file() else b""
        found += [f"{path.relative_to(folder)}: {word[:40]!r}" for word in wanted if word in name + content]
    return found


class Guarded(Shelf):
    """An ingest database behind the gate."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.register = Register(path.parent)
        self.gate = Gate(self.intake, Register(path.parent), self.database, self.journal, lambda: self.now_us)

    def said(self, wearer: Wearer, what: Standing) -> None:
        self.register.put(key(wearer), what, self.now_us)
        self.gate.look()

    def take(self, *messages: Received) -> Outcome:
        return self.gate.take(messages)


def everything_of(
    wearer: Wearer, mark: int, seconds: int = 100
) -> tuple[list[Received], list[SampleMessage]]:
    """Messages that leave something of a wearer in every table, and the samples in them."""
    gap = Gap("S1", "head", 1_790_000_000_000_000, 1_790_000_000_500_000, 25, reason="radio")
    made = [marked(message, mark) for message in day(seconds)]
    made[3] = replace(made[3], gaps=(gap,))
    presence = Presence(state="online", gateway="desk", session="g1", since_us=0)
    status = SensorStatus(sensor="S1", segment="head", state="streaming", since_us=0)
    said = [
        received(wearer.topic(Leaf.CALIBRATION), calibrated().payload),
        received(wearer.topic(Leaf.PRESENCE), notices.encode(presence)),
        received(wearer.topic(Leaf.SENSOR, "S1"), notices.encode(status)),
        received(wearer.topic(Leaf.SAMPLES), b"\x93garbage of " + key(wearer).encode()),
    ]
    return [*said, *samples(made, wearer)], made


def filled(shelf: Shelf, *, mark: int = 11) -> list[SampleMessage]:
    """Put two wearers into a database, turn by turn; return the samples of the one who is to go."""
    mine, made = everything_of(GONE, mark)
    others, _ = everything_of(OTHER, 501)
    both = [message for pair in zip(mine, others, strict=True) for message in pair]
    take_all(shelf, both)
    shelf.intake.keep_all()
    return made
