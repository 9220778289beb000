"""`poise.db`: its tables, what arrived, and the state of running analyses."""
