"""The clinical record as a clinic has it: real programs, real HTTP, a patient erased by command."""

import json
import os
import re
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from servers import Mosquitto, free_port, running_mosquitto, wait_for_port

WORDS = "a very particular heron"
NEW = "nine green herons"
INJECTION = {
    "at": "2026-09-07T09:00:00Z", "operator": "Dr. A", "position": "prone", "guidance": "palpation",
    "note": WORDS,
    "sites": [{"muscle": "upper_trapezius", "side": "left", "points": 1, "components": []}],
}  # fmt: skip


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Mosquitto]:
    with running_mosquitto(tmp_path) as opened:
        yield opened


@contextmanager
def program(log: Path, port: int, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    environment = os.environ | {"POISE_BROKER__PORT": str(port), "POISE_INGEST__METRICS_PORT": "0"}
    with log.open("ab") as out:
        command = [sys.executable, "-m", "poise.cli.app", *words]
        running = subprocess.Popen(command, env=environment, stdout=out, stderr=out)
    try:
        yield running
    finally:
        running.terminate()
        assert running.wait(30) == 0, log.read_text()


class Browser:
    """Asks the API and keeps its cookie."""

    def __init__(self, port: int) -> None:
        self._base, self._cookie = f"http://127.0.0.1:{port}/api/1", ""

    def ask(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json", "Cookie": self._cookie}
        request = urllib.request.Request(self._base + path, data, headers, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310 - our own server
                self._cookie = (answer.headers.get("Set-Cookie") or self._cookie).partition(";")[0]
                said = answer.read()
                return answer.status, json.loads(said) if said else None
        except urllib.error.HTTPError as exc:
            return exc.code, json.loads(exc.read())

    def sign_in(self, name: str, password: str) -> None:
        status, said = self.ask("POST", "/session", {"name": name, "password": password})
        assert status == 200, said


def first_password(log: Path) -> str:
    found = re.search(r"first sign-in is (\S+)", log.read_text())
    assert found, log.read_text()
    return found.group(1)


def holds(folder: Path, word: str) -> list[str]:
    return [str(p) for p in folder.rglob("*") if p.is_file() and word.encode() in p.read_bytes()]


def test_a_clinic_begins_records_and_erases(tmp_path: Path, broker: Mosquitto) -> None:
    data, log, port = tmp_path / "data", tmp_path / "pages.log", free_port()
    with program(tmp_path / "ingest.log", broker.port, "ingest", "--workers", "1", "--data", str(data)):
        until = time.monotonic() + 30
        while not (data / "poise.db").exists() and time.monotonic() < until:
            time.sleep(0.1)
        with program(log, broker.port, "pages", "--port", str(port), "--data", str(data)) as pages:
            wait_for_port(port, pages, 40)
            clinician = _clinic_begun(port, first_password(log))
            where = "/patients/north/P-0777"
            new = {"site": "north", "patient": "P-0777", "zone": "Europe/Berlin"}
            assert clinician.ask("POST", "/patients", new)[0] == 201
            status, kept = clinician.ask("POST", f"{where}/injection", INJECTION)
            assert status == 201, kept
            status, sheet = clinician.ask("GET", f"{where}/aftercare/{kept['id']}")
            assert sheet["title"] == "After your dry needling of 7 September 2026"
        assert holds(data, WORDS)
        assert holds(data, "P-0777")
        erase = [
            sys.executable,
            "-m",
            "poise.cli.app",
            "person",
            "erase",
            "north/P-0777",
            "--yes",
            "--data",
            str(data),
        ]
        environment = os.environ | {"POISE_BROKER__PORT": str(broker.port)}
        said = subprocess.run(
            erase, env=environment, capture_output=True, text=True, timeout=120, check=False
        )
        assert "clinical record" in said.stdout, said.stdout + said.stderr
        assert holds(data, WORDS) == []
        assert holds(data, "P-0777") == []


def _clinic_begun(port: int, handed: str) -> Browser:
    administrator, clinician = Browser(port), Browser(port)
    administrator.sign_in("admin", handed)
    assert administrator.ask("GET", "/accounts")[0] == 403, "the password must be changed first"
    assert administrator.ask("POST", "/password", {"old": handed, "new": NEW})[0] == 204
    _, invited = administrator.ask("POST", "/invitations", {"role": "clinician"})
    account = {"secret": invited["secret"], "name": "dr-a", "password": "ten grey herons"}
    assert clinician.ask("POST", "/invitations/accept", account)[0] == 201
    clinician.sign_in("dr-a", "ten grey herons")
    return clinician
