"""Messages on the disk until ingest has them on its own."""
