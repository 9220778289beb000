"""The clinical record: who is looked after, by whom, and what was done and said; nothing is overwritten."""
