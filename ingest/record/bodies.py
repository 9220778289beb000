"""Entries as text and back, also those that an older Poise wrote."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from poise.care.entry import Entry, Kinds
from poise.errors import RecordRefusedError

Fields = dict[str, Any]
Step = Callable[[Fields], Fields]
Steps = Mapping[str, Mapping[int, Step]]
"""By kind and format: what makes an entry of that format one of the next."""


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An entry that this program cannot read. It is shown as it is, never left out.

    Attributes:
        body: what is stored.
        why: a sentence for whoever looks at it.
    """

    body: str
    why: str


@dataclass(frozen=True, slots=True)
class Bodies:
    """The kinds of entry that a program knows, and how to read those of older formats."""

    kinds: Kinds
    steps: Steps = field(default_factory=dict)

    def read(self, kind: str, written_as: int, body: str) -> Entry | Unreadable:
        """Return what was stored as an entry of the present format.

        Args:
            kind: of the entry.
            written_as: its format when it was stored.
            body: what was stored.
        """
        if (cls := self.kinds.get(kind)) is None:
            return Unreadable(body, f"this Poise knows no entry of the kind {kind}")
        if written_as > cls.version:
            return Unreadable(body, "a newer Poise wrote this entry; update this one to read it")
        try:
            if written_as == cls.version:
                return cls.model_validate_json(body)
            return cls.model_validate_json(json.dumps(self._raised(cls, written_as, json.loads(body))))
        except (ValidationError, ValueError, LookupError, TypeError, AttributeError) as exc:
            said = str(exc).splitlines()[0]
            return Unreadable(body, f"what is stored is no whole {kind} of format {written_as} ({said})")

    def _raised(self, cls: type[Entry], written_as: int, fields: Fields) -> Fields:
        for older in range(written_as, cls.version):
            fields = self.steps[cls.kind][older](fields)
        return fields


def text_of(entry: Entry) -> str:
    """Return an entry as it is stored.

    Raises:
        RecordRefusedError: if it holds text that is none (half of a character).
    """
    try:
        return entry.model_dump_json()
    except PydanticSerializationError as exc:
        raise RecordRefusedError(f"this entry cannot be written down: {exc}") from exc
