"""The exercises that Poise knows by name, and which sensors can see them.

They are the ones that the project's document on upper back trigger point injections names for the time after:
neck stretches, shoulder blade squeezes, arm circles, rows, reverse flyes, exercises that steady the shoulder
blade, chest stretches. Any other name is counted too, from whatever moves most regularly.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from poise.skeleton import Segment, spoken

_SCAPULAE: Final = (Segment.SCAPULA_LEFT, Segment.SCAPULA_RIGHT)
_ARMS: Final = (Segment.UPPER_ARM_LEFT, Segment.UPPER_ARM_RIGHT)
_WRISTS: Final = (Segment.WRIST_LEFT, Segment.WRIST_RIGHT)
_NECK: Final = (Segment.HEAD,)


class Form(StrEnum):
    """How an exercise is done."""

    CYCLIC = "cyclic"
    CIRCLES = "circles"
    HOLD = "hold"


@dataclass(frozen=True, slots=True)
class Exercise:
    """One exercise.

    Attributes:
        name: its key.
        spoken: what a person calls it.
        form: repetitions, circles or a hold.
        seen_by: the groups of segments that can see it, best first; one segment of a group is enough.
        unseen: what to tell somebody who wears none of them.
    """

    name: str
    spoken: str
    form: Form
    seen_by: tuple[tuple[str, ...], ...]
    unseen: str = ""

    def watched(self, worn: Iterable[str]) -> tuple[str, ...]:
        """Return the worn segments of the best group that is worn at all, () if none can see it."""
        there = set(worn)
        for group in self.seen_by:
            found = tuple(str(segment) for segment in group if segment in there)
            if found:
                return found
        return ()


def _missing(groups: tuple[tuple[str, ...], ...], name: str) -> str:
    part = spoken(groups[0][0]).removeprefix("left ").removeprefix("right ")
    return f"{name[0].upper()}{name[1:]} cannot be seen with these sensors: wear one on the {part}."


def _exercise(name: str, said: str, form: Form, *groups: tuple[str, ...]) -> Exercise:
    return Exercise(name, said, form, groups, _missing(groups, said))


EXERCISES: Final = {
    exercise.name: exercise
    for exercise in (
        _exercise("shoulder_blade_squeeze", "the shoulder blade squeeze", Form.CYCLIC, _SCAPULAE, _ARMS),
        _exercise("arm_circles", "arm circles", Form.CIRCLES, _ARMS, _WRISTS),
        _exercise("row", "rows", Form.CYCLIC, _ARMS, _WRISTS, _SCAPULAE),
        _exercise("reverse_fly", "reverse flyes", Form.CYCLIC, _ARMS, _WRISTS, _SCAPULAE),
        _exercise("shrug", "shoulder shrugs", Form.CYCLIC, _SCAPULAE, _ARMS),
        _exercise(
            "scapular_stabilisation", "the shoulder blade exercise", Form.CYCLIC, _ARMS, _SCAPULAE, _WRISTS
        ),
        _exercise("neck_side_bend", "side bends of the neck", Form.CYCLIC, _NECK),
        _exercise("neck_rotation", "turns of the neck", Form.CYCLIC, _NECK),
        _exercise("neck_flexion", "bending the neck forward and back", Form.CYCLIC, _NECK),
        _exercise("neck_stretch", "the neck stretch", Form.HOLD, _NECK),
        _exercise("levator_stretch", "the levator stretch", Form.HOLD, _NECK),
        _exercise("chest_stretch", "the chest stretch", Form.HOLD, _ARMS, _SCAPULAE, _WRISTS),
    )
}
"""By name."""

_ALIKE: Final = {
    "squeeze": "shoulder_blade_squeeze",
    "shoulder_blade_squeezes": "shoulder_blade_squeeze",
    "scapular_squeeze": "shoulder_blade_squeeze",
    "scapular_squeezes": "shoulder_blade_squeeze",
    "scapular_retraction": "shoulder_blade_squeeze",
    "arm_circle": "arm_circles",
    "rows": "row",
    "reverse_flye": "reverse_fly",
    "reverse_flyes": "reverse_fly",
    "reverse_flies": "reverse_fly",
    "shrugs": "shrug",
    "neck_stretches": "neck_stretch",
    "levator": "levator_stretch",
    "levator_scapulae_stretch": "levator_stretch",
    "chest_stretches": "chest_stretch",
    "pectoral_stretch": "chest_stretch",
}


def find_exercise(name: str) -> Exercise | None:
    """Return the exercise of a name as people write it, None for one that is not in the catalogue."""
    key = name.strip().lower().replace(" ", "_").replace("-", "_")
    return EXERCISES.get(_ALIKE.get(key, key))
