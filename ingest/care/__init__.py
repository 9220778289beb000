"""The clinical record joined with the rules of care: what follows from an entry is written with it."""
