"""The gateway's spool: messages wait here, on disk, until ingest says that it has them on its own.

One SQLite database, write-ahead log, synced at every commit: what `put` has returned survives the death of
the process and of the machine's power.
"""

import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import astuple, replace
from pathlib import Path
from typing import Final

from device.spooling.growing import Open, grown, has_room
from device.spooling.spooled import given_up, in_hole, newest, with_floor
from device.stream.track import LastSample, Marks
from poise.errors import ConfigurationError, StoreError, StoreUnavailableError
from poise.notices import Stored
from poise.ports import Spooled
from poise.samples import Gap, SampleMessage
from poise.wire import decode_samples, encode_samples

Connection = sqlite3.Connection
MAX_BYTES: Final = 2 * 1024**3
"""Six sensors at 60 Hz make about 4.5 kB a second: five days."""
_VERSION: Final = 4
_RECALL: Final = """
CREATE TABLE recording (
    sensor TEXT NOT NULL, start_s INTEGER NOT NULL, segment TEXT NOT NULL, calibration TEXT NOT NULL,
    begun_us INTEGER NOT NULL, before_tick INTEGER, before_us INTEGER, after_tick INTEGER, after_us INTEGER,
    state TEXT NOT NULL, packets INTEGER NOT NULL DEFAULT 0, spooled INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (sensor, start_s));
CREATE TABLE stretch (
    sensor TEXT NOT NULL, opened_us INTEGER NOT NULL, from_tick INTEGER, from_us INTEGER,
    to_tick INTEGER, to_us INTEGER);
"""
"""Recordings on the sensors, and the stretches of time that they are to fill; see `device.recall.book`."""
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
    3: _RECALL,
}
"""By the version that they start from."""
_MINUTE_US: Final = 60_000_000
_PATIENCE_S: Final = 2.0


class DiskSpool:
    """A `poise.ports.Spool` in one file; every method may be called from any thread and may block.

    Attributes:
        path: its file.
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
        self.path, self.dropped = path, 0
        self.longest_us = 0
        self._open_message: Open | None = None
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
        rows = [(int(b.t_us[0]), b.first_tick, b.sensor) for b in message.batches]
        with self.transaction() as db:
            message = self._with_owed(db, message)
            growing = self._growing(now_s)
            whole = grown(growing.message, message, self.longest_us) if growing else None
            if growing is None or whole is None:
                kept = self._insert(db, message, now_s)
            else:
                kept = self._replace(db, growing, whole)
            db.executemany(
                "INSERT OR REPLACE INTO sensor VALUES (?, ?, ?, ?, ?)", newest(message.batches, marks)
            )
            self._make_room(db, kept.size - (growing.size if growing and whole else 0))
            self._open_message = kept if has_room(kept.message, self.longest_us) else None
            db.executemany(
                "UPDATE stretch SET to_us = ?, to_tick = ? WHERE sensor = ? AND to_us IS NULL", rows
            )
        return kept.message.sequence

    def put_kept(self, message: SampleMessage, also: Callable[[Connection], None]) -> int:
        """Keep a message of what sensors had in their memories, which is no sensor's newest.

        Args:
            message: the message.
            also: what else becomes true at the same moment.

        Raises:
            StoreUnavailableError: as `put` does.
        """
        with self.transaction() as db:
            kept = self._insert(db, self._with_owed(db, message), 0.0)
            self._open_message = None
            self._make_room(db, kept.size)
            also(db)
        return kept.message.sequence

    @staticmethod
    def _with_owed(db: Connection, message: SampleMessage) -> SampleMessage:
        owed = [_gap(row) for row in db.execute("SELECT * FROM owed")]
        db.execute("DELETE FROM owed")
        return replace(message, gaps=(*owed, *message.gaps))

    def settle(self) -> None:
        """Let what has grown so far leave as it is, and nothing grow from now on."""
        self.longest_us = 0

    def _growing(self, now_s: float) -> Open | None:
        """Return the message that still grows; one that has waited for long enough does so no more."""
        there = self._open_message
        if there is not None and now_s - there.since_s > self.longest_us / 1e6 + _PATIENCE_S:
            return None
        return there if self.longest_us else None

    @staticmethod
    def _insert(db: Connection, message: SampleMessage, now_s: float) -> Open:
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
        return Open(int(row or 0), numbered, len(payload), now_s)

    @staticmethod
    def _replace(db: Connection, growing: Open, whole: SampleMessage) -> Open:
        payload = encode_samples(whole)
        db.execute("UPDATE message SET payload = ? WHERE row = ?", (payload, growing.row))
        return replace(growing, message=whole, size=len(payload))

    def after(self, row: int, limit: int) -> Sequence[Spooled]:
        """See `poise.ports.Spool`: oldest first, so that what an earlier session left drains first."""
        with self.transaction() as db:
            growing = self._open_message = self._growing(time.monotonic())
            rows = db.execute(
                "SELECT m.row, m.session, m.sequence, m.payload, m.floor, s.floor FROM message m"
                " JOIN session s USING (session) WHERE m.row > ? AND m.row < ? ORDER BY m.row LIMIT ?",
                (row, growing.row if growing else 2**62, limit),
            ).fetchall()
        return [
            Spooled(number, session, sequence, payload if written == floor else with_floor(payload, floor))
            for number, session, sequence, payload, written, floor in rows
        ]

    def confirm(self, stored: Stored) -> int:
        """See `poise.ports.Spool`."""
        with self.transaction() as db:
            rows = db.execute(
                "SELECT row, sequence, length(payload) FROM message WHERE session = ? AND sequence <= ?",
                (stored.session, max(stored.through, stored.highest)),
            ).fetchall()
            done = [(row, size) for row, n, size in rows if n <= stored.through or not in_hole(n, stored)]
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
        with self.transaction() as db:
            return {
                sensor: LastSample(tick, t_us, host_us if boot and boot == then else None)
                for sensor, tick, t_us, then, host_us in db.execute("SELECT * FROM sensor")
            }

    def owe(self, gaps: Iterable[Gap]) -> None:
        """Report these gaps with the next message that is put."""
        with self.transaction() as db:
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
            self._db.executescript(f"BEGIN; {_SCHEMA} {_RECALL} PRAGMA user_version = {_VERSION}; COMMIT;")
        for made_by in range(version or _VERSION, _VERSION):
            steps = f"{_MIGRATIONS[made_by]} PRAGMA user_version = {made_by + 1};"
            self._db.executescript(f"BEGIN; {steps} COMMIT;")
        # Opening succeeds on a read-only disk; only writing shows it.
        self._db.executescript("BEGIN IMMEDIATE; DELETE FROM owed WHERE 0; COMMIT;")

    def _make_room(self, db: Connection, added: int) -> None:
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
            _owe(db, given_up(message))
            size, minute = size - len(payload), mine
            self.dropped += 1
        self._bytes = size

    def _one(self, sql: str) -> int:
        return int(self._db.execute(sql).fetchone()[0])

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        """Let the block do all of what it does, or nothing.

        Raises:
            StoreUnavailableError: if the disk refuses.
        """
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


def _refused(exc: sqlite3.Error) -> StoreError:
    return StoreUnavailableError(
        f"The spool cannot be written now ({exc}). Free some disk space; nothing on it is lost."
    )


def _roll_back(db: Connection) -> None:
    try:
        if db.in_transaction:
            db.execute("ROLLBACK")
    except sqlite3.Error:  # the error that led here says more
        return


def _gap(row: tuple[str, str, int, int, int, int, str, int]) -> Gap:
    sensor, segment, from_us, to_us, count, estimated, reason, spread = row
    return Gap(sensor, segment, from_us, to_us, count, bool(estimated), reason, spread)


def _owe(db: Connection, gaps: Iterable[Gap]) -> None:
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
