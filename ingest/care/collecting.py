"""What the record decides about measured data: none without consent, and nothing of whom was erased.

The list of erasures and withdrawals (`ingest.erasing.register`) is what ingest and gateways obey. It is
written after the record's commit; what a death leaves unsaid in between is said at the next start.
"""

from collections.abc import Callable
from pathlib import Path

from ingest.care.clinic import Clinic
from ingest.erasing.register import Note, Order, Register, Standing
from ingest.record import erasing
from ingest.record.identity import BY_HAND, Who
from ingest.record.patients import Patient, everybody, find
from ingest.results.store import key
from poise.care.consents import DataConsent, Scope
from poise.care.entry import Entry
from poise.errors import RecordMissingError, RecordRefusedError
from poise.topics import Wearer


class Collecting:
    """Joins a clinic's record with the list of its data folder.

    Args:
        clinic: with the record.
        data: the data folder of ingest.
        clock: UTC µs.
    """

    def __init__(self, clinic: Clinic, data: Path, clock: Callable[[], int]) -> None:
        self._clinic, self._data, self._clock = clinic, data, clock
        clinic.told.append(self.told)

    def told(self, patient: Patient, entry: Entry | None) -> None:
        """Stop or resume collecting as the patient's consent now stands."""
        if isinstance(entry, DataConsent) and Scope.COLLECTION in entry.scopes:
            self._settle(patient, Register(self._data))

    def reconcile(self) -> None:
        """Say what a death left unsaid, and erase from the record who was erased before a backup came back.

        Raises:
            StoreUnavailableError: if the list or the record cannot be used now.
        """
        register = Register(self._data)
        with self._clinic.database.reading() as session:
            people = everybody(session)
        for patient in people:
            if register.is_erased(key(patient.wearer)):
                self._erase(BY_HAND, patient)
            else:
                self._settle(patient, register)

    def erase(self, who: Who, patient: Patient) -> Order:
        """Put a patient on the list, so that it will happen whatever happens, and erase them from the record.

        What was measured is erased by ingest, which looks at the list; `left` tells how far it is.
        """
        order = Register(self._data).put(key(patient.wearer), Standing.ERASED, self._clock())
        self._erase(who, patient)
        return order

    def erase_record(self, who: Who, wearer: Wearer) -> bool:
        """Erase from the record whoever has a pseudonym; False if there is nobody.

        Raises:
            StoreUnavailableError: if the record cannot be used now.
        """
        try:
            with self._clinic.database.reading() as session:
                patient = find(session, wearer)
        except RecordMissingError:
            return False
        self._erase(who, patient)
        return True

    def refuse_erased(self, wearer: Wearer) -> None:
        """Refuse a pseudonym that was erased: what still comes under it is refused for ever.

        Raises:
            RecordRefusedError: with what to do.
        """
        if Register(self._data).is_erased(key(wearer)):
            raise RecordRefusedError(
                f"{wearer.patient} was erased, and the pseudonym is never used again: choose another one"
            )

    def done(self, wearer: Wearer) -> dict[str, Note]:
        """Return by place what was done about a wearer who was erased; {} for one who was not."""
        register = Register(self._data)
        return register.notes(register.person(key(wearer))) if register.is_erased(key(wearer)) else {}

    def _erase(self, who: Who, patient: Patient) -> None:
        clinic = self._clinic
        with clinic.database.writing() as session:
            erasing.erase(session, clinic.audit, who, patient, self._clock())
        clinic.database.settle()

    def _settle(self, patient: Patient, register: Register) -> None:
        """Let the list say what the newest word on collecting says; without any word it says nothing.

        What was ordered later at the machine itself (`poise person stop`) stands.
        """
        with self._clinic.database.reading() as session:
            said = self._clinic.reader.said(session, patient, Scope.COLLECTION)
        order = register.order(key(patient.wearer))
        if said is None or (order is not None and order.asked_us > said[1]):
            return
        stopped = order is not None and order.what is Standing.WITHDRAWN
        if stopped is said[0]:
            what = Standing.RESUMED if said[0] else Standing.WITHDRAWN
            register.put(key(patient.wearer), what, self._clock())
