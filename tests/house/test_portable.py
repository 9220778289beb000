"""The gateway's path asks for nothing that only POSIX systems have (it is untested on Windows and macOS)."""

import subprocess
import sys
from pathlib import Path

import pytest

from poise.cli.service import unit
from poise.errors import ConfigurationError

HOUSE = Path(__file__).resolve().parents[2]
POSIX_ONLY = ("fcntl", "pwd", "grp", "resource", "termios", "tty", "pty", "readline", "syslog")
REFUSING = f"""
import sys
class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name in {POSIX_ONLY!r}:
            raise ImportError(name + " is not there on Windows", name=name)
for name in {POSIX_ONLY!r}:
    sys.modules.pop(name, None)
sys.meta_path.insert(0, Refuse())
"""


@pytest.mark.parametrize(
    "module",
    [
        "poise.cli.app", "poise.cli.commands", "poise.cli.services", "poise.cli.person.wear",
        "poise.cli.person.assigning", "poise.cli.person.scanning", "device.gateway",
        "device.bluetooth.finding", "device.radio.central", "ingest.bridge",
    ],
)  # fmt: skip
def test_no_module_that_only_posix_has_is_needed(module: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-c", REFUSING + f"import {module}"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, "")


def test_the_refusal_works() -> None:
    ended = subprocess.run(
        [sys.executable, "-c", REFUSING + "import fcntl"], capture_output=True, text=True, check=False
    )
    assert "fcntl is not there on Windows" in ended.stderr


def test_only_one_place_speaks_of_bluez() -> None:
    """bleak passes over that argument where there is no BlueZ."""
    users = [
        path.relative_to(HOUSE).as_posix()
        for room in ("poise", "device", "ingest", "analytics", "dashboards")
        for path in (HOUSE / room).rglob("*.py")
        if '"bluez"' in path.read_text("utf-8") or "bleak.backends.bluezdbus" in path.read_text("utf-8")
    ]
    assert users == ["device/bluetooth/ble.py"]


def test_the_unit_starts_this_installation_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = unit("gateway", Path("/opt/my tools/100%/poise")).splitlines()
    assert r"ExecStart=/opt/my\x20tools/100%%/poise gateway" in lines
    assert {"Restart=always", "NoNewPrivileges=yes", "UMask=0077"} <= set(lines)
    assert "KillMode=mixed" in unit("ingest")
    assert "ExecStart=/opt/poise pages" in unit("pages", Path("/opt/poise")).splitlines()
    with pytest.raises(ConfigurationError, match="gateway, ingest, pages"):
        unit("broker")
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(ConfigurationError, match="systemd is Linux's"):
        unit()
