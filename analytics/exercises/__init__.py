"""Tests and exercises: repetitions, circles and their direction, hold times, range of motion, form."""
