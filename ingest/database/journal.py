"""The record of what arrived: raw messages, gaps, ledger, calibrations, notices, people and dead letters."""

from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from datetime import date
from enum import IntEnum
from itertools import chain
from typing import Final
from zoneinfo import ZoneInfo

from analytics.wearing.trust import UNDOUBTED, Trust
from ingest.archive import ranges
from ingest.database.sqlite import Connection, Database
from ingest.database.trusted import pack, unpack
from ingest.judging.confirm import Confirmation
from ingest.results.store import key, wearer_of
from poise import notices
from poise.calibration import Calibration
from poise.errors import ConfigurationError
from poise.samples import SampleMessage
from poise.topics import Leaf, Wearer

MOST_DEAD_LETTERS: Final = 1000
MOST_DEAD_OF_ONE: Final = 100
"""Of one wearer, so that who sends garbage pushes out nobody else's (project decision)."""
_LONGEST_DEAD_LETTER: Final = 64 * 1024


class Lane(IntEnum):
    """Which way a stored message went."""

    LIVE = 0
    LATE = 1
    UNANALYSED = 2
    BESIDE = 3


@dataclass(frozen=True, slots=True)
class Run:
    """Where an unbroken stretch of analysis began; its samples, with this, give its results again.

    Attributes:
        message: row of the raw message that holds its first sample.
        from_us: UTC µs of that sample; earlier ones in the message belong to the run before.
        calibration: id of the calibration it is judged with, "" for none.
        reason: why it began: "start", "gap", "calibration", "origin", "earlier", "clock", "doubt" or "fault".
        trust: what was known of the calibration when it began.
    """

    message: int
    from_us: int
    calibration: str
    reason: str
    trust: Trust = UNDOUBTED


class Journal:
    """Writes within the caller's transaction, so that what belongs together is on disk together.

    Args:
        database: the writing connection.
        timezone: IANA zone of wearers of whom nothing else is known.
    """

    def __init__(self, database: Database, timezone: str = "UTC") -> None:
        self.database = database
        self._timezone = _zone(timezone)

    def put_message(
        self,
        c: Connection,
        wearer: Wearer,
        message: SampleMessage,
        payload: bytes,
        *,
        received_us: int,
        lane: Lane,
    ) -> int:
        """Store a samples message as it came, its gaps and its counts, and return its row.

        The caller has made sure with `holds` that it is not there yet.
        """
        name = key(wearer)
        cursor = c.execute(
            "INSERT INTO messages (wearer, session, sequence, origin, received_us, first_us, lane, payload) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                name,
                message.session,
                message.sequence,
                message.origin,
                received_us,
                message.first_us,
                lane,
                payload,
            ),
        )
        row = int(cursor.lastrowid or 0)
        _put_gaps(c, name, row, message)
        _count_samples(c, name, message, "stored")
        self._see_person(c, name, message)
        self._see_session(c, name, message)
        return row

    def holds(self, c: Connection, wearer: Wearer, session: str, sequence: int) -> bool:
        """Return whether this message is stored already, here or in the archive."""
        sql = "SELECT 1 FROM messages WHERE wearer = ? AND session = ? AND sequence = ?"
        where = (key(wearer), session, sequence)
        return c.execute(sql, where).fetchone() is not None or ranges.holds(c, *where)

    def raw_of(self, c: Connection, wearer: Wearer, session: str, sequence: int) -> bytes | None:
        """Return a message's bytes as they came, None if they are not here."""
        sql = "SELECT payload FROM messages WHERE wearer = ? AND session = ? AND sequence = ?"
        row = c.execute(sql, (key(wearer), session, sequence)).fetchone()
        return None if row is None else row[0]

    def heard_us(self, c: Connection, wearer: Wearer, session: str) -> int:
        """Return UTC µs at which the newest message of a session came, 0 for never."""
        sql = (
            "SELECT received_us FROM messages WHERE wearer = ? AND session = ? ORDER BY sequence DESC LIMIT 1"
        )
        row = c.execute(sql, (key(wearer), session)).fetchone()
        return 0 if row is None else int(row[0])

    def was_beside(self, c: Connection, wearer: Wearer, message: SampleMessage) -> bool:
        """Return whether the message before this one, of the same session, was a second gateway's."""
        sql = (
            "SELECT lane FROM messages WHERE wearer = ? AND session = ? AND sequence < ? "
            "ORDER BY sequence DESC LIMIT 1"
        )
        row = c.execute(sql, (key(wearer), message.session, message.sequence)).fetchone()
        return row is not None and row[0] == Lane.BESIDE

    def judged_before(
        self, c: Connection, wearer: Wearer, session: str, from_us: int, to_us: int
    ) -> tuple[str, bytes] | None:
        """Return session and bytes of the last judged message of another session that begins in that time."""
        row: tuple[str, bytes] | None = c.execute(
            "SELECT session, payload FROM messages WHERE wearer = ? AND first_us >= ? AND first_us < ? "
            "AND session != ? AND lane IN (0, 1) AND origin != 'replayed' ORDER BY first_us DESC LIMIT 1",
            (key(wearer), from_us, to_us, session),
        ).fetchone()
        return row

    def put_duplicate(self, c: Connection, wearer: Wearer, message: SampleMessage) -> None:
        """Count a message that came again; its `floor` may still be news."""
        self._see_session(c, key(wearer), message, duplicates=1)
        _count_samples(c, key(wearer), message, "duplicates")

    def confirmation(self, c: Connection, wearer: Wearer, session: str) -> Confirmation:
        """Read what is stored of a session."""
        where = (key(wearer), session)
        floor = c.execute("SELECT floor FROM sessions WHERE wearer = ? AND session = ?", where).fetchone()
        known = ranges.known_of(c, *where)
        begins = ranges.floor_of(known, 0 if floor is None else floor[0])
        rows = c.execute("SELECT sequence FROM messages WHERE wearer = ? AND session = ?", where)
        return Confirmation.of(chain((row[0] for row in rows), ranges.sequences(known, begins)), begins)

    def put_run(self, c: Connection, wearer: Wearer, run: Run, *, late: bool) -> None:
        """Note that a run begins."""
        c.execute(
            "INSERT INTO runs (wearer, late, message, from_us, calibration, reason, trust) "
            "VALUES (?, ?, ?, ?, ?, ?, ?)",
            (key(wearer), late, run.message, run.from_us, run.calibration, run.reason, pack(run.trust)),
        )

    def close_run(self, c: Connection, wearer: Wearer, *, late: bool) -> None:
        """Note that the newest run was ended for good and is not to be taken up again."""
        c.execute(
            "UPDATE runs SET closed = 1 WHERE id = (SELECT max(id) FROM runs WHERE wearer = ? AND late = ?)",
            (key(wearer), late),
        )

    def open_run(self, c: Connection, wearer: Wearer, *, late: bool) -> Run | None:
        """Return the newest run if it goes on."""
        row = c.execute(
            "SELECT closed, message, from_us, calibration, reason, trust FROM runs "
            "WHERE wearer = ? AND late = ? ORDER BY id DESC LIMIT 1",
            (key(wearer), late),
        ).fetchone()
        if row is None or row[0]:
            return None
        message, from_us, calibration, reason, trust = row[1:]
        return Run(message, from_us, calibration, reason, unpack(trust))

    def raw(self, c: Connection, wearer: Wearer, *, late: bool, from_row: int) -> Iterator[tuple[int, bytes]]:
        """Yield row and bytes of raw messages as they came, in the order in which they were analysed."""
        sql = "SELECT id, payload FROM messages WHERE wearer = ? AND lane = ? AND id >= ? ORDER BY id"
        yield from c.execute(sql, (key(wearer), late, from_row))

    def put_calibration(
        self, c: Connection, wearer: Wearer, calibration: Calibration, payload: bytes, received_us: int
    ) -> None:
        """Keep a calibration; the same id again changes nothing, results made with it stay true."""
        c.execute(
            "INSERT OR IGNORE INTO calibrations (wearer, id, made_us, received_us, notice) "
            "VALUES (?, ?, ?, ?, ?)",
            (key(wearer), calibration.id, calibration.made_us, received_us, payload),
        )

    def calibrations(self, c: Connection, wearer: Wearer) -> list[Calibration]:
        """Return the wearer's calibrations, oldest first."""
        rows = c.execute(
            "SELECT notice FROM calibrations WHERE wearer = ? ORDER BY made_us, id", (key(wearer),)
        )
        return [notices.decode(row[0], notices.CalibrationNotice).calibration for row in rows]

    def put_notice(
        self, c: Connection, wearer: Wearer, leaf: Leaf, detail: str, payload: bytes, received_us: int
    ) -> None:
        """Keep the newest presence, sensor status or exceedance under its detail."""
        c.execute(
            "INSERT OR REPLACE INTO notices (wearer, leaf, detail, received_us, notice) "
            "VALUES (?, ?, ?, ?, ?)",
            (key(wearer), leaf, detail, received_us, payload),
        )

    def put_dead_letter(
        self,
        c: Connection,
        topic: str,
        payload: bytes,
        reason: str,
        sentence: str,
        received_us: int,
        *,
        name: str = "",
    ) -> None:
        """Keep what could not be understood: the newest of a wearer's `key`, of nobody (""), and of all."""
        c.execute(
            "INSERT INTO dead_letters (wearer, topic, payload, reason, sentence, received_us) "
            "VALUES (?, ?, ?, ?, ?, ?)",
            (name, _text(topic), payload[:_LONGEST_DEAD_LETTER], reason, _text(sentence), received_us),
        )
        _bound_dead_letters(c, name)
        self.count(c, "", f"dead letter: {reason}")

    def count(self, c: Connection, name: str, what: str, n: int = 1) -> None:
        """Add `n` to a counter of a wearer's `key`, or of nobody ("")."""
        c.execute(
            "INSERT INTO counters (wearer, name, count) VALUES (?, ?, ?) "
            "ON CONFLICT (wearer, name) DO UPDATE SET count = count + excluded.count",
            (name, _text(what), n),
        )

    def put_person(
        self,
        wearer: Wearer,
        *,
        timezone: str | None = None,
        origin: str | None = None,
        injections: Sequence[date] | None = None,
    ) -> None:
        """Add a wearer, or change what is given.

        Raises:
            ConfigurationError: if the time zone is not an IANA name.
            StoreUnavailableError: if it cannot be written now.
        """
        zone = None if timezone is None else _zone(timezone)
        days = None if injections is None else ",".join(day.isoformat() for day in sorted(set(injections)))
        with self.database.transaction() as c:
            c.execute(
                "INSERT OR IGNORE INTO people (wearer, timezone, origin) VALUES (?, ?, 'worn')",
                (key(wearer), self._timezone),
            )
            c.execute(
                "UPDATE people SET timezone = coalesce(?, timezone), origin = coalesce(?, origin), "
                "injections = coalesce(?, injections) WHERE wearer = ?",
                (zone, origin, days, key(wearer)),
            )

    def recent_sessions(self, c: Connection, since_us: int) -> list[tuple[Wearer, str]]:
        """Return the sessions of which something came since then, whose gateways may wait for a `stored`."""
        rows = c.execute(
            "SELECT DISTINCT wearer, session FROM messages WHERE id > "
            "coalesce((SELECT max(id) FROM messages), 0) - 10000 AND received_us >= ?",
            (since_us,),
        )
        return [(wearer_of(name), session) for name, session in rows]

    def _see_person(self, c: Connection, name: str, message: SampleMessage) -> None:
        last_us = max((int(batch.t_us[-1]) for batch in message.batches), default=0)
        c.execute(
            "INSERT INTO people (wearer, timezone, origin, last_us) VALUES (?, ?, ?, ?) ON CONFLICT (wearer) "
            "DO UPDATE SET origin = excluded.origin, last_us = max(last_us, excluded.last_us)",
            (name, self._timezone, message.origin, last_us),
        )

    def _see_session(self, c: Connection, name: str, message: SampleMessage, duplicates: int = 0) -> None:
        c.execute(
            "INSERT INTO sessions (wearer, session, floor, duplicates) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (wearer, session) DO UPDATE SET floor = max(floor, excluded.floor), "
            "duplicates = duplicates + excluded.duplicates",
            (name, message.session, message.floor, duplicates),
        )


def _put_gaps(c: Connection, name: str, row: int, message: SampleMessage) -> None:
    c.executemany(
        "INSERT INTO gaps (message, wearer, sensor, segment, from_us, to_us, count, estimated, reason, "
        "spread) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        [(row, name, *astuple(gap)) for gap in message.gaps],
    )
    c.executemany(
        "INSERT INTO ledger (wearer, session, sensor, segment, missing, spread) VALUES (?, ?, ?, ?, ?, ?) "
        "ON CONFLICT DO UPDATE SET missing = missing + excluded.missing, spread = spread + excluded.spread",
        [(name, message.session, g.sensor, g.segment, g.count, g.spread) for g in message.gaps],
    )


def _bound_dead_letters(c: Connection, name: str) -> None:
    """Forget the oldest; both counts are of the index alone, a few pages."""
    c.execute(
        "DELETE FROM dead_letters WHERE wearer = :name AND id <= "
        "(SELECT id FROM dead_letters WHERE wearer = :name ORDER BY id DESC LIMIT 1 OFFSET :most)",
        {"name": name, "most": MOST_DEAD_OF_ONE},
    )
    (count,) = c.execute("SELECT count(*) FROM dead_letters").fetchone()
    if count > MOST_DEAD_LETTERS:
        c.execute(
            "DELETE FROM dead_letters WHERE id IN (SELECT id FROM dead_letters ORDER BY id LIMIT ?)",
            (count - MOST_DEAD_LETTERS,),
        )


def _count_samples(c: Connection, name: str, message: SampleMessage, column: str) -> None:
    c.executemany(
        f"INSERT INTO ledger (wearer, session, sensor, segment, {column}) VALUES (?, ?, ?, ?, ?) "  # noqa: S608
        f"ON CONFLICT DO UPDATE SET {column} = {column} + excluded.{column}",
        [(name, message.session, b.sensor, b.segment, len(b)) for b in message.batches],
    )


def _text(words: str) -> str:
    """Return what SQLite can hold: no lone surrogates."""
    return words.encode(errors="replace").decode()


def _zone(timezone: str) -> str:
    try:
        return ZoneInfo(timezone).key
    except (KeyError, OSError, ValueError) as exc:
        raise ConfigurationError(
            f"{timezone!r} is not a time zone; name one as Europe/Berlin or America/New_York"
        ) from exc
