"""`poise service`: units with which systemd keeps gateway, ingest and pages running."""

import sys
from pathlib import Path
from typing import Final, NamedTuple

from poise.errors import ConfigurationError

UNIT: Final = """\
# Keeps {what} of this user running. It reads the same settings as every `poise` command.
#
#   poise service {part} > ~/.config/systemd/user/poise-{part}.service
#   systemctl --user enable --now poise-{part}
#   loginctl enable-linger          # also when nobody is logged in
#   journalctl --user -u poise-{part} -f

[Unit]
Description={description}
StartLimitIntervalSec=0

[Service]
ExecStart={program} {part}
Restart=always
RestartSec=10
TimeoutStopSec={patience}
{more}UMask=0077
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
{families}

[Install]
WantedBy=default.target
"""
_NETWORK: Final = "RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6"
_RADIO: Final = (
    f"# D-Bus to BlueZ, MQTT, and what a USB dongle of its own needs.\n{_NETWORK} AF_NETLINK AF_BLUETOOTH"
)
_MAIN: Final = (
    "# The signal goes to the parent, which ends its workers in good order.\n"
    "KillMode=mixed\n"
    "LimitNOFILE=65536\n"
)


class Part(NamedTuple):
    """What a unit says of one part of Poise."""

    what: str
    description: str
    patience_s: int
    more: str
    families: str


PARTS: Final = {
    "gateway": Part(
        "the Poise gateway", "Poise gateway: worn motion sensors to the spool and on to MQTT", 20, "", _RADIO
    ),
    "ingest": Part("Poise's ingest", "Poise ingest: from MQTT to the store", 40, _MAIN, _NETWORK),
    "pages": Part("Poise's pages", "Poise pages: what is stored, for a browser here", 20, "", _NETWORK),
}


def unit(part: str = "gateway", program: Path | None = None) -> str:
    """Return the unit of a part for this installation.

    Raises:
        ConfigurationError: on systems without systemd, or if there is no such part.
    """
    if part not in PARTS:
        raise ConfigurationError(f"there is no unit for {part!r}, only for {', '.join(PARTS)}")
    if not sys.platform.startswith("linux"):
        raise ConfigurationError(
            "systemd is Linux's. On Windows let the Task Scheduler start `poise gateway` at logon, on macOS "
            "a launch agent; both are untested."
        )
    where = program or Path(sys.argv[0]).absolute()
    said = PARTS[part]
    return UNIT.format(
        part=part,
        program=str(where).replace("%", "%%").replace(" ", "\\x20"),
        what=said.what,
        description=said.description,
        patience=said.patience_s,
        more=said.more,
        families=said.families,
    )
