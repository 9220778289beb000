"""`poise service`: a unit with which systemd keeps a wearer's gateway running."""

import sys
from pathlib import Path
from typing import Final

from poise.errors import ConfigurationError

UNIT: Final = """\
# Keeps the Poise gateway of this user running. It reads the same settings as `poise wear`.
#
#   poise service > ~/.config/systemd/user/poise-gateway.service
#   systemctl --user enable --now poise-gateway
#   loginctl enable-linger          # also when nobody is logged in
#   journalctl --user -u poise-gateway -f

[Unit]
Description=Poise gateway: worn motion sensors to the spool and on to MQTT
StartLimitIntervalSec=0

[Service]
ExecStart={program} gateway
Restart=always
RestartSec=10
TimeoutStopSec=20
UMask=0077
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
# D-Bus to BlueZ, MQTT, and what a USB dongle of its own needs.
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6 AF_NETLINK AF_BLUETOOTH

[Install]
WantedBy=default.target
"""


def unit(program: Path | None = None) -> str:
    """Return the unit for this installation.

    Raises:
        ConfigurationError: on systems without systemd.
    """
    if not sys.platform.startswith("linux"):
        raise ConfigurationError(
            "systemd is Linux's. On Windows let the Task Scheduler start `poise gateway` at logon, on macOS "
            "a launch agent; both are untested."
        )
    where = program or Path(sys.argv[0]).absolute()
    return UNIT.format(program=str(where).replace("%", "%%").replace(" ", "\\x20"))
