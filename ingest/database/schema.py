"""The tables of `poise.db`; what they mean is told in `docs/storage.md`."""

from typing import Final

VERSION: Final = 10

_ARCHIVE: Final = """
CREATE TABLE archive (
    file TEXT PRIMARY KEY,
    wearer TEXT NOT NULL,
    hour_us INTEGER NOT NULL,
    messages INTEGER NOT NULL,
    samples INTEGER NOT NULL,
    first_message INTEGER NOT NULL,
    last_message INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    sha256 TEXT NOT NULL,
    archived_us INTEGER NOT NULL,
    deleted_us INTEGER,
    why TEXT NOT NULL DEFAULT ''
) STRICT, WITHOUT ROWID;
CREATE INDEX archive_by_time ON archive (wearer, hour_us);

CREATE TABLE archived (
    wearer TEXT NOT NULL,
    session TEXT NOT NULL,
    first INTEGER NOT NULL,
    last INTEGER NOT NULL,
    PRIMARY KEY (wearer, session, first)
) STRICT, WITHOUT ROWID
"""

_FRESH: Final = """
CREATE TABLE fresh (
    id INTEGER PRIMARY KEY,
    wearer TEXT NOT NULL,
    window_s INTEGER NOT NULL,
    body BLOB NOT NULL
) STRICT;
CREATE INDEX fresh_by_time ON fresh (wearer, window_s)
"""

MIGRATIONS: Final = {
    1: """
ALTER TABLE runs ADD COLUMN trust BLOB NOT NULL DEFAULT x'';
ALTER TABLE calibrations ADD COLUMN trust BLOB NOT NULL DEFAULT x''
""",
    2: """
ALTER TABLE gaps ADD COLUMN spread INTEGER NOT NULL DEFAULT 0;
ALTER TABLE ledger ADD COLUMN spread INTEGER NOT NULL DEFAULT 0
""",
    3: """
CREATE TABLE states (wearer TEXT PRIMARY KEY, state BLOB NOT NULL) STRICT
""",
    4: """
ALTER TABLE outbox RENAME COLUMN line TO body;
ALTER TABLE outbox ADD COLUMN lines INTEGER NOT NULL DEFAULT 1;
CREATE TABLE outbox_size (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    lines INTEGER NOT NULL,
    bytes INTEGER NOT NULL
) STRICT;
INSERT INTO outbox_size SELECT 1, count(*), coalesce(sum(length(body)), 0) FROM outbox;
CREATE TABLE stale_hours (
    wearer TEXT NOT NULL,
    hour_s INTEGER NOT NULL,
    upto INTEGER NOT NULL,
    PRIMARY KEY (wearer, hour_s)
) STRICT, WITHOUT ROWID;
CREATE TABLE quarters (
    wearer TEXT NOT NULL,
    quarter_s INTEGER NOT NULL,
    run_us INTEGER NOT NULL,
    origin TEXT NOT NULL,
    counts BLOB NOT NULL,
    PRIMARY KEY (wearer, quarter_s, run_us)
) STRICT, WITHOUT ROWID
""",
    5: """
CREATE TABLE pieces (
    stream INTEGER NOT NULL REFERENCES streams (id),
    from_s INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (stream, from_s)
) STRICT
""",
    6: _ARCHIVE,
    7: """
ALTER TABLE dead_letters ADD COLUMN wearer TEXT NOT NULL DEFAULT '';
WITH topics AS (
    SELECT id, substr(topic, 9) AS rest FROM dead_letters WHERE topic GLOB 'poise/1/*/*/*/*'
), sites AS (
    SELECT id, substr(rest, 1, instr(rest, '/')) AS site, substr(rest, instr(rest, '/') + 1) AS rest
    FROM topics
), patients AS (
    SELECT id, site, substr(rest, instr(rest, '/') + 1) AS rest FROM sites
)
UPDATE dead_letters SET wearer = coalesce((
    SELECT site || substr(rest, 1, instr(rest, '/') - 1) FROM patients WHERE patients.id = dead_letters.id
), '');
CREATE INDEX dead_letters_by_wearer ON dead_letters (wearer, id)
""",
    8: f"""{_FRESH};
INSERT INTO fresh (wearer, window_s, body)
    SELECT wearer, t_s - t_s % 600, second_record(stream, judgement, t_s, mean, low, high, coverage)
    FROM seconds JOIN streams ON streams.id = stream;
DROP TABLE seconds
""",  # noqa: S608 - no words of others
    9: "",
}
"""What makes the tables of a version those of the next one. From 9 to 10 none changes, but rows of the outbox
may be columns, which an older Poise would take for lines that InfluxDB refuses: it must not open the file."""

TABLES: Final = f"""
CREATE TABLE people (
    wearer TEXT PRIMARY KEY,
    timezone TEXT NOT NULL,
    origin TEXT NOT NULL,
    injections TEXT NOT NULL DEFAULT '',
    last_us INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE TABLE messages (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    wearer TEXT NOT NULL,
    session TEXT NOT NULL,
    sequence INTEGER NOT NULL,
    origin TEXT NOT NULL,
    received_us INTEGER NOT NULL,
    first_us INTEGER,
    lane INTEGER NOT NULL,
    payload BLOB NOT NULL,
    UNIQUE (wearer, session, sequence)
) STRICT;
CREATE INDEX messages_by_time ON messages (wearer, first_us);
CREATE INDEX messages_by_lane ON messages (wearer, lane, id);

CREATE TABLE sessions (
    wearer TEXT NOT NULL,
    session TEXT NOT NULL,
    floor INTEGER NOT NULL,
    duplicates INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (wearer, session)
) STRICT, WITHOUT ROWID;

CREATE TABLE ledger (
    wearer TEXT NOT NULL,
    session TEXT NOT NULL,
    sensor TEXT NOT NULL,
    segment TEXT NOT NULL,
    stored INTEGER NOT NULL DEFAULT 0,
    missing INTEGER NOT NULL DEFAULT 0,
    duplicates INTEGER NOT NULL DEFAULT 0,
    spread INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (wearer, session, sensor, segment)
) STRICT, WITHOUT ROWID;

CREATE TABLE gaps (
    message INTEGER NOT NULL REFERENCES messages (id),
    wearer TEXT NOT NULL,
    sensor TEXT NOT NULL,
    segment TEXT NOT NULL,
    from_us INTEGER NOT NULL,
    to_us INTEGER NOT NULL,
    count INTEGER NOT NULL,
    estimated INTEGER NOT NULL,
    reason TEXT NOT NULL,
    spread INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX gaps_by_time ON gaps (wearer, from_us);

CREATE TABLE runs (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    wearer TEXT NOT NULL,
    late INTEGER NOT NULL,
    message INTEGER NOT NULL REFERENCES messages (id),
    from_us INTEGER NOT NULL,
    calibration TEXT NOT NULL,
    reason TEXT NOT NULL,
    closed INTEGER NOT NULL DEFAULT 0,
    trust BLOB NOT NULL DEFAULT x''
) STRICT;
CREATE INDEX runs_by_wearer ON runs (wearer, late);

CREATE TABLE states (wearer TEXT PRIMARY KEY, state BLOB NOT NULL) STRICT;

CREATE TABLE calibrations (
    wearer TEXT NOT NULL,
    id TEXT NOT NULL,
    made_us INTEGER NOT NULL,
    received_us INTEGER NOT NULL,
    notice BLOB NOT NULL,
    trust BLOB NOT NULL DEFAULT x'',
    PRIMARY KEY (wearer, id)
) STRICT, WITHOUT ROWID;

CREATE TABLE notices (
    wearer TEXT NOT NULL,
    leaf TEXT NOT NULL,
    detail TEXT NOT NULL,
    received_us INTEGER NOT NULL,
    notice BLOB NOT NULL,
    PRIMARY KEY (wearer, leaf, detail)
) STRICT, WITHOUT ROWID;

CREATE TABLE dead_letters (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    topic TEXT NOT NULL,
    payload BLOB NOT NULL,
    reason TEXT NOT NULL,
    sentence TEXT NOT NULL,
    received_us INTEGER NOT NULL,
    wearer TEXT NOT NULL DEFAULT ''
) STRICT;
CREATE INDEX dead_letters_by_wearer ON dead_letters (wearer, id);

CREATE TABLE counters (
    wearer TEXT NOT NULL,
    name TEXT NOT NULL,
    count INTEGER NOT NULL,
    PRIMARY KEY (wearer, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE streams (
    id INTEGER PRIMARY KEY,
    wearer TEXT NOT NULL,
    name TEXT NOT NULL,
    UNIQUE (wearer, name)
) STRICT;

CREATE TABLE judgements (
    id INTEGER PRIMARY KEY,
    run_us INTEGER NOT NULL,
    calibration TEXT NOT NULL,
    UNIQUE (run_us, calibration)
) STRICT;

{_FRESH.strip()};

CREATE TABLE pieces (
    stream INTEGER NOT NULL REFERENCES streams (id),
    from_s INTEGER NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (stream, from_s)
) STRICT;

CREATE TABLE episodes (
    wearer TEXT NOT NULL,
    id TEXT NOT NULL,
    start_us INTEGER NOT NULL,
    last_us INTEGER NOT NULL,
    end_us INTEGER,
    origin TEXT NOT NULL,
    episode TEXT NOT NULL,
    PRIMARY KEY (wearer, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX episodes_by_time ON episodes (wearer, start_us);

CREATE TABLE exposures (
    wearer TEXT NOT NULL,
    quarter_s INTEGER NOT NULL,
    run_us INTEGER NOT NULL,
    kind TEXT NOT NULL,
    seconds REAL NOT NULL,
    PRIMARY KEY (wearer, quarter_s, run_us, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE quarters (
    wearer TEXT NOT NULL,
    quarter_s INTEGER NOT NULL,
    run_us INTEGER NOT NULL,
    origin TEXT NOT NULL,
    counts BLOB NOT NULL,
    PRIMARY KEY (wearer, quarter_s, run_us)
) STRICT, WITHOUT ROWID;

CREATE TABLE outbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    body BLOB NOT NULL,
    lines INTEGER NOT NULL DEFAULT 1
) STRICT;

CREATE TABLE outbox_size (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    lines INTEGER NOT NULL,
    bytes INTEGER NOT NULL
) STRICT;
INSERT INTO outbox_size VALUES (1, 0, 0);

CREATE TABLE stale_hours (
    wearer TEXT NOT NULL,
    hour_s INTEGER NOT NULL,
    upto INTEGER NOT NULL,
    PRIMARY KEY (wearer, hour_s)
) STRICT, WITHOUT ROWID;
{_ARCHIVE}"""  # noqa: S608 - no words of others
