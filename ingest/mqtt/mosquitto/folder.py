"""The folder of a clinic's broker: made once, renewed when asked, and who is admitted.

Nothing here needs Mosquitto to be running or installed. Where it runs, `reload` lets it read what has
changed: at a SIGHUP Mosquitto 2 checks every connection again and ends those that the password file no longer
admits.
"""

import os
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Final

import msgspec

from ingest.mqtt.enrolment import Enrolment, enrolment_in, read_secret, write_enrolment, write_secret
from ingest.mqtt.mosquitto import accounts, certificates, texts
from ingest.mqtt.mosquitto.certificates import Pair
from poise.errors import ConfigurationError
from poise.topics import Wearer

PORT: Final = 8883
"""Registered for MQTT over TLS (IANA, secure-mqtt)."""


class Reload(StrEnum):
    """Whether a running broker has been told."""

    DONE = "done"
    NOT_RUNNING = "not running"
    REFUSED = "refused"


class _Address(msgspec.Struct, frozen=True):
    """Where clients find the broker; the first host goes into enrolments."""

    hosts: list[str]
    port: int


@dataclass(frozen=True, slots=True)
class BrokerFolder:
    """`BrokerFolder(path)`; every method reads the disk, so that several programs see the same."""

    path: Path

    @property
    def made(self) -> bool:
        """True once `init` has been here."""
        return self._file("broker.json").exists()

    @property
    def address(self) -> tuple[list[str], int]:
        """The hosts and the port."""
        try:
            known = msgspec.json.decode(self._read("broker.json"), type=_Address)
        except msgspec.MsgspecError as exc:
            raise ConfigurationError(f"{self._file('broker.json')} cannot be read: {exc}") from exc
        return known.hosts, known.port

    @property
    def valid_until(self) -> datetime:
        """When the server's certificate expires."""
        return certificates.valid_until(self._read("server.pem"))

    @property
    def names(self) -> list[str]:
        """Who is admitted."""
        return list(self._known())

    def init(
        self, hosts: Sequence[str], port: int, plain_port: int | None, now: datetime, workers: int = 1
    ) -> list[str]:
        """Make what is not there yet, and return the names of the files that were made.

        Args:
            hosts: names and addresses of the broker's machine.
            port: for TLS.
            plain_port: for plain text on loopback, None for none.
            now: from when the certificates hold.
            workers: processes of ingest; each is admitted by a name of its own.

        Raises:
            ConfigurationError: if a host cannot stand in a certificate, or the folder cannot be written.
        """
        before = {file.name for file in self._files()}
        if not self._file("authority.pem").exists():
            self._write_pair("authority", certificates.new_authority(now))
        if not self.made:
            self._write("broker.json", msgspec.json.encode(_Address(list(hosts), port)))
        if not self._file("server.pem").exists():
            self.renew(self.address[0], now)
        self._make("mosquitto.conf", texts.configuration(self.path, self.address[1], plain_port))
        self._make("poise-broker.service", texts.unit(self.path))
        (self.path / "state").mkdir(mode=0o700, exist_ok=True)
        ingests = [accounts.worker_name(number, workers) for number in range(1, workers + 1)]
        for name in dict.fromkeys((*accounts.PROGRAMS, *ingests)):
            if name not in self.names:
                self.admit(name)
        self._make("rights", accounts.rights(self.names))
        return sorted(file.name for file in self._files() if file.name not in before)

    def renew(self, hosts: Sequence[str], now: datetime) -> None:
        """Give the server a new certificate for `hosts`; all enrolments stay good.

        Raises:
            ConfigurationError: if the authority cannot be read.
        """
        authority = Pair(self._read("authority.pem"), self._read("authority.key"))
        pair = certificates.new_server(authority, hosts, now)
        self._write("broker.json", msgspec.json.encode(_Address(list(hosts), self.address[1])))
        self._write_pair("server", pair)

    def admit(self, name: str, wearer: Wearer | None = None) -> Path:
        """Give a name a new password, which ends the one before, and return the enrolment's file.

        Raises:
            ConfigurationError: if the folder cannot be read or written.
        """
        hosts, port = self.address
        enrolment = Enrolment(
            username=name,
            password=accounts.new_password(),
            host=hosts[0],
            port=port,
            authority=self._read("authority.pem").decode(),
            patient=wearer.patient if wearer else "",
            site=wearer.site if wearer else "",
        )
        file = self.enrolment_file(name)
        write_enrolment(file, enrolment)
        self._admit_only(self._known() | {name: accounts.hashed(enrolment.password)})
        return file

    def revoke(self, name: str) -> None:
        """Take a name away, with its rights; `reload` ends its connection.

        Raises:
            ConfigurationError: if it is not admitted.
        """
        known = self._known()
        if name not in known:
            raise ConfigurationError(f"{name} is not admitted at the broker in {self.path}")
        self._admit_only({other: entry for other, entry in known.items() if other != name})
        self.enrolment_file(name).unlink(missing_ok=True)

    def enrolment_file(self, name: str) -> Path:
        """Return where the enrolment of a name is written, for its program to be taken from there."""
        return enrolment_in(self.path / "enrolments", name)

    def reload(self) -> Reload:
        """Let a running broker read what has changed."""
        process = self._process()
        if process is None:
            return Reload.NOT_RUNNING
        try:
            os.kill(process, signal.SIGHUP)
        except PermissionError:
            return Reload.REFUSED
        except ProcessLookupError:
            return Reload.NOT_RUNNING
        return Reload.DONE

    def _process(self) -> int | None:
        """Return the broker's process; a number left behind by an earlier one may be anybody's by now."""
        if not sys.platform.startswith("linux"):
            return None
        try:
            process = int(self._file("mosquitto.pid").read_text())
            words = Path(f"/proc/{process}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return None
        ours = os.fsencode(self._file("mosquitto.conf"))
        return process if ours in words else None

    def _admit_only(self, known: dict[str, str]) -> None:
        # Rights first for who comes, passwords first for who goes: at no moment more than either list says.
        writes = [
            ("rights", accounts.rights(known)),
            ("passwords", accounts.write_passwords(known)),
        ]
        for name, text in writes if len(known) >= len(self._known()) else writes[::-1]:
            self._write(name, text.encode())

    def _known(self) -> dict[str, str]:
        if not self._file("passwords").exists():
            return {}
        return accounts.read_passwords(self._read("passwords").decode(errors="replace"))

    def _make(self, name: str, text: str) -> None:
        if not self._file(name).exists():
            self._write(name, text.encode())

    def _write_pair(self, name: str, pair: Pair) -> None:
        self._write(f"{name}.key", pair.key)
        self._write(f"{name}.pem", pair.certificate)

    def _write(self, name: str, content: bytes) -> None:
        write_secret(self._file(name), content)

    def _read(self, name: str) -> bytes:
        file = self._file(name)
        if not file.exists():
            raise ConfigurationError(
                f"there is no {file}: `poise broker init` makes the folder of a broker, and --folder says "
                "where it is"
            )
        return read_secret(file)

    def _file(self, name: str) -> Path:
        return self.path / name

    def _files(self) -> list[Path]:
        return [file for file in self.path.rglob("*") if file.is_file()] if self.path.exists() else []


def absolute(path: Path) -> BrokerFolder:
    """Return the folder under the name that its configuration has."""
    return replace(BrokerFolder(path), path=path.expanduser().absolute())
