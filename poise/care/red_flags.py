"""What patients and their team read in the first days: the one file for a clinician to review.

The urgency of each flag is the one that the project's document on trigger point injections gives. The wording
is this project's own. A text says what to do and names no disease: nothing is diagnosed here. Raise
`TEXT_VERSION` with any change; every flag keeps the version that was shown. Not yet reviewed by a clinician.
"""

from dataclasses import dataclass
from typing import Final

from poise.care.flags import FlagCode, Sign, Urgency

TEXT_VERSION: Final = 1
PRESS_MIN: Final = 10
"""Minutes of steady pressure before bleeding counts as not stopping. The document says a few minutes usually
do; ten is a project decision."""


@dataclass(frozen=True, slots=True)
class FlagText:
    """The fixed text of one red flag.

    Attributes:
        code: which flag.
        urgency: how soon to act.
        heading: what it is about.
        patient: what to do.
        on_blood_thinner: read in place of `patient` by those who take one; "" where it is the same.
        team: for clinician and therapist.
    """

    code: FlagCode
    urgency: Urgency
    heading: str
    patient: str
    on_blood_thinner: str = ""
    team: str = ""

    def told(self, *, blood_thinner: bool) -> str:
        """Return what this patient reads."""
        return self.on_blood_thinner if blood_thinner and self.on_blood_thinner else self.patient


_EMERGENCY: Final = (
    "Call your local emergency number now. Do not drive yourself. Tell them that you had an injection in the "
    "upper back, and when."
)
_PROMPTLY: Final = (
    "Please get medical attention promptly: call the clinic that gave the injection today, and if you do not "
    "reach it, an urgent care service."
)

FLAG_TEXTS: Final = {
    text.code: text
    for text in (
        FlagText(
            FlagCode.BREATHING,
            Urgency.EMERGENCY_NOW,
            "Trouble breathing",
            _EMERGENCY,
            team="The patient reports difficulty in breathing and was told to call the emergency number.",
        ),
        FlagText(
            FlagCode.CHEST_PAIN,
            Urgency.EMERGENCY_NOW,
            "Sudden chest pain",
            _EMERGENCY,
            team="The patient reports sudden chest pain and was told to call the emergency number.",
        ),
        FlagText(
            FlagCode.FACE_OR_THROAT,
            Urgency.EMERGENCY_NOW,
            "Swelling of face or throat",
            _EMERGENCY,
            team="The patient reports swelling of face or throat and was told to call the emergency number.",
        ),
        FlagText(
            FlagCode.SITE,
            Urgency.PROMPTLY,
            "A change at the injection site",
            _PROMPTLY + " Redness, swelling or pain that grows or spreads, warmth or fluid needs a look.",
            team="The patient reports a change at the injection site and was told to get it seen promptly.",
        ),
        FlagText(
            FlagCode.FEVER,
            Urgency.PROMPTLY,
            "Fever or chills",
            _PROMPTLY + " Say that you had an injection, and when.",
            team="The patient reports fever or chills and was told to get medical attention promptly.",
        ),
        FlagText(
            FlagCode.SKIN_REACTION,
            Urgency.PROMPTLY,
            "Hives or itching",
            _PROMPTLY + " If you also find it hard to breathe, or face or throat swell, call your local "
            "emergency number now.",
            team="The patient reports hives or itching and was told to get medical attention promptly.",
        ),
        FlagText(
            FlagCode.NERVE,
            Urgency.PROMPTLY,
            "New numbness, tingling or weakness",
            _PROMPTLY + " Do not lift or drive with an arm or hand that feels weak or numb.",
            team="The patient reports a new change of feeling or strength in arm or hand and was told to get "
            "medical attention promptly.",
        ),
        FlagText(
            FlagCode.BLEEDING,
            Urgency.PROMPTLY,
            "Bleeding that does not stop",
            f"Keep pressing with a clean cloth. {_PROMPTLY}",
            on_blood_thinner="Keep pressing with a clean cloth. Because you take a blood thinner, do not "
            f"wait for it to stop by itself. {_PROMPTLY} Go on taking the blood thinner unless they tell you "
            "otherwise.",
            team="The patient reports bleeding that goes on and was told to get medical attention promptly.",
        ),
        FlagText(
            FlagCode.PAIN,
            Urgency.ASK_CLINICIAN,
            "Pain that stays or grows",
            "Please ask your clinician about it. You can write the question down here for the next visit, or "
            "call the clinic sooner.",
            team="The pain that the injection was for has not eased, or has grown.",
        ),
        FlagText(
            FlagCode.SORENESS,
            Urgency.ASK_CLINICIAN,
            "Soreness that stays or grows",
            "Soreness usually eases after the second day. Yours has not, so please let your clinician have a "
            "look.",
            team="Soreness of the site rises after 48 hours or is still there on day 7: please have a look.",
        ),
    )
}
"""By code, the most urgent first."""

SIGN_CODES: Final = {
    Sign.BREATHING_DIFFICULTY: FlagCode.BREATHING,
    Sign.SUDDEN_CHEST_PAIN: FlagCode.CHEST_PAIN,
    Sign.FACE_OR_THROAT_SWELLING: FlagCode.FACE_OR_THROAT,
    Sign.REDNESS_INCREASING: FlagCode.SITE,
    Sign.SWELLING_INCREASING: FlagCode.SITE,
    Sign.PAIN_INCREASING: FlagCode.SITE,
    Sign.WARMTH: FlagCode.SITE,
    Sign.DRAINAGE: FlagCode.SITE,
    Sign.FEVER: FlagCode.FEVER,
    Sign.CHILLS: FlagCode.FEVER,
    Sign.HIVES: FlagCode.SKIN_REACTION,
    Sign.ITCHING: FlagCode.SKIN_REACTION,
    Sign.NUMBNESS: FlagCode.NERVE,
    Sign.TINGLING: FlagCode.NERVE,
    Sign.WEAKNESS: FlagCode.NERVE,
    Sign.BLEEDING: FlagCode.BLEEDING,
    Sign.PAIN_PERSISTING: FlagCode.PAIN,
    Sign.PAIN_GROWING: FlagCode.PAIN,
    Sign.SORENESS_RISING: FlagCode.SORENESS,
    Sign.SORENESS_LASTING: FlagCode.SORENESS,
}
"""Which flag a sign raises."""

QUESTIONS: Final = {
    Sign.BREATHING_DIFFICULTY: "Is it hard to breathe?",
    Sign.SUDDEN_CHEST_PAIN: "Did you get a sudden pain in the chest?",
    Sign.FACE_OR_THROAT_SWELLING: "Is your face or throat swelling?",
    Sign.PAIN_INCREASING: "Apart from the soreness: is pain at the injection site growing by the hour, or "
    "spreading?",
    Sign.WARMTH: "Does the injection site feel clearly warmer than the skin around it?",
    Sign.DRAINAGE: "Does fluid or pus come from the injection site?",
    Sign.FEVER: "Do you have a fever?",
    Sign.CHILLS: "Do you have chills?",
    Sign.HIVES: "Do you have hives or a new rash?",
    Sign.ITCHING: "Do you itch, other than under a sensor or plaster?",
    Sign.NUMBNESS: "Is an arm or hand newly numb?",
    Sign.TINGLING: "Does an arm or hand newly tingle?",
    Sign.WEAKNESS: "Is an arm or hand newly weak?",
}
"""Signs that are asked for by yes or no."""

BLEEDING_QUESTION: Final = (
    f"Did the injection site bleed? If it does now, press on it with a clean cloth for {PRESS_MIN} minutes "
    "without looking, then answer."
)

NORMAL_TEXTS: Final = {
    "soreness": "Some soreness is normal. It is usually strongest one to two days after the injection and "
    "eases within a few days.",
    "redness": "A little redness around the injection site is normal and fades.",
    "swelling": "A little swelling around the injection site is normal and goes down.",
    "bruising": "A bruise is normal. It may change its colour and take a week or two to fade.",
    "bleeding": "A little bleeding that stops under pressure is normal.",
    "stiffness": "Some stiffness is normal. Gentle movement within comfort helps.",
}
"""What normal healing is called, so that it does not alarm."""
