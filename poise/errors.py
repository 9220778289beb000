"""Every error that Poise raises on purpose.

PoiseError
├── ConfigurationError      a setting is wrong or a resource is missing: ends the program with its sentence
├── WireError               bytes from the network, a spool or a recording do not follow docs/wire.md
├── DecodeError             bytes from a sensor do not follow its vendor's layout
├── CalibrationError        the samples given cannot make a calibration; the sentence says what to repeat
├── SensorError             a sensor or the Bluetooth adapter failed
│   └── SensorGoneError          the link to a sensor ended
├── BrokerError             the MQTT broker refused, vanished or answered nonsense
│   └── BrokerRefusedError       it took no notice of one message and goes on with the others
├── StoreError              a store could not read or write
│   ├── StoreUnavailableError try again later (server down, disk full)
│   └── StoreRejectedError    the store refuses this very data: trying again changes nothing
├── RecordError             the clinical record refuses what is asked of it
│   ├── RecordMissingError       there is no such patient, entry or account
│   ├── RecordConflictError      somebody else was first: a later version, the same name, a used invitation
│   └── RecordRefusedError       what was given breaks a rule; the sentence says which
├── AccessError             who asks is not known, or may not
│   └── AccessLockedError        too many failures: try again later
├── RecordingError          a recording file is not one, or is cut off
└── StateError              the saved state of an analysis cannot be read: a new run begins

A library's own exceptions are turned into one of these in the single file that owns the library.
"""


class PoiseError(Exception):
    """Root of the tree; its text is a sentence for the person who reads it."""


class ConfigurationError(PoiseError):
    """A setting is wrong or something the program needs is missing; the text says what to change."""


class WireError(PoiseError):
    """A payload that does not follow `docs/wire.md`."""

    def __init__(self, sentence: str, *, reason: str = "malformed") -> None:
        """Keep a short `reason` for counters beside the sentence for people."""
        super().__init__(sentence)
        self.reason = reason


class DecodeError(PoiseError):
    """A notification that does not follow its vendor's layout."""


class CalibrationError(PoiseError):
    """The samples given cannot make a calibration."""


class SensorError(PoiseError):
    """A sensor or the Bluetooth adapter failed."""

    def __init__(self, sentence: str, *, sensor: str = "") -> None:
        """Remember which sensor it was, if it was one."""
        super().__init__(sentence)
        self.sensor = sensor


class SensorGoneError(SensorError):
    """The link to a sensor ended."""


class BrokerError(PoiseError):
    """The MQTT broker refused, vanished or answered nonsense."""


class BrokerRefusedError(BrokerError):
    """The broker refused one message, and goes on with the others."""


class StoreError(PoiseError):
    """A store could not read or write."""


class StoreUnavailableError(StoreError):
    """The store is not there now: the same call may succeed later."""


class StoreRejectedError(StoreError):
    """The store refuses this very data: trying again changes nothing."""


class RecordError(PoiseError):
    """The clinical record refuses what is asked of it."""


class RecordMissingError(RecordError):
    """There is no such patient, entry or account."""


class RecordConflictError(RecordError):
    """Somebody else was first: look again, then decide anew."""


class RecordRefusedError(RecordError):
    """What was given breaks a rule of the record; the sentence says which."""


class AccessError(PoiseError):
    """Who asks is not known, or may not; the sentence does not say which of both."""


class AccessLockedError(AccessError):
    """Too many failures: nothing is looked at before `until_us`."""

    def __init__(self, sentence: str, *, until_us: int) -> None:
        """Remember when to try again, UTC µs."""
        super().__init__(sentence)
        self.until_us = until_us


class RecordingError(PoiseError):
    """A recording file is not one, or is cut off in a way that cannot be read past."""

    def __init__(self, sentence: str, *, offset: int | None = None) -> None:
        """Remember the byte at which it is damaged, if that is known."""
        super().__init__(sentence)
        self.offset = offset


class StateError(PoiseError):
    """The saved state of an analysis cannot be read; a new run begins, and that is reported."""
