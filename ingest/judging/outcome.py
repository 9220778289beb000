"""What a commit makes true: counted here, and told to others only afterwards."""

from collections.abc import Iterable
from dataclasses import dataclass, field, fields

from ingest.mqtt.settings import Outgoing
from poise.notices import EpisodeNotice, Live
from poise.samples import SampleMessage
from poise.topics import Wearer

Session = tuple[Wearer, str]


@dataclass(slots=True)
class IntakeCounts:
    """What came since the start.

    Attributes:
        stored: messages taken.
        samples: of all sensors, in these.
        missing: samples that gateways reported missing.
        duplicates: messages that came again.
        late: messages that ended before what was analysed already.
        beside: messages of a second gateway.
        dead_letters: messages that could not be understood.
        commits: transactions.
        erased: messages of wearers who were erased, dropped.
        withdrawn: messages of wearers who have withdrawn consent, dropped.
    """

    stored: int = 0
    samples: int = 0
    missing: int = 0
    duplicates: int = 0
    late: int = 0
    beside: int = 0
    dead_letters: int = 0
    commits: int = 0
    erased: int = 0
    withdrawn: int = 0

    def put(self, message: SampleMessage, *, late: bool, beside: bool) -> None:
        """Count a message that is stored."""
        self.stored += 1
        self.samples += sum(len(batch) for batch in message.batches)
        self.missing += sum(gap.count for gap in message.gaps)
        self.late += late
        self.beside += beside

    def add(self, more: "IntakeCounts") -> None:
        """Count in what another counted."""
        for each in fields(self):
            setattr(self, each.name, getattr(self, each.name) + getattr(more, each.name))


@dataclass(slots=True)
class Outcome:
    """What is to be told of a commit.

    Attributes:
        sessions: of which there is more on disk.
        live: the newest frames.
        episodes: that began, changed or ended, by their ids.
        dead: topic and reason of what was put aside.
        newest_us: UTC µs of the newest sample of each message that was analysed live.
        counts: what it counts for.
        answers: what else is to be published for what came.
    """

    sessions: set[Session] = field(default_factory=set)
    live: dict[Wearer, Live] = field(default_factory=dict)
    episodes: dict[tuple[Wearer, str], EpisodeNotice] = field(default_factory=dict)
    dead: list[tuple[str, str]] = field(default_factory=list)
    newest_us: list[int] = field(default_factory=list)
    counts: IntakeCounts = field(default_factory=IntakeCounts)
    answers: list[Outgoing] = field(default_factory=list)


def joined(outcomes: Iterable[Outcome]) -> Outcome:
    """Return the outcome of several commits."""
    whole = Outcome()
    for outcome in outcomes:
        whole.sessions |= outcome.sessions
        whole.live |= outcome.live
        whole.episodes |= outcome.episodes
        whole.dead += outcome.dead
        whole.newest_us += outcome.newest_us
        whole.answers += outcome.answers
        whole.counts.add(outcome.counts)
    return whole
