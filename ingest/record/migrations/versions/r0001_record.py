"""Patients, entries and the audit; the last two refuse to be changed."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_GROWING = ("entries", "audit")
_SQLITE = """
CREATE TRIGGER {table}_{verb} BEFORE {verb} ON {table} {when}
BEGIN SELECT RAISE(ABORT, '{table} only grows'); END
"""
_NOT_ERASING = "WHEN NOT EXISTS (SELECT 1 FROM erasing WHERE patient_id = OLD.patient_id)"
_POSTGRESQL = """
CREATE FUNCTION poise_only_grows() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND TG_TABLE_NAME = 'entries' THEN
        IF EXISTS (SELECT 1 FROM erasing WHERE patient_id = OLD.patient_id) THEN
            RETURN OLD;
        END IF;
    END IF;
    RAISE EXCEPTION '% only grows', TG_TABLE_NAME USING ERRCODE = 'integrity_constraint_violation';
END $$
"""


def upgrade() -> None:
    """Make the tables and what guards them."""
    _people()
    _audit()
    if op.get_bind().dialect.name == "sqlite":
        for table in _GROWING:
            op.execute(_SQLITE.format(table=table, verb="UPDATE", when=""))
            when = _NOT_ERASING if table == "entries" else ""
            op.execute(_SQLITE.format(table=table, verb="DELETE", when=when))
        return
    op.execute(_POSTGRESQL)
    for table in _GROWING:
        function = "EXECUTE FUNCTION poise_only_grows()"
        op.execute(f"CREATE TRIGGER {table}_row BEFORE UPDATE OR DELETE ON {table} FOR EACH ROW {function}")
        op.execute(f"CREATE TRIGGER {table}_all BEFORE TRUNCATE ON {table} {function}")


def _people() -> None:
    op.create_table(
        "patients",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("site", sa.String(64), nullable=False),
        sa.Column("patient", sa.String(64), nullable=False),
        sa.Column("zone", sa.String(64), nullable=False),
        sa.Column("status", sa.String(64), nullable=False),
        sa.Column("created_us", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_patients"),
        sa.UniqueConstraint("site", "patient", name="uq_patients_site_patient"),
    )
    op.create_table(
        "entries",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("version_no", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("format", sa.Integer(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("author", sa.String(64), nullable=False),
        sa.Column("recorded_us", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(64), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", "version_no", name="pk_entries"),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.id"], name="fk_entries_patient_id"),
        sa.CheckConstraint("state IN ('current', 'withdrawn')", name=op.f("ck_entries_state")),
        sa.CheckConstraint("version_no > 0", name=op.f("ck_entries_version_no")),
    )
    op.create_index("ix_entries_patient_id_kind_at_us", "entries", ["patient_id", "kind", "at_us"])
    op.create_table(
        "erasing",
        sa.Column("patient_id", sa.Uuid(), nullable=False),
        sa.PrimaryKeyConstraint("patient_id", name="pk_erasing"),
    )


def _audit() -> None:
    op.create_table(
        "audit",
        sa.Column("seq", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("at_us", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(64), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("patient_key", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(64), nullable=False),
        sa.Column("version_no", sa.Integer()),
        sa.Column("origin_key", sa.String(64), nullable=False),
        sa.Column("former", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_audit"),
    )
    op.create_index("ix_audit_patient_key_seq", "audit", ["patient_key", "seq"])
    op.create_table(
        "audit_head",
        sa.Column("id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("key_check", sa.String(64), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_audit_head"),
    )
    op.create_table(
        "audit_origins",
        sa.Column("key", sa.String(64), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_audit_origins"),
    )
