"""The state of a running analysis as bytes, so that a worker may die and another goes on with the same bits.

Only classes of this program are written and read; they are filled in without running any of their code,
except a class's own `to_state` and `from_state`. Bytes that were damaged, that another version wrote, or that
name anything else raise `StateError`: then a new run begins, and that is reported (docs/methods.md).
"""

import importlib
import zlib
from collections.abc import Iterable
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any, Final, TypeVar

import msgspec
import numpy as np

from poise.errors import StateError

VERSION: Final = 4
"""Counts up whenever a class in the state changes its attributes or what they hold; a test watches it."""
_MAGIC: Final = b"PoiseRun"
_HOMES: Final = ("analytics.", "poise.")
_PLAIN: Final = frozenset({bool, int, float, str, bytes, type(None)})
T = TypeVar("T")


def save(value: object) -> bytes:
    """Return the state of `value` and of all it holds.

    Raises:
        TypeError: if it holds something that is no state; that is a mistake in the program.
    """
    writer = _Writer()
    written = writer.write(value)
    body = zlib.compress(msgspec.msgpack.encode([[*writer.layouts], written]), level=1)
    return _MAGIC + VERSION.to_bytes(2, "big") + zlib.crc32(body).to_bytes(4, "big") + body


def restore(data: bytes, kind: type[T]) -> T:
    """Return what was saved.

    Args:
        data: from `save`.
        kind: what it must be.

    Raises:
        StateError: if it cannot be read; the sentence says why.
    """
    head = len(_MAGIC)
    if data[:head] != _MAGIC or len(data) < head + 6:
        raise StateError("These bytes are no saved analysis.")
    version = int.from_bytes(data[head : head + 2], "big")
    if version != VERSION:
        raise StateError(f"The analysis was saved by version {version}, this program reads {VERSION}.")
    body = data[head + 6 :]
    if zlib.crc32(body) != int.from_bytes(data[head + 2 : head + 6], "big"):
        raise StateError("The saved analysis is damaged.")
    try:
        layouts, written = msgspec.msgpack.decode(zlib.decompress(body))
        found = _Reader(layouts).read(written)
    except StateError:
        raise
    except Exception as exc:
        raise StateError(f"The saved analysis cannot be read: {exc}") from exc
    if not isinstance(found, kind):
        raise StateError(f"The bytes hold a {type(found).__name__}, not a {kind.__name__}.")
    return found


def shape(value: object) -> dict[str, list[str]]:
    """Return the attributes of every class in the state of `value`: what `VERSION` stands for."""
    writer = _Writer()
    writer.write(value)
    return {name: sorted(attributes) for name, *attributes in sorted(writer.layouts)}


class _Writer:
    """Turns objects into lists that MessagePack can hold; an object held twice is written once.

    Attributes:
        layouts: name and attributes of each class met, in the order of their numbers.
    """

    def __init__(self) -> None:
        self._known: dict[int, int] = {}
        self._kept: list[object] = []
        self.layouts: dict[tuple[str, ...], int] = {}

    def write(self, value: Any) -> Any:
        if type(value) in _PLAIN:
            return value
        if isinstance(value, np.ndarray):
            return ["a", value.dtype.str, list(value.shape), value.tobytes()]
        if isinstance(value, Enum):
            return ["e", self._layout(value), value.value]
        if isinstance(value, np.generic):
            return ["n", value.dtype.str, value.tobytes()]
        if type(value) in (list, tuple):
            return ["l" if isinstance(value, list) else "t", *(self.write(item) for item in value)]
        if isinstance(value, dict):
            return ["d", *([self.write(key), self.write(item)] for key, item in value.items())]
        if isinstance(value, set | frozenset):
            return ["f", isinstance(value, frozenset), *(self.write(item) for item in sorted(value))]
        if isinstance(value, tuple):
            return ["k", self._layout(value), *(self.write(item) for item in value)]
        return self._object(value)

    def _layout(self, value: object, attributes: Iterable[str] = ()) -> int:
        return self.layouts.setdefault((_name(type(value)), *attributes), len(self.layouts))

    def _object(self, value: object) -> Any:
        if id(value) in self._known:
            return ["r", self._known[id(value)]]
        self._known[id(value)] = len(self._kept)
        self._kept.append(value)
        if hasattr(value, "to_state"):
            return ["s", self._layout(value), self.write(value.to_state())]
        held = _attributes(value)
        return ["o", self._layout(value, held), *(self.write(item) for item in held.values())]


class _Reader:
    """Turns those lists back into objects."""

    def __init__(self, layouts: list[list[str]]) -> None:
        self._layouts = [(_class(name), attributes) for name, *attributes in layouts]
        self._kept: list[object] = []

    def read(self, value: Any) -> Any:
        if not isinstance(value, list):
            return value
        tag, rest = value[0], value[1:]
        if tag in ("l", "t"):
            items = [self.read(item) for item in rest]
            return items if tag == "l" else tuple(items)
        if tag == "d":
            return {self.read(key): self.read(item) for key, item in rest}
        if tag == "a":
            return np.frombuffer(rest[2], np.dtype(rest[0])).reshape(rest[1]).copy()
        if tag == "n":
            return np.frombuffer(rest[1], np.dtype(rest[0]))[0]
        if tag == "f":
            return (frozenset if rest[0] else set)(self.read(item) for item in rest[1:])
        if tag == "e":
            return self._layouts[rest[0]][0](rest[1])
        if tag == "k":
            return self._layouts[rest[0]][0]._make(self.read(item) for item in rest[1:])
        return self._kept[rest[0]] if tag == "r" else self._object(tag, rest)

    def _object(self, tag: str, rest: list[Any]) -> object:
        (cls, attributes), place = self._layouts[rest[0]], len(self._kept)
        self._kept.append(None)
        if tag == "s":
            self._kept[place] = cls.from_state(self.read(rest[1]))
            return self._kept[place]
        made = self._kept[place] = cls.__new__(cls)
        if is_dataclass(cls) and {field.name for field in fields(cls)} != set(attributes):
            raise StateError(f"{cls} has other attributes than the saved one.")
        for key, item in zip(attributes, rest[1:], strict=True):
            object.__setattr__(made, key, self.read(item))
        return made


def _name(cls: type) -> str:
    name = f"{cls.__module__}:{cls.__qualname__}"
    if not name.startswith(_HOMES):
        raise TypeError(f"{name} is no state of an analysis")
    return name


def _class(name: str) -> Any:
    module, _, path = name.partition(":")
    if not name.startswith(_HOMES) or module.startswith("poise.cli") or not path.isidentifier():
        raise StateError(f"The saved analysis names {name}, which is no part of one.")
    found = getattr(importlib.import_module(module), path)
    if not isinstance(found, type):
        raise StateError(f"The saved analysis names {name}, which is no class.")
    return found


def _attributes(value: object) -> dict[str, Any]:
    slots = [name for cls in type(value).__mro__ for name in getattr(cls, "__slots__", ())]
    held = {name: getattr(value, name) for name in slots if hasattr(value, name)}
    return held | getattr(value, "__dict__", {})
