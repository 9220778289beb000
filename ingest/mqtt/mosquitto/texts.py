"""What stands in the files of a clinic's broker: Mosquitto's configuration and a systemd unit."""

import os
import shutil
from pathlib import Path
from typing import Final

from poise import wire

_ROOM: Final = 4096
"""For topic and properties beside a payload."""

CONFIGURATION: Final = """\
# Mosquitto 2 for Poise, written by `poise broker init`. It is read again at a SIGHUP, but for listeners.

# Who: everybody has a name, and is its name. So nobody can take another's session by its client id.
allow_anonymous false
allow_zero_length_clientid false
password_file {folder}/passwords
acl_file {folder}/rights
{user}
# How much one client may ask for. A message of samples has at most {message} bytes; more is for its topic.
max_packet_size {packet}
max_inflight_messages 500
max_queued_messages 20000
max_queued_bytes 268435456
max_keepalive 120
persistent_client_expiration 8d

# What waits for ingest outlives an orderly restart. Nothing depends on it: only `stored` confirms.
persistence true
persistence_location {folder}/state/
autosave_interval 300

# Nothing about the broker itself is published.
sys_interval 0
pid_file {folder}/mosquitto.pid
log_dest stderr
log_type error
log_type warning
log_type notice
connection_messages true

listener {port}
use_username_as_clientid true
max_connections 20000
certfile {folder}/server.pem
keyfile {folder}/server.key
tls_version tlsv1.2
{plain}"""

PLAIN: Final = """
# Plain text, for programs on this very machine.
listener {port} 127.0.0.1
use_username_as_clientid true
max_connections 100
"""

UNIT: Final = """\
# Keeps this broker running as a service of the user who owns its folder.
#
#   cp {folder}/poise-broker.service ~/.config/systemd/user/
#   systemctl --user enable --now poise-broker
#   loginctl enable-linger          # also when nobody is logged in
#   journalctl --user -u poise-broker -f

[Unit]
Description=Poise broker: Mosquitto with the folder of `poise broker init`
StartLimitIntervalSec=0

[Service]
ExecStart={program} -c {folder}/mosquitto.conf
ExecReload=/bin/kill -HUP $MAINPID
Restart=always
RestartSec=5
LimitNOFILE=65536
UMask=0077
NoNewPrivileges=yes
LockPersonality=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
RestrictAddressFamilies=AF_UNIX AF_INET AF_INET6

[Install]
WantedBy=default.target
"""


def configuration(folder: Path, port: int, plain_port: int | None) -> str:
    """Return `mosquitto.conf`; `plain_port` is for loopback only, None for no such listener."""
    # Started by root, Mosquitto would become a user who cannot read what root alone may read.
    by_root = hasattr(os, "geteuid") and os.geteuid() == 0
    return CONFIGURATION.format(
        folder=folder,
        port=port,
        plain="" if plain_port is None else PLAIN.format(port=plain_port),
        user="user root\n" if by_root else "",
        message=wire.MAX_BYTES,
        packet=wire.MAX_BYTES + _ROOM,
    )


def program() -> str | None:
    """Return where Mosquitto is on this machine; Debian keeps it out of a user's PATH."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def unit(folder: Path) -> str:
    """Return a systemd unit for the broker of a folder."""
    where = str(folder).replace("%", "%%").replace(" ", "\\x20")
    return UNIT.format(folder=where, program=program() or "/usr/sbin/mosquitto")
