"""What holds for all tests."""

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from device.spooling.spool import DiskSpool

# A busy machine draws examples slowly; that says nothing about the program.
settings.register_profile("patient", suppress_health_check=[HealthCheck.too_slow], deadline=None)
settings.load_profile("patient")


@pytest.fixture(autouse=True)
def close_spools(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close every spool that a test opened: Python 3.13 warns of those left open, and warnings are errors."""
    opened: list[DiskSpool] = []
    begin = DiskSpool.__init__

    def remember(self: DiskSpool, *args: object, **kwargs: object) -> None:
        begin(self, *args, **kwargs)
        opened.append(self)

    monkeypatch.setattr(DiskSpool, "__init__", remember)
    yield
    for spool in opened:
        spool.close()
