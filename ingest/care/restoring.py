"""The record in backups: its key goes with it, and who was erased is taken out before it is put in place."""

import json
from contextlib import closing
from pathlib import Path
from typing import Final

from ingest.care.clinic import open_clinic
from ingest.care.collecting import Collecting
from ingest.database.files import sync
from ingest.record.database import FILE
from ingest.record.keys import FILE as KEY
from poise.errors import ConfigurationError

PACKED_KEY: Final = "record-key.json"
"""As the key is called in a backup: a backup holds the record, so it holds no less than its key opens."""


def packed_key(data: Path) -> dict[str, bytes]:
    """Return what a backup of a data folder needs beside its databases, to read the record's audit."""
    if not (data / FILE).exists() or not (data / KEY).exists():
        return {}
    return {PACKED_KEY: json.dumps({"key": (data / KEY).read_text("ascii").strip()}).encode()}


def take_out_erased(unpacked: Path, data: Path, now_us: int) -> None:
    """Erase from a record that was just unpacked whoever is on the list of the folder that it goes to.

    Args:
        unpacked: the backup's files; the record's key stays there as `record.key`.
        data: the folder, whose list already holds that of the backup.
        now_us: UTC µs.

    Raises:
        ConfigurationError: if the key is none.
    """
    packed = unpacked / PACKED_KEY
    if packed.exists():
        _unpack_key(packed, unpacked / KEY)
    if (unpacked / FILE).exists():
        with closing(open_clinic(unpacked)) as clinic:
            Collecting(clinic, data, lambda: now_us).reconcile()


def place_key(unpacked: Path, data: Path) -> None:
    """Put the key that came with a record into the data folder; the one that was there is kept beside it."""
    here, there = unpacked / KEY, data / KEY
    if not here.exists():
        return
    if there.exists() and there.read_bytes() != here.read_bytes():
        there.replace(data / f"{KEY}.before-restore")
    here.replace(there)
    sync(data)


def _unpack_key(packed: Path, key: Path) -> None:
    try:
        secret = str(json.loads(packed.read_bytes())["key"])
    except (ValueError, KeyError, TypeError) as exc:
        raise ConfigurationError(f"the backup's key of the record cannot be read ({exc})") from exc
    key.touch(0o600)
    key.write_text(f"{secret}\n", "ascii")
    packed.unlink()
