"""The gateway's spool: messages wait here, on disk, until ingest says that it has them on its own.

One SQLite database, write-ahead log, synced at every commit: what `put` has returned survives the death of
the process and of the machine's power.
"""

import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, dataclass, replace
from pathlib import Path
from typing import Final

from device.growing import grown
from device.track import LastSample, Marks
from poise.errors import ConfigurationError, StoreError, StoreUnavailableError
from poise.notices import Stored
from poise.ports import Spooled
from poise.samples import Gap, ImuBatch, SampleMessage
from poise.wire import decode_samples, encode_samples

MAX_BYTES: Final = 2 * 1024**3
"""Six sensors at 60 Hz make about 4.5 kB a second: five days."""
_VERSION: Final = 3
_SCHEMA: Final = """
CREATE TABLE message (
    row INTEGER PRIMARY KEY AUTOINCREMENT, session TEXT NOT NULL, sequence INTEGER NOT NULL,
    floor INTEGER NOT NULL, payload BLOB NOT NULL, UNIQUE (session, sequence));
CREATE TABLE session (session TEXT PRIMARY KEY, next INTEGER NOT NULL, floor INTEGER NOT NULL);
CREATE TABLE sensor (
    sensor TEXT PRIMARY KEY, tick INTEGER NOT NULL, t_us INTEGER NOT NULL, boot TEXT NOT NULL DEFAULT '',
    host_us INTEGER NOT NULL DEFAULT 0);
CREATE TABLE owed (
    sensor TEXT NOT NULL, segment TEXT NOT NULL, from_us INTEGER NOT NULL, to_us INTEGER NOT NULL,
    count INTEGER NOT NULL, estimated INTEGER NOT NULL, reason TEXT NOT NULL,
    spread INTEGER NOT NULL DEFAULT 0);
"""
_MIGRATIONS: Final = {
    1: "ALTER TABLE owed ADD COLUMN spread INTEGER NOT NULL DEFAULT 0;",
    2: "ALTER TABLE sensor ADD COLUMN boot TEXT NOT NULL DEFAULT '';"
    " ALTER TABLE sensor ADD COLUMN host_us INTEGER NOT NULL DEFAULT 0;",
}
"""By the version that they start from."""
_MINUTE_US: Final = 60_000_000
SPOOL_FULL: Final = "spool full"
_PATIENCE_S: Final = 2.0
_HALF_A_SECOND_US: Final = 500_000


@dataclass(frozen=True, slots=True)
class _Open:
    """The message that still grows, always the newest row: it is on disk, and does not leave yet."""

    row: int
    message: SampleMessage
    size: int
    since_s: float


class DiskSpool:
    """A `poise.ports.Spool` in one file; every method may be called from any thread and may block.

    Attributes:
        dropped: messages given up since opening because the spool was full.
        longest_us: µs of samples for which a message may grow before it leaves; 0: each leaves as it is put.
    """

    def __init__(self, path: Path, *, max_bytes: int = MAX_BYTES) -> None:
        """Open or create the spool.

        Args:
            path: the database file; its folder is made if need be.
            max_bytes: how much may wait before the oldest messages are given up.

        Raises:
            ConfigurationError: if the file cannot be opened and written, or a newer program made it.
        """
        self.dropped = 0
        self.longest_us = 0
        self._open_message: _Open | None = None
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=10)
            with self._closed_on_failure():
                self._open(path)
        except (OSError, sqlite3.Error) as exc:
            raise ConfigurationError(
                f"The spool {path} cannot be written ({exc}). Choose a folder that you may write to and that "
                "has free space, or mend this one's permissions."
            ) from exc
        self._bytes = self._one("SELECT coalesce(sum(length(payload)), 0) FROM message")

    def put(self, message: SampleMessage, marks: Marks | None = None) -> int:
        """Keep a message, its sensors' newest samples with it, and return the sequence it was given.

        The message's own sequence and floor are ignored. When this returns, it is on the disk.

        Args:
            message: the message.
            marks: how the host's clocks stood to each other when its samples came.

        Raises:
            StoreUnavailableError: if the disk refuses, for example because it is full.
        """
        now_s = time.monotonic()
        with self._transaction() as db:
            owed = [_gap(row) for row in db.execute("SELECT * FROM owed")]
            db.execute("DELETE FROM owed")
            message = replace(message, gaps=(*owed, *message.gaps))
            growing = self._growing(now_s)
            whole = grown(growing.message, message, self.longest_us) if growing else None
            if growing is None or whole is None:
                kept = self._insert(db, message, now_s)
            else:
                kept = self._replace(db, growing, whole)
            db.executemany(
                "INSERT OR REPLACE INTO sensor VALUES (?, ?, ?, ?, ?)", _newest(message.batches, marks)
            )
            self._make_room(db, kept.size - (growing.size if growing and whole else 0))
            self._open_message = kept if _has_room(kept.message, self.longest_us) else None
        return kept.message.sequence

    def settle(self) -> None:
        """Let what has grown so far leave as it is, and nothing grow from now on."""
        self.longest_us = 0

    def _growing(self, now_s: float) -> _Open | None:
        """Return the message that still grows; one that has waited for long enough does so no more."""
        there = self._open_message
        if there is not None and now_s - there.since_s > self.longest_us / 1e6 + _PATIENCE_S:
            return None
        return there if self.longest_us else None

    @staticmethod
    def _insert(db: sqlite3.Connection, message: SampleMessage, now_s: float) -> _Open:
        session = message.session
        db.execute("INSERT OR IGNORE INTO session VALUES (?, 0, 0)", (session,))
        sequence, floor = db.execute(
            "SELECT next, floor FROM session WHERE session = ?", (session,)
        ).fetchone()
        numbered = replace(message, sequence=sequence, floor=floor)
        payload = encode_samples(numbered)
        row = db.execute(
            "INSERT INTO message (session, sequence, floor, payload) VALUES (?, ?, ?, ?)",
            (session, sequence, floor, payload),
        ).lastrowid
        db.execute("UPDATE session SET next = next + 1 WHERE session = ?", (session,))
        return _Open(int(row or 0), numbered, len(payload), now_s)

    @staticmethod
    def _replace(db: sqlite3.Connection, growing: _Open, whole: SampleMessage) -> _Open:
        payload = encode_samples(whole)
        db.execute("UPDATE message SET payload = ? WHERE row = ?", (payload, growing.row))
        return replace(growing, message=whole, size=len(payload))

    def after(self, row: int, limit: int) -> Sequence[Spooled]:
        """See `poise.ports.Spool`: oldest first, so that what an earlier session left drains first."""
        with self._transaction() as db:
            growing = self._open_message = self._growing(time.monotonic())
            rows = db.execute(
                "SELECT m.row, m.session, m.sequence, m.payload, m.floor, s.floor FROM message m"
                " JOIN session s USING (session) WHERE m.row > ? AND m.row < ? ORDER BY m.row LIMIT ?",
                (row, growing.row if growing else 2**62, limit),
            ).fetchall()
        return [
            Spooled(number, session, sequence, payload if written == floor else _with_floor(payload, floor))
            for number, session, sequence, payload, written, floor in rows
        ]

    def confirm(self, stored: Stored) -> int:
        """See `poise.ports.Spool`."""
        with self._transaction() as db:
            rows = db.execute(
                "SELECT row, sequence, length(payload) FROM message WHERE session = ? AND sequence <= ?",
                (stored.session, max(stored.through, stored.highest)),
            ).fetchall()
            done = [(row, size) for row, n, size in rows if n <= stored.through or not _in_hole(n, stored)]
            db.executemany("DELETE FROM message WHERE row = ?", [(row,) for row, _ in done])
            self._bytes -= sum(size for _, size in done)
        return len(done)

    def depth(self) -> int:
        """See `poise.ports.Spool`."""
        with self._lock:
            return self._one("SELECT count(*) FROM message")

    def last_samples(self, boot: str = "") -> dict[str, LastSample]:
        """Return the newest spooled sample of every sensor ever spooled, confirmed or not.

        Args:
            boot: names the stretch over which the host's monotonic clock counts on, "" if unknown.
        """
        with self._transaction() as db:
            return {
                sensor: LastSample(tick, t_us, host_us if boot and boot == then else None)
                for sensor, tick, t_us, then, host_us in db.execute("SELECT * FROM sensor")
            }

    def owe(self, gaps: Iterable[Gap]) -> None:
        """Report these gaps with the next message that is put."""
        with self._transaction() as db:
            _owe(db, gaps)

    def close(self) -> None:
        """Close the file."""
        with self._lock:
            self._db.close()

    @contextmanager
    def _closed_on_failure(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._db.close()
            raise

    def _open(self, path: Path) -> None:
        for pragma in ("journal_mode = WAL", "synchronous = FULL"):
            self._db.execute(f"PRAGMA {pragma}")
        version = self._one("PRAGMA user_version")
        if version > _VERSION:
            raise ConfigurationError(f"The spool {path} was made by a newer Poise. Update this one.")
        if version == 0:
            self._db.executescript(f"BEGIN; {_SCHEMA} PRAGMA user_version = {_VERSION}; COMMIT;")
        for made_by in range(version or _VERSION, _VERSION):
            steps = f"{_MIGRATIONS[made_by]} PRAGMA user_version = {made_by + 1};"
            self._db.executescript(f"BEGIN; {steps} COMMIT;")
        # Opening succeeds on a read-only disk; only writing shows it.
        self._db.executescript("BEGIN IMMEDIATE; DELETE FROM owed WHERE 0; COMMIT;")

    def _make_room(self, db: sqlite3.Connection, added: int) -> None:
        """Give up the oldest whole minutes: few long gaps say more than many short ones."""
        size, minute = self._bytes + added, None
        newest = db.execute("SELECT max(row) FROM message").fetchone()[0]
        oldest = db.execute("SELECT row, session, sequence, payload FROM message ORDER BY row")
        for row, session, sequence, payload in oldest if size > self._max_bytes else ():
            message = decode_samples(payload)
            mine = (message.first_us or 0) // _MINUTE_US
            # Never the message that is being put.
            if row == newest or (size <= self._max_bytes and mine != minute):
                break
            db.execute("DELETE FROM message WHERE row = ?", (row,))
            db.execute("UPDATE session SET floor = ? WHERE session = ?", (sequence + 1, session))
            _owe(db, _given_up(message))
            size, minute = size - len(payload), mine
            self.dropped += 1
        self._bytes = size

    def _one(self, sql: str) -> int:
        return int(self._db.execute(sql).fetchone()[0])

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with self._lock:
            before = (self._bytes, self.dropped, self._open_message)
            try:
                self._db.execute("BEGIN IMMEDIATE")
                yield self._db
                self._db.execute("COMMIT")
            except BaseException as exc:
                self._bytes, self.dropped, self._open_message = before
                _roll_back(self._db)
                if isinstance(exc, sqlite3.Error):
                    raise _refused(exc) from exc
                raise


def _has_room(message: SampleMessage, longest_us: int) -> bool:
    """Tell whether another second can be put to it."""
    last_us = max((int(batch.t_us[-1]) for batch in message.batches), default=0)
    return message.first_us is not None and last_us + _HALF_A_SECOND_US < message.first_us + longest_us


def _refused(exc: sqlite3.Error) -> StoreError:
    return StoreUnavailableError(
        f"The spool cannot be written now ({exc}). Free some disk space; nothing on it is lost."
    )


def _roll_back(db: sqlite3.Connection) -> None:
    try:
        if db.in_transaction:
            db.execute("ROLLBACK")
    except sqlite3.Error:  # the error that led here says more
        return


def _newest(batches: Iterable[ImuBatch], marks: Marks | None) -> list[tuple[str, int, int, str, int]]:
    """Return a row for each batch's last sample; a later batch of a sensor replaces it."""
    rows = []
    for batch in batches:
        tick, t_us = batch.part(len(batch) - 1, len(batch)).first_tick, int(batch.t_us[-1])
        known = marks is not None and batch.sensor in marks.utc_less_host_us
        boot = marks.boot if marks is not None and known else ""
        host_us = t_us - marks.utc_less_host_us[batch.sensor] if marks is not None and known else 0
        rows.append((batch.sensor, tick, t_us, boot, host_us))
    return rows


def _in_hole(sequence: int, stored: Stored) -> bool:
    return any(first <= sequence <= last for first, last in stored.holes)


def _gap(row: tuple[str, str, int, int, int, int, str, int]) -> Gap:
    sensor, segment, from_us, to_us, count, estimated, reason, spread = row
    return Gap(sensor, segment, from_us, to_us, count, bool(estimated), reason, spread)


def _given_up(message: SampleMessage) -> list[Gap]:
    """What is missing once a whole message is dropped: its samples, and the gaps it would have reported."""
    return [
        *(Gap(b.sensor, b.segment, int(b.t_us[0]), int(b.t_us[-1]), len(b), reason=SPOOL_FULL)
          for b in message.batches),
        *message.gaps,
    ]  # fmt: skip


def _owe(db: sqlite3.Connection, gaps: Iterable[Gap]) -> None:
    for gap in gaps:
        grown = db.execute(
            "UPDATE owed SET from_us = min(from_us, ?), to_us = max(to_us, ?), count = count + ?,"
            " spread = spread + ? WHERE sensor = ? AND segment = ? AND reason = ? AND estimated = ?",
            (gap.from_us, gap.to_us, gap.count, gap.spread, *_told_apart(gap)),
        )
        if not grown.rowcount:
            db.execute("INSERT INTO owed VALUES (?, ?, ?, ?, ?, ?, ?, ?)", astuple(gap))


def _told_apart(gap: Gap) -> tuple[str, str, str, bool]:
    return gap.sensor, gap.segment, gap.reason, gap.estimated


def _with_floor(payload: bytes, floor: int) -> bytes:
    """A message written before older ones were given up says so when it is sent at last."""
    return encode_samples(replace(decode_samples(payload), floor=floor))
