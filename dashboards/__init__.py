"""Pages for people: served on this machine only, from what ingest has stored and from the live topic."""
