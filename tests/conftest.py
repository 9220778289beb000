"""What holds for all tests."""

from collections.abc import Iterator

import pytest

from device.spool import DiskSpool


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
