"""Scripts of postures that anybody can read and write: one act a line (docs/simulation.md).

upright 20 s
forward head 45 s, by 18 deg, over 6 s
rounded shoulders right 30 s
repeat from here
"""

import difflib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

from device.wearer.postures import LIE, POSTURES, SIT, STAND, stance_change_s
from poise.errors import ConfigurationError

BUILT_IN: Final = ("desk", "distractors", "short")
REPEAT: Final = "repeat from here"
LONGEST_S: Final = 6 * 3600.0
LEAST_OVER_S: Final = 0.3
_NUMBER = r"(?P<number>\d+(?:\.\d+)?)\s*"
_TIME = _NUMBER + r"(?P<unit>s|sec|seconds?|min|minutes?)(?![a-z])"
_AMOUNT: Final = re.compile(r"\bby\s+" + _NUMBER + r"(?:°|deg(?:rees?)?(?![a-z]))")
_OVER: Final = re.compile(r"\bover\s+" + _TIME)
_DURATION: Final = re.compile(r"(?:\bfor\s+)?(?<![\d.])" + _TIME)
_SIDES: Final = ("left", "right", "both")
_STANCES: Final = {SIT: "sitting", STAND: "standing", LIE: "lying"}


@dataclass(frozen=True, slots=True)
class Act:
    """One thing that the wearer does.

    Attributes:
        posture: a key of `POSTURES`: "forward_head", "upright", "walk", …
        seconds: how long it takes, s, with the movement into it.
        amount_deg: how far, in the posture's own measure; None for the person's usual amount.
        side: "left", "right", "both", or "" where the posture has no sides or its usual one is meant.
        over_s: how long the movement into it takes, s; None for the person's usual pace.
        line: where it stands in its script, 0 for none.

    Raises:
        ConfigurationError: for an unknown posture or numbers that cannot be.
    """

    posture: str
    seconds: float
    amount_deg: float | None = None
    side: str = ""
    over_s: float | None = None
    line: int = 0

    def __post_init__(self) -> None:
        posture = POSTURES.get(self.posture)
        if posture is None:
            raise self.error(f"nobody here knows the posture {self.posture!r}")
        if self.side and self.side not in posture.sides:
            told = " or ".join(posture.sides) or "no side"
            raise self.error(f"{posture.spoken!r} takes {told}, not {self.side!r}")
        if not posture.least_s <= self.seconds <= LONGEST_S:
            raise self.error(f"{posture.spoken!r} takes from {posture.least_s:g} s to 6 hours")
        if self.over_s is not None and not LEAST_OVER_S <= self.over_s <= self.seconds:
            raise self.error(
                f"'over' must be from {LEAST_OVER_S:g} s to the {self.seconds:g} s that the act takes"
            )
        if self.amount_deg is not None and not 0 < self.amount_deg <= posture.most_deg:
            raise self.error(f"{posture.spoken!r} goes up to {posture.most_deg:g} degrees")

    def error(self, sentence: str) -> ConfigurationError:
        """Return the sentence as an error that names this act's line."""
        return ConfigurationError(f"line {self.line}: {sentence}" if self.line else sentence)


@dataclass(frozen=True, slots=True)
class Script:
    """Acts one after another.

    Attributes:
        acts: what the wearer does.
        name: for labels and truth files.
        repeat_from: the acts from this index on are repeated for ever, each time a little different; None
            for a script that ends.
    """

    acts: tuple[Act, ...]
    name: str = "script"
    repeat_from: int | None = None

    def __post_init__(self) -> None:
        if not self.acts:
            raise ConfigurationError("a script needs at least one act, such as 'upright 20 s'")
        if self.repeat_from is not None and not 0 <= self.repeat_from < len(self.acts):
            raise ConfigurationError(f"{REPEAT!r} needs an act after it")
        for before, act in self._followed():
            self._check_stance(before, act)

    def _followed(self) -> Iterator[tuple[str, Act]]:
        stance = SIT
        again = () if self.repeat_from is None else self.acts[self.repeat_from :]
        for act in (*self.acts, *again):
            yield stance, act
            stance = POSTURES[act.posture].stance or stance

    @staticmethod
    def _check_stance(before: str, act: Act) -> None:
        change_s = stance_change_s(before, POSTURES[act.posture].stance)
        least_s = change_s + max(1.0, act.over_s or 0.0)
        if change_s and act.seconds < least_s:
            raise act.error(
                f"getting there from {_STANCES[before]} takes {change_s:g} s; "
                f"give {POSTURES[act.posture].spoken!r} {least_s:g} s or more"
            )

    @property
    def length_s(self) -> float | None:
        """How long it takes, s; None where it repeats for ever."""
        return None if self.repeat_from is not None else sum(act.seconds for act in self.acts)


def parse_script(text: str, name: str = "script") -> Script:
    """Read a script: one act a line, `#` begins a remark.

    Raises:
        ConfigurationError: naming the line that cannot be understood.
    """
    acts: list[Act] = []
    repeat_from = None
    for line, raw in enumerate(text.splitlines(), 1):
        words = " ".join(raw.split("#", 1)[0].lower().split())
        if words == REPEAT:
            if repeat_from is not None:
                raise ConfigurationError(f"line {line}: {REPEAT!r} can stand only once")
            repeat_from = len(acts)
        elif words:
            acts.append(_act(words, line))
    return Script(tuple(acts), name, repeat_from)


def load_script(source: str | Path) -> Script:
    """Read a script from a file, or one of the `BUILT_IN` ones by its name.

    Raises:
        ConfigurationError: if there is none, or a line of it cannot be understood.
    """
    if str(source) in BUILT_IN:
        name = str(source)
        text = resources.files("device.wearer").joinpath("scripts", f"{name}.txt").read_text("utf-8")
        return parse_script(text, name)
    try:
        text = Path(source).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        known = ", ".join(BUILT_IN)
        raise ConfigurationError(
            f"there is no script {str(source)!r} to read; give a text file or one of: {known}"
        ) from exc
    try:
        return parse_script(text, Path(source).stem)
    except ConfigurationError as exc:
        raise ConfigurationError(f"{source}, {exc}") from exc


def _act(words: str, line: int) -> Act:
    amount, rest = _taken(_AMOUNT, words)
    over, rest = _taken(_OVER, rest)
    seconds, rest = _taken(_DURATION, rest)
    posture, side = _posture(" ".join(rest.replace(",", " ").split()), line)
    seconds = POSTURES[posture].usual_s if seconds is None else seconds
    if seconds is None:
        raise ConfigurationError(f"line {line}: how long? Write for example '{words} 30 s'")
    return Act(posture, seconds, amount, side, over, line)


def _taken(pattern: re.Pattern[str], words: str) -> tuple[float | None, str]:
    found = pattern.search(words)
    if found is None:
        return None, words
    minutes = found.groupdict().get("unit", "").startswith("m")
    rest = f"{words[: found.start()]} {words[found.end() :]}"
    return float(found["number"]) * (60 if minutes else 1), rest


def _posture(words: str, line: int) -> tuple[str, str]:
    sides = [word for word in words.split() if word in _SIDES]
    name = " ".join(word for word in words.split() if word not in _SIDES)
    by_word = {word: key for key, posture in POSTURES.items() for word in posture.words}
    if name in by_word and len(sides) <= 1:
        return by_word[name], sides[0] if sides else ""
    near = difflib.get_close_matches(name, by_word, 1)
    hint = (
        f"did you mean {near[0]!r}?"
        if near
        else f"known are: {', '.join(p.spoken for p in POSTURES.values())}"
    )
    raise ConfigurationError(f"line {line}: {words!r} cannot be understood; {hint}")
