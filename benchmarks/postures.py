"""Six postures of real people, one answer a trial, calibrated on two trials that are not scored.

Data: the sitting recordings (Nariman Ahmed and others, CC BY 4.0), beside the project; C7, T4, T12, lumbar.
Nothing is fitted: the answer is `analytics.posture.held` with the thresholds of the default plan.
Rivals: a linear discriminant on the same angles, trained on all people but the one in question, and always
answering the commonest posture.
"""

import sys
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
import sitting_poses as posing
import sitting_recordings as sitting

from analytics.posture.held import HeldPosture, held_posture

POSTURES = ("upright", "slouch", "forward_bend", "backward_bend", "right_bend", "left_bend")
SETS = (
    ("c7", "t4", "t12", "lumbar"),
    ("c7", "t4", "lumbar"),
    ("c7", "t12", "lumbar"),
    ("t4", "lumbar"),
    ("c7", "lumbar"),
    ("c7", "t4"),
    ("c7", "t12"),
)
SAID = {HeldPosture.HIP_LEAN: "forward_bend"}
"""The recordings call a lean from the hips a forward bend; every other name is the same."""


def answers(people: dict[int, list[posing.Pose]], segments: tuple[str, ...]) -> dict[int, posing.Pairs]:
    """Return (true, said) by person, seen by these sensors only."""
    found: dict[int, posing.Pairs] = {}
    for subject, poses in people.items():
        seen = [pose.seen_by(segments) for pose in poses]
        said = [held_posture(pose.sagittal, pose.frontal, pose.worn) for pose in seen]
        found[subject] = [(p.posture, SAID.get(s, str(s))) for p, s in zip(seen, said, strict=True)]
    return found


def flat(groups: dict[int, posing.Pairs]) -> posing.Pairs:
    """Return everybody's pairs."""
    return [pair for pairs in groups.values() for pair in pairs]


def table(people: dict[int, list[posing.Pose]]) -> None:
    """Print what each set of sensors can and cannot tell, beside the classifier."""
    print(f"\n{'sensors':22} macro F1  " + "  ".join(f"{p:>13}" for p in POSTURES) + "   discriminant")
    for segments in SETS:
        pairs = flat(answers(people, segments))
        rival = flat(posing.left_out(people, segments))
        scores = "  ".join(f"{posing.f1(pairs, p):13.2f}" for p in POSTURES)
        name = " ".join(segments)
        print(f"{name:22} {posing.macro(pairs):8.2f}  {scores}   {posing.macro(rival):12.2f}")
    print(
        "Without lumbar a forward bend is answered as a slouch: they are not told apart, and that is said.\n"
    )


def main() -> None:
    """Print a row a posture, a row a set of sensors, the rivals, and the macro F1."""
    if not sitting.subjects():
        print("left out: the sitting recordings are not beside the project (shared/data/sitting)")
        return
    people = posing.people()
    groups = answers(people, SETS[0])
    pairs = flat(groups)
    print(f"{len(pairs)} trials of {len(people)} people, all four sensors")
    for posture in POSTURES:
        said = Counter(s for t, s in pairs if t == posture).most_common()
        listed = ", ".join(f"{s} {n}" for s, n in said)
        print(f"{posture:14} F1 {posing.f1(pairs, posture):.2f}   answered: {listed}")
    table(people)
    commonest = Counter(t for t, _ in pairs).most_common(1)[0][0]
    rival = posing.left_out(people, SETS[0])
    print(f"commonest posture always: macro F1 {posing.macro([(t, commonest) for t, _ in pairs]):.2f}")
    print(f"discriminant, person left out: macro F1 {posing.macro(flat(rival)):.2f} "
          f"({posing.interval(list(rival.values()), posing.macro)})")  # fmt: skip
    slouch = posing.interval(list(groups.values()), lambda p: posing.f1(p, "slouch"))
    print(f"slouch F1 {posing.f1(pairs, 'slouch'):.2f} ({slouch})")
    print(f"macro F1 {posing.macro(pairs):.2f} ({posing.interval(list(groups.values()), posing.macro)})")


if __name__ == "__main__":
    main()
