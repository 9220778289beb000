"""When a posture holds and how long it must: every threshold with its source.

All angles are deviations from the person's own calibrated upright, because absolute cut-offs do not separate
patients from others (world.physio congress abstract, craniovertebral angle p = 0.98) and the resting tilt
of head and neck differs between people (Ankrum and Nemeth, resting eye-ear line).
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Plan:
    """What is held against a wearer, and how long; every field can be set by a therapist later.

    Attributes:
        forward_head_deg: C7 forward of upright and beyond the thorax reference. 10° is where RULA leaves its
            first neck band (McAtamney and Corlett 1993, doi:10.1016/0003-6870(93)90080-S); the mean
            difference of the craniovertebral angle between neck-pain patients and others is 6.6° (Lau 2009,
            Man Ther).
        slouch_deg: thorax reference forward. Half of the mean of 14 people in the sitting recordings
            (T4 +26°); their largest repeated upright is 6°.
        slouch_t12_deg: the same where T12 is the thorax reference: half of T12's mean, +20°.
        still_share: lumbar lean, as a share of the person's own in a bow from the hips, below which the
            lumbar counts as still. Two thirds of the way from still to a full lean: a project decision.
        hip_lean_deg: least lumbar lean that can be one from the hips; recordings: +16° mean.
        looking_down_deg: head forward with C7 still; RULA's highest neck band begins at 20°.
        rounded_deg: scapula forward beyond the thorax. Twice the 5° that re-attaching a scapular sensor
            changes (discovery.researcher.life, tripod against skin-fixed recording of scapular motion).
        raised_deg: scapula tilted outward beyond the thorax, in the frontal plane. As for rounding twice the
            5° of re-attachment, and 2° more because a calibration by a bow knows the frontal plane less well:
            a project decision, for an estimate.
        raised_arm_deg: upper arm led away from the body, where no scapula is worn; 20° is where RULA leaves
            its first band of the upper arm.
        raised_share: outward tilt as a share of the scapula's own forward lean, below which it is taken for
            a forward lean seen through a slightly turned sensor: a project decision.
        side_bend_deg: thorax sideways; above natural sway, below the 15° that OSHA calls neutral head tilt.
        release_deg: a posture ends this far below its threshold, so that it does not flicker.
        dwell_s: how long a posture must be held before it is recorded (docs/postures.md: project decision).
        recover_s: a posture left, or unseen, for less than this goes on. Two episodes of a kind are always
            further apart, so this is the merge gap too (HeadOrbit uses 0.8 s; products up to minutes).
        moving_s: moving about counts into a posture for this long, because one moves into it; what is longer
            is not judged. Standing up or sitting down takes 2 to 3 s. A project decision.
        absent_s: a sensor silent for longer counts as not worn until it is seen again, and the rules make do
            without it; until then what needs it is unseen. A project decision.
    """

    forward_head_deg: float = 10.0
    slouch_deg: float = 12.0
    slouch_t12_deg: float = 10.0
    still_share: float = 2 / 3
    hip_lean_deg: float = 8.0
    looking_down_deg: float = 20.0
    rounded_deg: float = 10.0
    raised_deg: float = 12.0
    raised_arm_deg: float = 20.0
    raised_share: float = 0.5
    side_bend_deg: float = 12.0
    release_deg: float = 3.0
    dwell_s: float = 10.0
    recover_s: float = 2.0
    moving_s: float = 5.0
    absent_s: float = 60.0


DEFAULT_PLAN: Final = Plan()
