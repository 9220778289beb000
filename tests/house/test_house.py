"""The house rules that no linter holds."""

import ast
import functools
import os
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from poise import __version__

HOUSE = Path(__file__).resolve().parents[2]
ROOMS = ("poise", "device", "ingest", "analytics", "dashboards")
LONGEST = 350
OWNERS = {
    "paho": ("ingest/mqtt/link.py",),
    "amqtt": ("ingest/mqtt/embedded.py",),
    "influxdb_client": ("ingest/results/influxdb/server.py",),
    "prometheus_client": ("ingest/metrics.py",),
    "pyarrow": ("ingest/archive/parquet.py",),
    "cryptography": ("ingest/mqtt/mosquitto/certificates.py",),
    "sqlite3": ("ingest/database/sqlite.py", "device/spooling/spool.py"),
    "vqf": ("analytics/motion/orientation.py",),
    "bumble": ("device/radio/",),
    "bleak": ("device/bluetooth/", "device/radio/"),
    "nicegui": ("dashboards/",),
    "fastapi": ("dashboards/",),
    "starlette": ("dashboards/",),
    "uvicorn": ("dashboards/",),
    "tomlkit": ("poise/cli/configuration.py",),
    "desktop_notifier": ("device/cueing/desktop.py",),
    "typer": ("poise/cli/",),
    "rich": ("poise/cli/",),
    "pydantic": ("poise/cli/", "poise/care/", "ingest/record/", "dashboards/api/"),
    "fpdf": ("dashboards/sheets/pdf.py",),
    "pydantic_settings": ("poise/cli/",),
    "sqlalchemy": ("ingest/record/",),
    "alembic": ("ingest/record/",),
    "argon2": ("ingest/record/passwords.py",),
}


def sources(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from (HOUSE / folder).rglob("*.py")


@functools.cache
def imported(path: Path) -> set[str]:
    """Return the top-level names of everything a file imports, also within functions."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            names.add((node.module or "").partition(".")[0])
    return names


@pytest.mark.parametrize("library", OWNERS)
def test_a_library_is_imported_only_where_it_is_owned(library: str) -> None:
    users = [path.relative_to(HOUSE).as_posix() for path in sources(*ROOMS) if library in imported(path)]
    assert [user for user in users if not user.startswith(OWNERS[library])] == []
    assert users, f"nobody uses {library} any more: take it out of this list and of pyproject.toml"


def test_no_file_is_too_long_to_be_read() -> None:
    lengths = {
        path: len(path.read_text("utf-8").splitlines()) for path in sources(*ROOMS, "tests", "benchmarks")
    }
    assert {str(path): n for path, n in lengths.items() if n > LONGEST} == {}


def test_tests_are_found_by_their_files_and_no_folder_is_a_package() -> None:
    assert list((HOUSE / "tests").rglob("__init__.py")) == []


def test_the_version_is_one() -> None:
    project = tomllib.loads((HOUSE / "pyproject.toml").read_text("utf-8"))["project"]
    assert project["version"] == __version__
    assert __version__ in (HOUSE / "CHANGELOG.md").read_text("utf-8")


def test_continuous_integration_and_the_readme_name_the_same_commands() -> None:
    steps = (HOUSE / ".ci/run").read_text("utf-8").splitlines()
    assert "make test" in steps
    assert "make lint" in steps
    assert os.access(HOUSE / ".ci/run", os.X_OK)
    readme = (HOUSE / "README.md").read_text("utf-8")
    for command in ("make demo", "make test"):
        assert command in readme
        assert re.search(rf"^{command.removeprefix('make ')}:", (HOUSE / "Makefile").read_text("utf-8"), re.M)


@pytest.mark.parametrize(("version", "works"), [("3.10.14", False), ("3.14.0", False), ("3.12.1", True)])
def test_a_python_that_does_not_fit_is_refused_with_a_sentence(
    tmp_path: Path, version: str, works: bool
) -> None:
    """The stand-in answers the script's question as that version would."""
    major, minor, _ = version.split(".")
    stand_in = tmp_path / "python3"
    stand_in.write_text(f"#!/bin/sh\n[ {major} -eq 3 ] && [ {minor} -ge 11 ] && [ {minor} -lt 14 ]\n")
    stand_in.chmod(0o755)
    ended = subprocess.run(
        ["/bin/sh", str(HOUSE / "tools/python.sh")],
        env={"PATH": str(tmp_path)}, capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    if works:
        assert (ended.returncode, ended.stdout.strip()) == (0, str(stand_in))
    else:
        assert ended.returncode != 0
        assert ended.stdout == ""
        assert "3.11, 3.12 or 3.13" in ended.stderr
        assert ended.stderr.count("\n") == 1


def tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=HOUSE, capture_output=True, check=False)
    if listed.returncode:
        pytest.skip("not a git repository")
    return [HOUSE / name for name in listed.stdout.decode().split("\0") if name]


def test_no_file_names_a_folder_of_somebodys_machine() -> None:
    private = re.compile(rb"(?<![\w.<])/(?:home/[a-z]|Users/[A-Za-z]|root/|work/[a-z]|workspace/)")
    guilty = {}
    for path in tracked():
        if path.is_file() and path != Path(__file__) and path.suffix not in (".png", ".jpg"):
            lines = path.read_bytes().splitlines()
            if places := [n for n, line in enumerate(lines, 1) if private.search(line)]:
                guilty[str(path.relative_to(HOUSE))] = places
    assert guilty == {}


def linked(page: Path) -> Iterator[str]:
    """Yield the files that a page links to."""
    text = re.sub(r"```.*?```|`[^`]*`", "", page.read_text("utf-8"), flags=re.S)
    for target in re.findall(r"\]\(([^)#\s]+)", text):
        if "://" not in target and not target.startswith("mailto:"):
            yield target


def test_every_document_that_is_linked_is_there() -> None:
    pages = [path for path in tracked() if path.suffix == ".md" and path.is_file()]
    missing = [(page.name, to) for page in pages for to in linked(page) if not (page.parent / to).exists()]
    assert missing == []
