"""The log as other programs read it: a line of JSON each, pseudonyms only for who looks for a fault."""

import json
import logging

import pytest

from poise.cli.logs import JsonLines


def line(level: int, *, failed: bool = False) -> dict[str, str]:
    record = logging.LogRecord("poise.ingest", level, "f.py", 1, "more than %d", (5,), None)
    record.wearer = "home/anna"
    record.created = 1_790_000_000.25
    if failed:
        try:
            _ = 1 // 0
        except ZeroDivisionError as exc:
            record.exc_info = (type(exc), exc, exc.__traceback__)
    text = JsonLines().format(record)
    assert "\n" not in text
    found: dict[str, str] = json.loads(text)
    return found


def test_an_event_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger(), "level", logging.WARNING)
    logging.getLogger()._cache.clear()  # type: ignore[attr-defined]
    assert line(logging.WARNING) == {
        "t": "2026-09-21T14:13:20.250+00:00",
        "level": "warning",
        "logger": "poise.ingest",
        "event": "more than 5",
    }
    assert "ZeroDivisionError" in line(logging.ERROR, failed=True)["error"]


def test_who_it_is_about_is_said_only_to_who_looks_for_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logging.getLogger(), "level", logging.DEBUG)
    logging.getLogger()._cache.clear()  # type: ignore[attr-defined]
    assert line(logging.WARNING)["wearer"] == "home/anna"
    logging.getLogger()._cache.clear()  # type: ignore[attr-defined]
