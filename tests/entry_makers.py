"""Hypothesis makes entries of any class from the constraints of its fields."""

import re
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from enum import Enum
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin
from uuid import UUID

from hypothesis import assume
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy
from pydantic import AwareDatetime, BaseModel, ValidationError
from pydantic.fields import FieldInfo

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc", "Zs", "Zl", "Zp")), max_size=30)
PLAIN: dict[Any, SearchStrategy[Any]] = {
    bool: st.booleans(),
    date: st.dates(date(2000, 1, 1), date(2100, 1, 1)),
    time: st.builds(time, st.integers(0, 23), st.integers(0, 59)),
    AwareDatetime: st.integers(0, 4_000_000_000).map(lambda s: datetime.fromtimestamp(s, UTC)),
    UUID: st.uuids(),
}


def bounds(metadata: list[Any]) -> dict[str, Any]:
    """Collect ge, gt, le, lt, min_length, max_length and pattern from what annotations carry."""
    found: dict[str, Any] = {}
    for item in metadata:
        if isinstance(item, FieldInfo):
            found |= bounds(item.metadata)
        names = ("ge", "gt", "le", "lt", "min_length", "max_length", "pattern")
        found |= {n: getattr(item, n) for n in names if getattr(item, n, None) is not None}
    return found


def of(kind: Any, limits: dict[str, Any]) -> SearchStrategy[Any]:
    """Return what makes values of an annotation."""
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return of(args[0], limits | bounds(list(args[1:])))
    if origin in (Union, UnionType):
        return st.one_of(*(st.none() if arg is type(None) else of(arg, limits) for arg in args))
    if origin is Literal:
        return st.sampled_from(args)
    if origin is tuple:
        most = min(limits.get("max_length", 4), 4)
        return st.lists(of(args[0], {}), min_size=limits.get("min_length", 0), max_size=most).map(tuple)
    return PLAIN[kind] if kind in PLAIN else _bounded(kind, limits)


def _bounded(kind: Any, limits: dict[str, Any]) -> SearchStrategy[Any]:
    if kind is int:
        return st.integers(limits.get("ge", -10), limits.get("le", 10_000))
    if kind is float:
        low, high = limits.get("ge", limits.get("gt")), limits.get("le", limits.get("lt"))
        return st.floats(low, high, exclude_min="gt" in limits, exclude_max="lt" in limits)
    if kind is str:
        if limits.get("pattern"):
            return st.from_regex(re.compile(limits["pattern"]), fullmatch=True).filter(str.isascii)
        return WORDS.filter(lambda text: len(text.strip()) >= limits.get("min_length", 0))
    if issubclass(kind, Enum):
        return st.sampled_from(list(kind))
    return made(kind)


def made(cls: type[BaseModel]) -> SearchStrategy[Any]:
    """Return what makes instances; what the class's own rules refuse is passed over."""

    @st.composite
    def build(draw: Callable[[SearchStrategy[Any]], Any]) -> Any:
        given = {
            name: draw(of(field.annotation, bounds(field.metadata)))
            for name, field in cls.model_fields.items()
            if field.is_required() or draw(st.booleans())
        }
        try:
            return cls(**given)
        except ValidationError:
            assume(False)
            raise

    return build()
