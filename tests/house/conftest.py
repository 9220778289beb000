"""Programs for the tests of the whole.

What takes its time is begun in the background with the first test of this folder, and looked at in the end.
"""

import logging
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait
from contextlib import ExitStack
from pathlib import Path
from typing import TypeVar

import pytest
from house_helpers import Program, Programs, Typed
from house_night import Night, through_the_night
from house_shop import Shop, a_day_in_the_shop
from servers import running_mosquitto

from poise.cli.app import main

HEADLESS, KILLS, REPLAY = "test_headless.py", "test_kills.py", "test_replay.py"
T = TypeVar("T")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name in (HEADLESS, KILLS, REPLAY))


def asked_for(request: pytest.FixtureRequest, file: str) -> bool:
    return any(item.path.name == file for item in request.session.items)


@pytest.fixture
def typed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Typed:
    """Run a command as the console script does, in an empty folder; return exit code and output."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("POISE_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("COLUMNS", "250")
    # `main` sets logging up; what it adds must not outlive the test.
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)

    def run(*words: object) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["poise", *(str(word) for word in words)])
        with pytest.raises(SystemExit) as ended:
            main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return run


@pytest.fixture
def programs(tmp_path: Path) -> Iterator[Programs]:
    """Starts programs, and ends those that still run after the test."""
    starter = Programs(tmp_path)
    yield starter
    starter.end()


@pytest.fixture(scope="session", autouse=True)
def headless(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, Program]]:
    """Headless demonstrations."""
    starter = Programs(tmp_path_factory.mktemp("headless"))
    runs = {"desk": ("desk", 62), "soon": ("desk", 10), "short": ("short", 95)}
    begun = {
        name: starter.start(
            "demo", "--headless", "--script", script, "--seconds", seconds, "--seed", 1, place=name
        )
        for name, (script, seconds) in runs.items()
        if asked_for(request, HEADLESS)
    }
    yield begun
    starter.end()


@pytest.fixture(scope="session", autouse=True)
def begun_night(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator["Future[Night]"]:
    """The run with the kills."""
    night: Future[Night] = Future()
    with ExitStack() as stack:
        if asked_for(request, KILLS):
            starter = Programs(tmp_path_factory.mktemp("night"))
            try:
                mosquitto = stack.enter_context(running_mosquitto(starter.folder))
            except (pytest.skip.Exception, pytest.fail.Exception) as exc:
                night.set_exception(exc)  # for the tests that need it, not for all of this folder
            else:
                begin(stack, starter, night, lambda: through_the_night(starter, mosquitto))
        else:
            night.set_exception(LookupError("no test asks for it"))
        yield night


@pytest.fixture(scope="session", autouse=True)
def begun_shop(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    begun_night: "Future[Night]",
) -> Iterator["Future[Shop]"]:
    """The recording that is simulated, played and recorded, when the night is over: one thing at a time."""
    shop: Future[Shop] = Future()
    with ExitStack() as stack:
        if asked_for(request, REPLAY):
            starter = Programs(tmp_path_factory.mktemp("shop"))

            def work() -> Shop:
                wait([begun_night])
                return a_day_in_the_shop(starter)

            begin(stack, starter, shop, work)
        yield shop


def begin(stack: ExitStack, starter: Programs, promise: "Future[T]", work: Callable[[], T]) -> None:
    """Do the work in a thread; leaving the stack ends its programs, and so the work."""

    def keep_promise() -> None:
        try:
            promise.set_result(work())
        except BaseException as exc:  # noqa: BLE001 - raised where the result is asked for
            promise.set_exception(exc)

    thread = threading.Thread(target=keep_promise, daemon=True)
    thread.start()
    stack.callback(thread.join, 10)
    stack.callback(starter.end)
