"""How a program that runs for days looks for garbage, and what it keeps for the next array."""

import ctypes
import gc
from typing import Final

_OBJECTS: Final = 50_000
_ROUNDS: Final = (20, 50)
_MB: Final = 1 << 20
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3
"""Numbers of `mallopt` in the GNU C library's malloc.h."""
_KEPT: Final = {_TRIM_THRESHOLD: 16 * _MB, _TOP_PAD: _MB, _MMAP_THRESHOLD: 4 * _MB}


def spare_collector() -> None:
    """Look for cycles seldom, and never among what is there by now.

    Nearly everything here is freed when its last holder goes. The collector's usual pace walks all wearers'
    states again and again: a tenth of what ingest costs, and as long as reading a year of episodes.
    """
    gc.freeze()
    gc.set_threshold(_OBJECTS, *_ROUNDS)


def keep_freed() -> bool:
    """Keep memory that is freed for the next array, and return whether the C library can.

    By default the GNU C library hands arrays of some 100 kB back to the system when they are freed, and each
    page of the next one is fetched and cleared again: 320 pages a message of 30 s, an eighth of what ingest
    costs. Up to 16 MB stay with the process for it. Another C library is left as it is.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError, TypeError):
        return False
    return bool(min(mallopt(option, size) for option, size in _KEPT.items()) == 1)
