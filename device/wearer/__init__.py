"""A virtual wearer: a person at a desk, simulated, with the sensors on; everything it makes is so labelled.

Scripts, physics and truth are described in docs/simulation.md, frames and signs in docs/frames.md.
"""

from device.wearer.body import DEFAULT_SEGMENTS
from device.wearer.script import BUILT_IN, Act, Script, load_script, parse_script
from device.wearer.sensor import Samples, VirtualSensor
from device.wearer.timeline import Label
from device.wearer.truth import Stretch, Truth, TruthRules
from device.wearer.wearer import SCALE, Wearer

__all__ = [
    "BUILT_IN",
    "DEFAULT_SEGMENTS",
    "SCALE",
    "Act",
    "Label",
    "Samples",
    "Script",
    "Stretch",
    "Truth",
    "TruthRules",
    "VirtualSensor",
    "Wearer",
    "load_script",
    "parse_script",
]
