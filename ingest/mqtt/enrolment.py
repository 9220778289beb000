"""Files that only their owner may read: passwords, keys, and the enrolment that admits a program."""

import os
import stat
import sys
from pathlib import Path
from typing import Final

import msgspec

from ingest.database.files import give
from poise.errors import ConfigurationError

VERSION: Final = 1
_OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
_MOST_BYTES: Final = 64 * 1024


class Enrolment(msgspec.Struct, frozen=True, kw_only=True):
    """All that a program needs to be admitted at a clinic's broker; written there, used elsewhere.

    Attributes:
        what: says to who opens the file what it is.
        patient: whose gateway it is for, "" for a program that serves all.
        password: nobody else has it; the broker keeps a hash.
        authority: PEM of the private authority that vouches for the broker.
    """

    v: int = VERSION
    what: str = "A secret of Poise: admits one program at a broker. Take it there with `poise join`."
    username: str
    password: str
    host: str
    port: int
    authority: str
    patient: str = ""
    site: str = ""

    def __repr__(self) -> str:
        return f"Enrolment({self.username} at {self.host}:{self.port})"


def write_secret(file: Path, content: bytes) -> None:
    """Write the whole file or nothing; from the first byte on nobody else may read it.

    Raises:
        ConfigurationError: if it cannot be written.
    """
    new = file.with_name(file.name + ".new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        new.unlink(missing_ok=True)
        with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
            give(out.fileno(), file.parent)
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        new.replace(file)
    except OSError as exc:
        raise ConfigurationError(
            f"{file} cannot be written ({exc.strerror}); mend the permissions of its folder"
        ) from exc


def read_secret(file: Path, *, private: bool = True) -> bytes:
    """Return what is in a file that only its owner may read.

    Raises:
        ConfigurationError: if it is not there, or others may read it although it should be `private`.
    """
    try:
        if private:
            only_ours(file)
        return file.read_bytes()
    except OSError as exc:
        raise ConfigurationError(f"{file} cannot be read ({exc.strerror})") from exc


def only_ours(file: Path) -> None:
    """Refuse a file with a secret that others may read; Windows keeps rights elsewhere and is not asked.

    Raises:
        ConfigurationError: if others may read it.
        OSError: if it is not there.
    """
    if sys.platform != "win32" and file.stat().st_mode & _OTHERS:
        raise ConfigurationError(f"{file} holds a secret and others may read it: chmod 600 {file}")


def enrolment_in(folder: Path, name: str) -> Path:
    """Return where a folder has the enrolment of a name."""
    return folder / f"{name.replace('/', '@')}.json"


def write_enrolment(file: Path, enrolment: Enrolment) -> None:
    """Write an enrolment for its program alone.

    Raises:
        ConfigurationError: if it cannot be written.
    """
    write_secret(file, msgspec.json.format(msgspec.json.encode(enrolment), indent=2) + b"\n")


def read_enrolment(file: Path, *, on_its_way: bool = False) -> Enrolment:
    """Return an enrolment; one `on_its_way` comes on a stick or by mail, where no file is private.

    Raises:
        ConfigurationError: if the file is not one, or others may read it.
    """
    content = read_secret(file, private=not on_its_way)
    try:
        enrolment = msgspec.json.decode(content[:_MOST_BYTES], type=Enrolment)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as exc:
        raise ConfigurationError(f"{file} is no enrolment of `poise gateway enrol`: {exc}") from exc
    if enrolment.v != VERSION:
        raise ConfigurationError(f"{file} is of version {enrolment.v}: update this program")
    return enrolment
