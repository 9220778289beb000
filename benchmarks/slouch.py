"""Upright against slouch with two sensors, C7 and T4: no lumbar, nothing fitted on the person under test.

Data: upright and slouch trials of the sitting recordings (Nariman Ahmed and others, CC BY 4.0), beside the
project; a person's first upright and first forward bend calibrate and are not scored.
Rivals: a linear discriminant on the same angles, trained on all other people, and C7 alone.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
import sitting_poses as posing
import sitting_recordings as sitting

from analytics.posture.held import HeldPosture, held_posture

FORWARD = (HeldPosture.SLOUCH, HeldPosture.FORWARD_HEAD, HeldPosture.HIP_LEAN)
SETS = (("c7", "t4"), ("t4",), ("c7", "t12"), ("c7",))


def answers(people: dict[int, list[posing.Pose]], segments: tuple[str, ...]) -> dict[int, posing.Pairs]:
    """Return (true, said) by person; without a thorax reference any lean forward of C7 counts as a slouch."""
    found: dict[int, posing.Pairs] = {}
    for subject, poses in people.items():
        seen = [pose.seen_by(segments) for pose in poses]
        said = [held_posture(pose.sagittal, pose.frontal, pose.worn) for pose in seen]
        wanted = (HeldPosture.SLOUCH,) if {"t4", "t12"} & set(segments) else FORWARD
        found[subject] = [
            (p.posture, "slouch" if s in wanted else "upright") for p, s in zip(seen, said, strict=True)
        ]
    return found


def main() -> None:
    """Print a row a set of sensors, the rival, and the F1 of C7 and T4."""
    if not sitting.subjects():
        print("left out: the sitting recordings are not beside the project (shared/data/sitting)")
        return
    everything = posing.people()
    people = {s: [p for p in poses if p.posture in ("upright", "slouch")] for s, poses in everything.items()}
    for segments in SETS:
        groups = list(answers(people, segments).values())
        pairs = [pair for group in groups for pair in group]
        missed = sum(t == "slouch" != s for t, s in pairs)
        false = sum(s == "slouch" != t for t, s in pairs)
        score = posing.f1(pairs, "slouch")
        print(f"{' '.join(segments):8} F1 {score:.3f}, missed {missed}, false {false} of {len(pairs)} trials")
    rival = [pair for group in posing.left_out(people, SETS[0]).values() for pair in group]
    print(f"discriminant on C7 and T4, person left out: F1 {posing.f1(rival, 'slouch'):.3f}")
    groups = list(answers(people, SETS[0]).values())
    pairs = [pair for group in groups for pair in group]
    spread = posing.interval(groups, lambda p: posing.f1(p, "slouch"))
    print(f"slouch F1 with C7 and T4: {posing.f1(pairs, 'slouch'):.3f} ({spread}), {len(people)} people")


if __name__ == "__main__":
    main()
