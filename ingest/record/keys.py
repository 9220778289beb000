"""Secrets that are handed out, and the data folder's own, with which names are hashed."""

import hashlib
import hmac
import os
import secrets
from pathlib import Path
from typing import Final

from ingest.database.files import sync
from poise.errors import ConfigurationError

FILE: Final = "record.key"
_BYTES: Final = 32


def new_secret() -> str:
    """Return 256 random bits as 43 letters, digits, `-` and `_`."""
    return secrets.token_urlsafe(_BYTES)


def digest(secret: str) -> str:
    """Return what is kept of a secret that is random: its SHA-256, in hexadecimal digits."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def keyed(key: bytes, purpose: str, name: str) -> str:
    """Return HMAC-SHA-256 of a name: without the key nobody can tell whether it is of this name.

    Args:
        key: the data folder's.
        purpose: so that a patient and an address that are called the same have different ones.
        name: what is not to be kept.
    """
    return hmac.new(key, f"{purpose}\0{name}".encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def key_in(folder: Path) -> bytes:
    """Return the data folder's key, made when it is first asked for.

    Raises:
        ConfigurationError: if it cannot be read or made, or is damaged.
    """
    path = folder / FILE
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            _make(path)
        key = bytes.fromhex(path.read_text("ascii").strip())
    except OSError as exc:
        raise ConfigurationError(f"{path} cannot be used ({exc.strerror or exc})") from exc
    except ValueError:
        key = b""
    if len(key) != _BYTES:
        raise ConfigurationError(f"{path} is damaged; put back the one of your backup")
    return key


def _make(path: Path) -> None:
    """Write a whole key under its name, unless another program has just done so."""
    part = path.with_name(f"{path.name}.{secrets.token_hex(8)}")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(f"{secrets.token_hex(_BYTES)}\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        path.hardlink_to(part)
    except FileExistsError:
        pass
    finally:
        part.unlink()
    sync(path.parent)
