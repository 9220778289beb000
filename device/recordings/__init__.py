"""Samples in a file, and played once more."""
