"""The soft notice of the guard: one calm sentence, seldom, and never from data that is old."""

from typing import Final

from poise.strain import Exceedance, Strain

SENTENCES_VERSION: Final = 1
SENTENCES: Final = {
    Strain.VIGOROUS_ARMS: "Your arms have worked hard for a while. Let them rest; gentle movement is fine.",
    Strain.OVERHEAD: "Your arms have been up for a while. Let them down; gentle movement is fine.",
    Strain.LIFTING_LIKE: "You have bent down often just now. If you were lifting, let it be for now.",
}
"""None alarms, none claims to know what was lifted or that anything was harmed."""
BETWEEN_US: Final = 30 * 60 * 1_000_000
"""At most one notice in this time, whatever the kinds; project decision."""
STALE_US: Final = 5_000_000
"""No notice from frames older than this, as for cues (`analytics.cues.plan`)."""


class SoftNotices:
    """Decides which exceedance the wearer hears of; the others are in the log all the same."""

    def __init__(self) -> None:
        """Begin with nothing said."""
        self._said_us: int | None = None

    def say(self, exceedance: Exceedance, *, newest_us: int, now_us: int, quiet: bool) -> str | None:
        """Return the sentence to show now, None for none.

        Args:
            exceedance: from the guard; only one that has just begun is spoken of.
            newest_us: UTC µs of the newest frame that the guard has seen.
            now_us: UTC µs.
            quiet: it is in the wearer's quiet hours, or prompts are paused.
        """
        if exceedance.end_us is not None or quiet or abs(now_us - newest_us) > STALE_US:
            return None
        if self._said_us is not None and 0 <= now_us - self._said_us < BETWEEN_US:
            return None
        self._said_us = now_us
        return SENTENCES[exceedance.kind]
