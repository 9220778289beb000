"""What is wrong with a setting, as a sentence that names the place and what to write instead."""

import difflib
import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel

from poise.cli.configuration import Spot, last_good_line, spot_of

_PLACE: Final = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")
_MENDS: Final = (
    (r"escape|Unescaped|hex value", "write a Windows path in single quotes, as in 'C:\\Users\\me\\poise'"),
    ("overwrite|declare|twice|Duplicate", "it is there twice: keep one"),
    (
        "Invalid value",
        'text needs quotes around it, as in patient = "P-0001"; numbers, true and false do not',
    ),
    (
        "Expected '='|Invalid statement|initial character",
        "write name = value, or [section] on a line of its own",
    ),
    ("Expected newline", "write one setting a line"),
)
_SECRETS: Final = frozenset(("password", "token"))
"""What is never shown, not even where it is wrong."""
_OPEN: Final = "a quote or a bracket is not closed"
_KINDS: Final = (
    ("int_", "write a whole number (integer) without quotes"),
    ("bool_", "write true or false, without quotes"),
    ("string_", "write a text, in quotes"),
    ("path_", "write a folder or file, in quotes"),
)


def of_toml(file: Path, exc: tomllib.TOMLDecodeError) -> str:
    """Say where a file stops being TOML and what is usual there."""
    found = _PLACE.search(str(exc))
    what = str(exc)[: found.start()] if found else str(exc)
    open_ended = not (found and found[1])
    if found and not open_ended:
        where = f"line {found[1]}, column {found[2]}"
    else:  # the reader only says that the rest of the file does not go with what began here
        where = f"line {last_good_line(file.read_text('utf-8')) + 1}"
    mends = _MENDS[:2] if open_ended else _MENDS
    mend = next((mend for pattern, mend in mends if re.search(pattern, what)), _OPEN)
    return f"{file}, {where}: this is not TOML ({what}): {mend}."


def of_encoding(file: Path, exc: UnicodeDecodeError) -> str:
    """Say on which line a file is not UTF-8."""
    line = exc.object.count(b"\n", 0, exc.start) + 1
    return f"{file}, line {line}: this is not TOML, for it is not UTF-8: save it as UTF-8 in your editor."


def of_setting(error: Mapping[str, Any], model: type[BaseModel], file: Path, given: Sequence[str]) -> str:
    """Say what is wrong with one setting.

    Args:
        error: as pydantic describes it.
        model: all settings.
        file: the file that was read.
        given: settings that came with the call, from the command line.
    """
    names = [str(part) for part in error["loc"]]
    return f"{_origin(names, file, given)}setting {'.'.join(names)}: {_sentence(error, names, model)}"


def _origin(names: Sequence[str], file: Path, given: Sequence[str]) -> str:
    """The later source wins: it is the one to be changed."""
    if names[0] in given:
        return "on the command line: "
    wanted = f"POISE_{'__'.join(names)}".upper()
    for name in os.environ:
        if name.upper() in (wanted, f"POISE_{names[0]}".upper()):
            return f"in the environment, {name}: "
    spot = _spot(names, file)
    return f"{file}, {spot}: " if spot else f"in {file} or POISE_…: "


def _spot(names: Sequence[str], file: Path) -> Spot | None:
    try:
        text = file.read_text("utf-8")
    except OSError:
        return None
    # An error deep in a value has names that are no settings: the nearest one is on the right line.
    return next((spot for n in range(len(names), 0, -1) if (spot := spot_of(text, names[:n]))), None)


def _sentence(error: Mapping[str, Any], names: Sequence[str], model: type[BaseModel]) -> str:
    kind, context = str(error["type"]), error.get("ctx", {})
    given = "" if _SECRETS.intersection(names) else f", not {error['input']!r}"
    if kind == "extra_forbidden":
        return f"there is no such setting{_meant(names, model)}"
    if kind == "value_error":
        return str(context["error"])
    if kind == "literal_error":
        return f"write {context['expected']}{given}"
    if kind in ("model_type", "model_attributes_type", "dict_type"):
        return f"it is a section: write [{names[0]}] on a line of its own and its settings below it"
    said = next((mend for prefix, mend in _KINDS if kind.startswith(prefix)), "")
    return f"{said or str(error['msg'])}{given}"


def _meant(names: Sequence[str], model: type[BaseModel]) -> str:
    """Guess what was meant: a name like it, or the section that has it."""
    sections = {name: _fields(field.annotation) for name, field in model.model_fields.items()}
    known = sections.get(names[0], []) if len(names) > 1 else list(sections)
    if near := difflib.get_close_matches(names[-1], known, 1):
        return f"; did you mean {near[0]}?"
    home = next((section for section, fields in sections.items() if names[-1] in fields), "")
    if home:
        return f" here; it belongs below [{home}]"
    return f"; there are {', '.join(known)}" if known else "; look for a slip of the pen"


def _fields(annotation: object) -> list[str]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return list(annotation.model_fields)
    return []
