"""The clinic's plan at a wearer's gateway: the newest is kept beside the spool, also over a restart."""

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

from analytics.care.told import checked
from ingest.mqtt.enrolment import write_secret
from poise.errors import ConfigurationError, WireError
from poise.notices import decode, encode
from poise.planned import PlanNotice, Stage
from poise.topics import Wearer

_log: Final = logging.getLogger("poise.gateway")


def plan_file(data: Path, wearer: Wearer) -> Path:
    """Return where a wearer's plan is kept."""
    return data / f"plan-{wearer.site}-{wearer.patient}.json"


class Planned:
    """Keeps a wearer's newest plan on disk, and hands its stages on."""

    def __init__(self, data: Path, wearer: Wearer, go_by: Callable[[Sequence[Stage]], None]) -> None:
        """Begin without one.

        Args:
            data: the folder of the spool.
            wearer: whose.
            go_by: takes the stages.
        """
        self._file, self._go_by = plan_file(data, wearer), go_by
        self._plan: PlanNotice | None = None

    def begin(self) -> None:
        """Go by the plan on file, if there is one that can be read."""
        try:
            self._plan = checked(decode(self._file.read_bytes(), PlanNotice))
        except OSError:
            return
        except WireError as exc:
            _log.warning("the plan on file cannot be read, and waits for the clinic's: %s", exc)
            return
        self._go_by(self._plan.stages)

    def take(self, plan: PlanNotice | None) -> None:
        """Go by a new plan from now on, and keep it; None: there is none any more.

        Raises:
            WireError: if it cannot be gone by; the one before holds.
        """
        if plan is None:
            self._plan = None
            self._file.unlink(missing_ok=True)
            self._go_by(())
            return
        if plan == self._plan or (self._plan and checked(plan).made_us < self._plan.made_us):
            return
        self._plan = checked(plan)
        self._go_by(plan.stages)
        try:
            write_secret(self._file, encode(plan))
        except ConfigurationError as exc:
            _log.warning("%s; the plan holds until this program ends", exc)
