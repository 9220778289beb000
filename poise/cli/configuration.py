"""The one configuration file, `poise.toml`: where it is, on which line a setting stands, how it is changed.

The only file that knows tomlkit: what a person has written into the file, comments too, stays as it is.
"""

import os
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

import platformdirs
import tomlkit
from tomlkit.exceptions import TOMLKitError

from poise.errors import ConfigurationError

CONFIG: Final = "POISE_CONFIG"
NAME: Final = "poise.toml"
TEMPLATE: Final = """\
# Settings of Poise on this machine. What stands behind a # is not read.

# patient = "P-0001"            # pseudonym of the wearer, never a name
# site = "home"
# timezone = "Europe/Berlin"    # of new wearers; this machine's by default
# data = ""                     # folder for the database, spools and calibrations; on Windows in single
                                # quotes, such as 'D:\\Poise'

# `poise sensors assign` writes here where each sensor is worn:
# [sensors]
# "D4:22:CD:00:00:01" = "head"

# [broker]                      # MQTT; plain text only on this machine, `poise join` writes a clinic's here
# host = "127.0.0.1"
# port = 1883

# [store]
# kind = "sqlite"               # or "influxdb", with url, token, org, bucket; then `poise store init`

# [archive]                     # raw samples, in Parquet files a day after they came
# keep_days = 0                 # 0 keeps them for ever
"""


class Spot(NamedTuple):
    """A place in a file, both counted from 1."""

    line: int
    column: int

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}"


def own_file() -> Path:
    """Return the file in this user's configuration folder, which need not be there."""
    return platformdirs.user_config_path("poise", appauthor=False) / NAME


def file_in_force() -> Path:
    """Return the file that is read: POISE_CONFIG's, else the working folder's, else this user's own."""
    if named := os.environ.get(CONFIG):
        return Path(named)
    here = Path(NAME)
    return here if here.is_file() else own_file()


def new_file() -> Path:
    """Return where a new file belongs: where POISE_CONFIG says, else this user's own."""
    return Path(os.environ.get(CONFIG) or own_file())


def spot_of(text: str, names: Sequence[str]) -> Spot | None:
    """Return where a setting stands in the text of a valid file, None if it does not.

    A statement begins on the line after the longest beginning of the file that is valid without it: so
    tables, dotted names, inline tables and values of several lines need no reader of their own.
    """
    lines, begins = text.splitlines(), 0
    for number in range(1, len(lines) + 1):
        try:
            tree = tomllib.loads("\n".join(lines[:number]))
        except tomllib.TOMLDecodeError:
            continue
        if _holds(tree, names):
            return Spot(begins + 1, _column(lines[begins], names))
        begins = number
    return None


def last_good_line(text: str) -> int:
    """Return up to which line a text that is no valid file would be one, 0 if never."""
    lines = text.splitlines()
    return next((n for n in range(len(lines), 0, -1) if _reads("\n".join(lines[:n]))), 0)


def _reads(text: str) -> bool:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True


def _holds(tree: object, names: Sequence[str]) -> bool:
    for name in names:
        if not isinstance(tree, dict) or name not in tree:
            return False
        tree = tree[name]
    return True


def _column(line: str, names: Sequence[str]) -> int:
    """Return the column of the innermost name that the line shows."""
    return next((line.index(name) + 1 for name in reversed(names) if name in line), 1)


def begin_file(file: Path) -> None:
    """Write the commented template.

    Raises:
        ConfigurationError: if the file is there already or cannot be written.
    """
    if file.exists():
        raise ConfigurationError(f"{file} is there already, and is left as it is. Change it in an editor.")
    _write(file, TEMPLATE)


def with_sensors(text: str, worn: Mapping[str, str]) -> str:
    """Return the text of a file with these sensors in it, and all else as it was.

    A sensor that was elsewhere, or another one that was at one of the places, loses its entry.
    """
    document = tomlkit.parse(text)
    table = document.get("sensors")
    if table is None:
        table = tomlkit.table()
        document["sensors"] = table
    for address in [address for address, place in table.items() if address in worn or place in worn.values()]:
        if address not in worn:
            del table[address]
    for address, place in worn.items():
        table[address] = place
    return tomlkit.dumps(document)


def replaced(before: Mapping[str, str], worn: Mapping[str, str]) -> dict[str, str]:
    """Return the entries, place by address, that are lost or changed when these sensors are written."""
    return {
        address: place
        for address, place in before.items()
        if worn.get(address, place) != place or (address not in worn and place in worn.values())
    }


def write_sensors(file: Path, worn: Mapping[str, str]) -> None:
    """Write where sensors are worn into the file; a new file begins with the template.

    Raises:
        ConfigurationError: if the file cannot be read or written.
    """
    try:
        text = file.read_text("utf-8") if file.exists() else TEMPLATE
        changed = with_sensors(text, worn)
    except (OSError, UnicodeDecodeError, TOMLKitError) as exc:
        raise ConfigurationError(f"{file} cannot be changed: {exc}") from exc
    _write(file, changed)


def with_enrolment(text: str, enrolment: Path, names: Mapping[str, str]) -> str:
    """Return the text of a file that takes the broker from an enrolment, and all else as it was.

    Args:
        text: of the file.
        enrolment: a file or folder, absolute.
        names: top-level settings to write beside it: patient and site.
    """
    document = tomlkit.parse(text)
    for name, value in names.items():
        document[name] = value
    table = tomlkit.table()
    table["enrolment"] = str(enrolment)
    document["broker"] = table  # what stood there would come before the enrolment
    return tomlkit.dumps(document)


def write_enrolment(file: Path, enrolment: Path, names: Mapping[str, str]) -> None:
    """Write into the file that the broker is an enrolment's; a new file begins with the template.

    Raises:
        ConfigurationError: if the file cannot be read or written.
    """
    try:
        text = file.read_text("utf-8") if file.exists() else TEMPLATE
        changed = with_enrolment(text, enrolment, names)
    except (OSError, UnicodeDecodeError, TOMLKitError) as exc:
        raise ConfigurationError(f"{file} cannot be changed: {exc}") from exc
    _write(file, changed)


def written(file: Path, name: str) -> object:
    """Return a top-level setting as the file has it, None where it has none.

    Raises:
        ConfigurationError: if the file cannot be read.
    """
    try:
        return tomllib.loads(file.read_text("utf-8")).get(name) if file.exists() else None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as exc:
        raise ConfigurationError(f"{file} cannot be read: {exc}") from exc


def _write(file: Path, text: str) -> None:
    """Write the whole file or nothing."""
    new = file.with_name(file.name + ".new")
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        new.write_text(text, "utf-8")
        new.replace(file)
    except OSError as exc:
        raise ConfigurationError(
            f"{file} cannot be written ({exc.strerror}). Mend its permissions, or name another file in "
            f"{CONFIG}."
        ) from exc
