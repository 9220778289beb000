"""A folder of n databases made one of m, while no ingest is at work: copied, compared, then put in place."""
