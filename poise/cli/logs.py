"""The log: sentences on a terminal, one line of JSON for each event everywhere else.

No line has a patient's name, since Poise knows none. A wearer's pseudonym is in a field of its own, and only
where the level is "debug".
"""

import json
import logging
import sys
from datetime import UTC, datetime
from typing import Final

_PLAIN: Final = "%(levelname)s %(name)s: %(message)s"
WEARER: Final = "wearer"
"""Name of the field in a record's `extra`."""


class JsonLines(logging.Formatter):
    """One event as one line of JSON: time, level, logger, what was said, and where an error came from."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        event = {
            "t": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        wearer = getattr(record, WEARER, None)
        if wearer and logging.getLogger().isEnabledFor(logging.DEBUG):
            event[WEARER] = str(wearer)
        if record.exc_info:
            event["error"] = self.formatException(record.exc_info)
        return json.dumps(event, ensure_ascii=False)


def set_level(level: str) -> None:
    """Say from which level on the log says it."""
    logging.getLogger().setLevel(level.upper())


def begin() -> None:
    """Log to standard error."""
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(_PLAIN) if sys.stderr.isatty() else JsonLines())
    logging.basicConfig(handlers=[handler])
    # bumble warns of each packet that meets a link that has just ended; `device.bluetooth` says what matters.
    logging.getLogger("bumble").setLevel(logging.CRITICAL)
