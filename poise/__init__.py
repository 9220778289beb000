"""The words that all rooms of Poise share: samples, skeleton, results, calibration, topics, wire, errors.

Nothing here does input or output. The command line that wires the rooms together lives in `poise.cli`.
"""

__version__ = "0.1.0"
