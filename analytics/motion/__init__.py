"""Samples to inclination: the filter, its frames on the 10 Hz grid, and how much a sensor moves."""
