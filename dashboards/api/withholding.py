"""What researchers are given: numbers, times, codes and places on the body, and no words that somebody typed.

Free text and names of people at the clinic may tell who somebody is, whatever the pseudonym. So they are
withheld as a whole; nothing tries to find names in them.
"""

from enum import Enum
from typing import Any, Final, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel

from dashboards.api.shapes import Kept
from poise.care.entry import Entry
from poise.skeleton import Segment

WITHHELD: Final = "withheld"
_PLACES: Final = frozenset(str(segment) for segment in Segment)
M = TypeVar("M", bound=BaseModel)


def without_words(model: M) -> M:
    """Return a part of the record in which every text that somebody typed says that it is withheld."""
    fields = type(model).model_fields
    changed = {name: _without(value) for name, value in model if not _is_coded(fields[name].annotation)}
    return model.model_copy(update=changed)


def for_research(kept: Kept[Entry]) -> Kept[Entry]:
    """Return a version of an entry as a researcher is given it; one that cannot be read holds nothing."""
    entry = None if kept.entry is None else without_words(kept.entry)
    unreadable = None if kept.unreadable is None else (kept.unreadable[0], WITHHELD)
    reason = WITHHELD if kept.reason else ""
    return kept.model_copy(update={"entry": entry, "unreadable": unreadable, "reason": reason})


def _without(value: Any) -> Any:
    if isinstance(value, BaseModel):
        return without_words(value)
    if isinstance(value, tuple):
        return tuple(_without(one) for one in value)
    if isinstance(value, str) and not isinstance(value, Enum) and value and value not in _PLACES:
        return WITHHELD
    return value


def _is_coded(annotation: Any) -> bool:
    """Tell whether a field can hold only words that the program itself chose."""
    if get_origin(annotation) is Literal:
        return True
    return any(_is_coded(one) for one in get_args(annotation))
