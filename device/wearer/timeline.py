"""From a script to smooth movements: every channel of the body at any moment, with its two derivatives.

A movement from one pose to the next is a minimum-jerk blend (Flash and Hogan 1985,
doi:10.1523/JNEUROSCI.05-07-01688.1985), so that velocity and acceleration are smooth and known exactly.
"""

from dataclasses import dataclass, replace

import numpy as np

from device.wearer.body import TURN
from device.wearer.person import Person
from device.wearer.postures import (
    LIE,
    POSTURES,
    SIT,
    Posture,
    pose,
    rising_pose,
    stance_change_s,
    stance_pose,
)
from device.wearer.script import LEAST_OVER_S, LONGEST_S, Act, Script
from poise.samples import Floats

STILL_S = 8.0
"""How long a calibration begins with sitting still."""
_BOW_HOLD_S = 2.0


@dataclass(frozen=True, slots=True)
class Label:
    """What the script says about a stretch; s since the wearer's start."""

    posture: str
    side: str
    amount_deg: float
    start_s: float
    end_s: float


@dataclass(frozen=True, slots=True)
class Move:
    """A movement into a pose that then lasts until the next one."""

    start_s: float
    over_s: float
    target: Floats


class Timeline:
    """A script played by a person, written out as far as anybody has asked.

    Each round of a repeated part differs a little in amounts, pace and length, fixed by the seed.
    """

    def __init__(self, script: Script, person: Person, seed: int) -> None:
        self._script, self._person, self._seed = script, person, seed
        self._moves: list[Move] = []
        self.labels: list[Label] = []
        self._written_s = 0.0
        self._stance = POSTURES[script.acts[0].posture].stance or SIT
        self._turned = 0.0
        self._rounds = 0
        self._tables: tuple[Floats, Floats, Floats] | None = None
        self._add(0.0, 1.0, self._resting())
        for act in script.acts:
            self._play(act)

    def channels_at(self, t_s: Floats, channels: list[int]) -> Floats:
        """Return the channels' values and first and second derivatives in time.

        Args:
            t_s: (n,) s since the wearer's start.
            channels: (c,) which.

        Returns:
            (3, c, n) in rad or m, and per s and per s².
        """
        self.write_until(float(t_s.max()))
        starts, overs, targets = self._table()
        k = np.clip(np.searchsorted(starts, t_s, "right") - 1, 1, None)
        x = np.clip((t_s - starts[k]) / overs[k], 0.0, 1.0)
        before = targets[k - 1][:, channels].T
        way = targets[k][:, channels].T - before
        blend = x * x * x * (10 + x * (6 * x - 15))
        speed = 30 * x * x * (1 - x) * (1 - x) / overs[k]
        change = 60 * x * (1 - x) * (1 - 2 * x) / (overs[k] * overs[k])
        return np.stack([before + way * blend, way * speed, way * change])

    def write_until(self, t_s: float) -> None:
        """Write the timeline out to at least `t_s`, if its script repeats."""
        again = self._script.repeat_from
        while again is not None and self._written_s <= t_s:
            self._rounds += 1
            rng = np.random.default_rng([self._seed, 5, self._rounds])
            for act in self._script.acts[again:]:
                self._play(_varied(act, rng))

    def _table(self) -> tuple[Floats, Floats, Floats]:
        if self._tables is None:
            moves = self._moves
            self._tables = (
                np.array([-1.0] + [move.start_s for move in moves]),
                np.array([1.0] + [move.over_s for move in moves]),
                np.stack([moves[0].target] + [move.target for move in moves]),
            )
        return self._tables

    def _play(self, act: Act) -> None:
        posture, start = POSTURES[act.posture], self._written_s
        amount = self._amount(act, posture)
        at = self._change_stance(posture, start)
        end = start + act.seconds
        over = act.over_s or posture.over_s / self._person.tempo
        if act.posture == "calibration":
            self._calibrate(at, end, amount)
        elif posture.gesture:
            self._gesture(act, at, end, amount)
        else:
            self._turn(act, amount)
            target = stance_pose(self._stance) + pose(act.posture, act.side, amount)
            self._add(at, min(over, end - at), target)
        self.labels.append(Label(act.posture, act.side or _usual(posture), amount, start, end))
        self._written_s = end

    def _turn(self, act: Act, amount: float) -> None:
        if act.posture == "turn_around":
            self._turned += np.radians(amount) * (1 if act.side == "left" else -1)

    def _amount(self, act: Act, posture: Posture) -> float:
        return posture.usual_deg * self._person.reach if act.amount_deg is None else act.amount_deg

    def _change_stance(self, posture: Posture, start: float) -> float:
        """Stand up, sit down or lie down if need be, and return when that is done.

        Leaving the seat and reaching it go through a lean over it; between sitting and lying there is none.
        """
        seconds = stance_change_s(self._stance, posture.stance)
        if not seconds:
            return start
        over_seat = 0.0 if {self._stance, posture.stance} == {SIT, LIE} else 0.4 * seconds
        self._stance = posture.stance
        if over_seat:
            self._add(start, over_seat, rising_pose())
        self._add(start + over_seat, seconds - over_seat, self._resting())
        return start + seconds

    def _calibrate(self, at: float, end: float, amount: float) -> None:
        upright, bow = pose("calibration", "", 0.0), pose("calibration", "", amount)
        over = min(2.2, (end - at - STILL_S - _BOW_HOLD_S) / 2)
        self._add(at, 0.5, stance_pose(SIT) + upright)
        self._add(at + STILL_S, over, stance_pose(SIT) + bow)
        self._add(at + STILL_S + over + _BOW_HOLD_S, over, stance_pose(SIT) + upright)

    def _gesture(self, act: Act, at: float, end: float, amount: float) -> None:
        posture = POSTURES[act.posture]
        side = act.side or _usual(posture)
        ways = ("left", "right") if side == "both" else (side,)
        each = (end - at) / len(ways)
        over = min(act.over_s or posture.over_s / self._person.tempo, 0.4 * each)
        base = stance_pose(self._stance)
        for i, way in enumerate(ways):
            out = at + i * each
            self._add(out, over, base + pose(act.posture, way, amount))
            self._add(out + each - over, over, self._resting())

    def _resting(self) -> Floats:
        return stance_pose(self._stance) + pose("upright", "", 0.0)

    def _add(self, start_s: float, over_s: float, target: Floats) -> None:
        turned = target.copy()
        turned[TURN] += self._turned
        self._moves.append(Move(start_s, over_s, turned))
        self._tables = None


def _usual(posture: Posture) -> str:
    return posture.sides[0] if posture.sides else ""


def _varied(act: Act, rng: np.random.Generator) -> Act:
    """Return the act as it goes another time: other length, pace and amount, drawn in a fixed order."""
    longer, slower, further = rng.uniform(0.85, 1.25), rng.uniform(0.8, 1.3), rng.uniform(0.92, 1.12)
    posture = POSTURES[act.posture]
    if act.posture == "calibration":
        return act
    seconds = min(max(act.seconds * longer, act.seconds if posture.gesture else posture.least_s), LONGEST_S)
    return replace(
        act,
        seconds=float(seconds),
        over_s=None if act.over_s is None else float(np.clip(act.over_s * slower, LEAST_OVER_S, seconds)),
        amount_deg=float(min((act.amount_deg or posture.usual_deg) * further, posture.most_deg)) or None,
    )
