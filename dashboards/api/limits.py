"""How often somebody may ask: a bucket of requests for each account, and for each address of strangers."""

import threading
from collections import OrderedDict
from typing import Final

from dashboards.api.errors import TooManyError

REQUESTS: Final = 300
"""In a burst; and as many a minute for long (project decision: a page asks for some ten things at once)."""
PER_US: Final = 60_000_000
_KEPT: Final = 10_000


class Limits:
    """Buckets that fill at a constant rate; threads may share them.

    Args:
        requests: how many a full bucket holds, and gets again in a minute.
    """

    def __init__(self, requests: int = REQUESTS) -> None:
        self._requests = requests
        self._buckets: OrderedDict[str, tuple[float, int]] = OrderedDict()
        self._lock = threading.Lock()

    def count(self, name: str, now_us: int) -> None:
        """Take one request out of a bucket.

        Raises:
            TooManyError: if it is empty.
        """
        with self._lock:
            left, since_us = self._buckets.pop(name, (float(self._requests), now_us))
            rate = self._requests / PER_US
            left = min(self._requests, left + max(0, now_us - since_us) * rate)
            self._buckets[name] = (max(left - 1, 0.0) if left >= 1 else left, now_us)
            while len(self._buckets) > _KEPT:
                self._buckets.popitem(last=False)
        if left < 1:
            wait_s = max(1, round((1 - left) / rate / 1e6))
            raise TooManyError(f"too many requests; ask again in {wait_s} s", wait_s)
