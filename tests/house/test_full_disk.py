"""A disk that is really full under a real `poise ingest`: it says so, goes on, and nothing is lost."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from house_helpers import environment
from ingest_helpers import day, eventually
from line_helpers import announce_calibration, bridging, stored_sequences
from servers import Mosquitto, running_mosquitto

from device.spooling.spool import DiskSpool

pytestmark = [pytest.mark.mosquitto, pytest.mark.timeout(180)]
SIZE = "24m"
MESSAGES = 240


@dataclass
class Small:
    """An ingest on a small disk of its own.

    Attributes:
        process: it.
        folder: its data folder, as seen from outside.
        log: where it says what is wrong.
    """

    process: "subprocess.Popen[bytes]"
    folder: Path
    log: Path

    def fill(self) -> None:
        """Leave no room."""
        with (self.folder / "ballast").open("wb", buffering=0) as file, suppress(OSError):
            while True:
                file.write(bytes(4096))

    def make_room(self) -> None:
        (self.folder / "ballast").unlink()

    def copied(self, place: Path) -> Path:
        """Return a copy of its database: SQLite looks for a file's real place, not seen here."""
        place.mkdir()
        for file in self.folder.glob("poise.db*"):
            if not file.name.endswith("-shm"):
                shutil.copy(file, place)
        return place / "poise.db"


def namespace() -> list[str]:
    """Return the words before a program that give it mounts of its own."""
    words = ["unshare", *([] if os.geteuid() == 0 else ["--user", "--map-root-user"]), "--mount"]
    try:
        allowed = (
            subprocess.run([*words, "mount", "-t", "tmpfs", "tmpfs", "/mnt"], check=False).returncode == 0
        )
    except OSError:
        allowed = False
    if not allowed:
        pytest.skip("mounts of its own are not allowed to this user: run as root, or allow user namespaces")
    return words


@contextmanager
def small_disk(mosquitto: Mosquitto, place: Path) -> Iterator[Small]:
    """Run ingest with its data folder on a file system of its own, which ends with it."""
    data, log = place / "small", place / "ingest.log"
    data.mkdir()
    mounted = f'mount -t tmpfs -o size={SIZE} tmpfs "$0" && exec "$@"'
    words = [*namespace(), "sh", "-c", mounted, str(data), sys.executable, "-m", "poise.cli.app", "ingest"]
    more = {"POISE_BROKER__PORT": str(mosquitto.port), "POISE_DATA": str(data)}
    with log.open("wb") as err:
        process = subprocess.Popen([*words, "--data", str(data)], stderr=err, env=environment(place, more))
    try:
        yield Small(process, Path(f"/proc/{process.pid}/root") / data.relative_to("/"), log)
    finally:
        process.terminate()
        process.wait(30)


async def test_a_full_disk_holds_the_confirmations_back_and_nothing_is_lost(tmp_path: Path) -> None:
    messages = day(MESSAGES)
    with running_mosquitto(tmp_path) as mosquitto, small_disk(mosquitto, tmp_path) as small:
        spool, file = DiskSpool(tmp_path / "spool.db"), small.folder / "poise.db"
        await eventually(lambda: file.exists() and small.process.poll() is None, 60)
        async with bridging(mosquitto.settings, spool) as bridge:
            announce_calibration(bridge)
            for message in messages[: MESSAGES // 2]:
                spool.put(message)
            await eventually(lambda: spool.depth() == 0, 60)
            small.fill()
            for message in messages[MESSAGES // 2 :]:
                spool.put(message)
            await eventually(lambda: "is full; make room" in small.log.read_text(), 60)
            assert small.process.poll() is None
            waiting = spool.depth()
            assert waiting > 0, "what is not on the disk must not be confirmed"
            small.make_room()
            await eventually(lambda: spool.depth() == 0, 60)
        assert stored_sequences(small.copied(tmp_path / "copy")) == list(range(MESSAGES))
        await eventually(lambda: "the store works again" in small.log.read_text())
        assert small.log.read_text().count("is full") == 1, "said once, however often it is tried"
        spool.close()
