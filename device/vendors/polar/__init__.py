"""Polar Verity Sense and Polar H10 through the maker's measurement service (PMD).

Neither sensor numbers its frames or checks them, and a frame comes when it is full: half a second to four
seconds after its first sample. The clock runs from 2000, or from what somebody has set; Poise sets nothing
and takes it for a clock of the sensor's own.

Not verified on hardware: the factor of the angular rates, which layout each firmware sends (all are read),
and what is answered to stopping what does not run.
"""

from device.vendors.polar.sensors import PolarH10, PolarVeritySense

__all__ = ["PolarH10", "PolarVeritySense"]
