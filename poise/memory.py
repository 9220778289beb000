"""How a program that runs for days looks for garbage."""

import gc
from typing import Final

_OBJECTS: Final = 50_000
_ROUNDS: Final = (20, 50)


def spare_collector() -> None:
    """Look for cycles seldom, and never among what is there by now.

    Nearly everything here is freed when its last holder goes. The collector's usual pace walks all wearers'
    states again and again: a tenth of what ingest costs, and as long as reading a year of episodes.
    """
    gc.freeze()
    gc.set_threshold(_OBJECTS, *_ROUNDS)
