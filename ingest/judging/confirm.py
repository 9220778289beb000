"""What of a gateway session is on the disk, and the `stored` notice that says so."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from poise.notices import Stored

MOST_HOLES: Final = 200
"""Holes named in one notice; what lies behind the last of them is confirmed when it is filled."""


@dataclass(slots=True)
class Confirmation:
    """Sequences of one session on the disk: all through one number, and some beyond it.

    Attributes:
        through: everything up to and with this is stored or was given up; -1 for nothing.
        beyond: stored sequences behind the first hole.
    """

    through: int = -1
    beyond: set[int] = field(default_factory=set)

    @classmethod
    def of(cls, sequences: Iterable[int], floor: int) -> "Confirmation":
        """Rebuild it from what a store holds."""
        confirmation = cls(floor - 1, {sequence for sequence in sequences if sequence >= floor})
        confirmation._advance()
        return confirmation

    @property
    def highest(self) -> int:
        """The highest sequence stored, at least `through`."""
        return max(self.beyond, default=self.through)

    def add(self, sequence: int, floor: int) -> None:
        """Count a stored message in; `floor` is what the gateway says it can still send."""
        if floor > self.through + 1:
            self.through = floor - 1
            self.beyond = {kept for kept in self.beyond if kept >= floor}
        if sequence > self.through:
            self.beyond.add(sequence)
        self._advance()

    def notice(self, session: str) -> Stored:
        """Return what may be confirmed; never more than is stored."""
        holes: list[tuple[int, int]] = []
        highest = after = self.through
        for sequence in sorted(self.beyond):
            if sequence > after + 1:
                if len(holes) == MOST_HOLES:
                    break
                holes.append((after + 1, sequence - 1))
            after = highest = sequence
        return Stored(session=session, through=self.through, highest=highest, holes=holes)

    def _advance(self) -> None:
        while self.through + 1 in self.beyond:
            self.through += 1
            self.beyond.remove(self.through)
