"""A real PostgreSQL for tests: made in a folder of its own, reached by a socket in it, gone afterwards."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
from servers import missing
from sqlalchemy import make_url

ADVICE = (
    "no PostgreSQL: install it (apt-get install postgresql; it need not run), or set "
    "POISE_TEST_POSTGRESQL_URL to a server on which databases may be made"
)
_numbers = count()


def find(program: str) -> str | None:
    """The newest of Debian's, else one on the PATH."""
    debian = Path("/usr/lib/postgresql").glob(f"*/bin/{program}")
    newest = sorted(debian, key=lambda path: int(path.parts[4]) if path.parts[4].isdigit() else 0)
    return str(newest[-1]) if newest else shutil.which(program)


def as_somebody() -> dict[str, Any]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    somebody = known.get("postgres") or known["nobody"]
    return {"user": somebody.pw_uid, "group": somebody.pw_gid, "extra_groups": []}


@contextmanager
def running_postgresql() -> Iterator[str]:
    """The address of a server's database `postgres`."""
    if url := os.environ.get("POISE_TEST_POSTGRESQL_URL"):
        yield url
        return
    if not (initdb := find("initdb")) or not (postgres := find("postgres")):
        missing(ADVICE)
    with tempfile.TemporaryDirectory(prefix="poise-pg-", ignore_cleanup_errors=True) as name:
        folder, somebody = Path(name), as_somebody()
        if somebody:
            os.chown(folder, somebody["user"], somebody["group"])
        make = [initdb, "-D", f"{name}/data", "-U", "poise", "--auth=trust", "-E", "UTF8", "--no-sync"]
        subprocess.run(make, cwd=folder, check=True, capture_output=True, **somebody)
        run = [postgres, "-D", f"{name}/data", "-k", name, "-c", "listen_addresses=", "-c", "fsync=off"]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(run, cwd=folder, stdout=log, stderr=log, **somebody)
        url = f"postgresql+psycopg://poise@/postgres?host={name}"
        try:
            _answers(url, process, folder / "log")
            yield url
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)


def _answers(url: str, process: subprocess.Popen[bytes], log: Path, within_s: float = 30) -> None:
    until = time.monotonic() + within_s
    while time.monotonic() < until and process.poll() is None:
        try:
            connected(url).close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return
    raise RuntimeError(f"PostgreSQL does not answer: {log.read_text()[-1000:]}")


def connected(url: str) -> "psycopg.Connection[Any]":
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(plain, autocommit=True)


@contextmanager
def fresh_database(server_url: str) -> Iterator[str]:
    """The address of an empty database."""
    name = f"poise_{os.getpid()}_{next(_numbers)}"
    with connected(server_url) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    try:
        yield make_url(server_url).set(database=name).render_as_string(hide_password=False)
    finally:
        with connected(server_url) as connection:
            connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
