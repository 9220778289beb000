"""All sensors of one wearer, cut into one message a UTC second.

Everything is decided in fixed slots of the host's clock and from arrival stamps, so that the same arrivals
make the same messages, however they were handed over.
"""

from collections.abc import Mapping
from typing import Final

from device.stream.clock import Moment
from device.stream.pieces import SECOND_US
from device.stream.track import LastSample, Marks, Track
from device.vendors.base import Notification, Vendor
from poise.samples import Gap, ImuBatch, SampleMessage

SLOT_US: Final = 50_000
WAIT_US: Final = 500_000
"""How long a second's message waits for a late sensor; what comes later leaves in the next message."""
SILENT_US: Final = 2_000_000
"""A sensor silent for this long is not waited for."""
KEPT_US: Final = 2_000_000
"""Samples that are older than what has left already by this much were kept by their sensor."""
_MAX_BATCHES: Final = 60  # the wire allows 64 in a message


class Assembler:
    """Notifications of all sensors in, messages out; sequence and floor are the spool's to set.

    Attributes:
        tracks: the sensors, by identity.
        calibration: id of the calibration to write on the batches from now on, "" for none.
        watched: somebody asks for `fresh` samples; to be set before sensors are added.
    """

    def __init__(self, session: str, *, origin: str = "worn", last: Mapping[str, LastSample] | None = None):
        """Begin a gateway session.

        Args:
            session: its unique id.
            origin: "worn" or "simulated"; stands on every message.
            last: by sensor, the newest sample on disk from an earlier session.
        """
        self.tracks: dict[str, Track] = {}
        self.calibration = ""
        self.watched = False
        self._session, self._origin = session, origin
        self._last = dict(last or {})
        self._waiting: dict[str, tuple[list[Notification | None], list[Moment]]] = {}
        self._slot_end = 0
        self._offset_us = 0
        self._cut_us = 0

    def add(self, sensor: str, segment: str, vendor: Vendor) -> Track:
        """Expect a sensor; the same sensor again changes nothing."""
        if sensor not in self.tracks:
            self.tracks[sensor] = Track(sensor, segment, vendor, self._last.get(sensor))
            self.tracks[sensor].watched = self.watched
        return self.tracks[sensor]

    def linked(self, sensor: str, moment: Moment) -> None:
        """Hear that a sensor's connection is a new one: what was sent meanwhile did not come."""
        self._keep(sensor, None, moment)

    def push(self, sensor: str, notification: Notification, moment: Moment) -> None:
        """Take one notification of an expected sensor; moments must not run backwards."""
        self._keep(sensor, notification, moment)

    def _keep(self, sensor: str, notification: Notification | None, moment: Moment) -> None:
        notifications, moments = self._waiting.setdefault(sensor, ([], []))
        notifications.append(notification)
        moments.append(moment)

    def advance(self, now: Moment) -> list[SampleMessage]:
        """Work through the slots that are over and return the messages that are due."""
        if not self._waiting and not self._slot_end:
            return []
        if not self._slot_end:
            self._slot_end = min(m[0].host_us for _, m in self._waiting.values()) // SLOT_US * SLOT_US
        messages: list[SampleMessage] = []
        while self._slot_end + SLOT_US <= now.host_us:
            self._slot_end += SLOT_US
            if self._waiting:
                self._take_slot()
            messages += self._due()
        return messages

    def fresh(self) -> list[ImuBatch]:
        """Return the live samples timed since the last call: a cue must not wait for a message."""
        found = [batch for track in self.tracks.values() for batch in track.fresh(self.calibration)]
        return [batch for batch in found if batch.t_us[-1] >= self._cut_us - KEPT_US]

    def marks(self, boot: str) -> Marks:
        """Return how the clocks stand, for the spool to keep with messages cut just now."""
        heard = [track for track in self.tracks.values() if track.heard_us and track.newest_us]
        return Marks(boot, {track.sensor: track.newest_us - track.heard_us for track in heard})

    def finish(self, now: Moment) -> list[SampleMessage]:
        """Return everything that is left, the partial second too."""
        messages = self.advance(Moment(now.host_us + SLOT_US, now.utc_us))
        for track in self.tracks.values():
            track.settle()
        while (oldest := self._oldest()) is not None:
            messages += self._message((oldest // SECOND_US + 1) * SECOND_US)
        return messages

    def _take_slot(self) -> None:
        for sensor, (notifications, moments) in list(self._waiting.items()):
            n = sum(moment.host_us < self._slot_end for moment in moments)
            if n:
                self._offset_us = moments[n - 1].utc_us - moments[n - 1].host_us
                self.tracks[sensor].take(notifications[:n], moments[:n])
            del notifications[:n], moments[:n]
            if not moments:
                del self._waiting[sensor]

    def _due(self) -> list[SampleMessage]:
        utc_us = self._slot_end + self._offset_us
        oldest = self._oldest()
        if oldest is None:
            return []
        if self._cut_us > utc_us + 2 * SECOND_US:  # the host's clock was set back
            self._cut_us = 0
        messages: list[SampleMessage] = []
        while oldest is not None:
            # Rests of an earlier second go with the next one.
            end_us = max(self._cut_us, oldest // SECOND_US * SECOND_US) + SECOND_US
            if utc_us < end_us + WAIT_US and not self._complete(end_us):
                break
            messages += self._message(end_us)
            oldest = self._oldest()
        return messages

    def _complete(self, end_us: int) -> bool:
        heard = [t for t in self.tracks.values() if t.heard_us and self._slot_end - t.heard_us < SILENT_US]
        return bool(heard) and all(track.newest_us >= end_us for track in heard)

    def _message(self, end_us: int) -> list[SampleMessage]:
        batches: list[ImuBatch] = []
        gaps: list[Gap] = []
        kept_us = self._cut_us - KEPT_US
        for track in self.tracks.values():
            more, missing = track.cut(end_us, self.calibration)
            batches += more
            gaps += missing
        self._cut_us = end_us
        # What a sensor kept over a break leaves by itself: ingest makes a run of its own of it.
        kept = [batch for batch in batches if batch.t_us[-1] < kept_us]
        live = [batch for batch in batches if batch.t_us[-1] >= kept_us]
        parts = [(part, True) for part in _parts(kept)] + [(part, False) for part in _parts(live)]
        return [
            SampleMessage(self._session, 0, part, tuple(gaps if i == 0 else ()), 0, self._origin, waited)
            for i, (part, waited) in enumerate(parts)
        ]

    def _oldest(self) -> int | None:
        return min(
            (t for track in self.tracks.values() if (t := track.oldest_us()) is not None), default=None
        )


def _parts(batches: list[ImuBatch]) -> list[tuple[ImuBatch, ...]]:
    """Cut batches into what a message can hold."""
    return [tuple(batches[i : i + _MAX_BATCHES]) for i in range(0, len(batches), _MAX_BATCHES)]
