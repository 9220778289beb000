"""What Alembic runs for each upgrade: the connection, and its transaction, are the caller's."""

from alembic import context

from ingest.record.tables import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    transactional_ddl=True,  # of SQLite too, where transactions are begun by hand
)
context.run_migrations()
