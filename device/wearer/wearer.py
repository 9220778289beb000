"""The virtual wearer: a script, a person and sensors, all from one seed."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from device.wearer.body import DEFAULT_SEGMENTS
from device.wearer.kinematics import Skeleton
from device.wearer.person import Person
from device.wearer.script import Script, load_script
from device.wearer.sensor import Samples, VirtualSensor
from device.wearer.timeline import Timeline
from device.wearer.truth import Truth, TruthRules, find_stretches, labels_between, truth_times
from poise.calibration import Alignment, Calibration, Verdict
from poise.errors import ConfigurationError
from poise.samples import (
    Floats,
    ImuBatch,
    Int64s,
    SampleFlag,
    SampleMessage,
    Scale,
    quantise,
    regular_times,
)
from poise.skeleton import SCAPULAE, SPINE

SCALE: Final = Scale(acc_nano=4_788_403, gyr_nano=1_065_264)
"""16 g and 2000 °/s over 32768 counts, as the Movella DOT has them."""
_JUDGED: Final = tuple(str(name) for name in (*SPINE, *SCAPULAE))


class Wearer:
    """A simulated person wearing sensors; the same arguments give the same bits.

    Attributes:
        script: what the person does.
        person: who it is.
        sensors: by segment.
        length_s: how long the script takes, None if it repeats for ever.

    Raises:
        ConfigurationError: for a script, segment or rate that cannot be.
    """

    def __init__(
        self,
        script: Script | str | Path,
        seed: int = 1,
        segments: Sequence[str] = DEFAULT_SEGMENTS,
        rate_hz: float = 60.0,
        *,
        mounting_seed: int | None = None,
        perfect_sensors: bool = False,
    ) -> None:
        """Make up the wearer.

        Args:
            script: a script, the name of a built-in one, or a file.
            seed: fixes the person, the variations and the sensors.
            segments: where a sensor is worn.
            rate_hz: samples a second by each sensor's own clock.
            mounting_seed: mounts all sensors another way and changes nothing else.
            perfect_sensors: no noise, no bias, ideal clocks; mountings stay.
        """
        if not 1 <= rate_hz <= 1000:
            raise ConfigurationError(f"a rate of {rate_hz:g} Hz cannot be simulated; take 1 to 1000 Hz")
        if seed < 0 or (mounting_seed or 0) < 0:
            raise ConfigurationError("a seed must be a whole number from 0 on")
        if not segments or len(set(segments)) != len(segments):
            raise ConfigurationError("name at least one segment to wear a sensor, and none of them twice")
        self.script = script if isinstance(script, Script) else load_script(script)
        self.seed, self.length_s = seed, self.script.length_s
        self.person = Person.from_seed(seed)
        self._timeline = Timeline(self.script, self.person, seed)
        self._skeleton = Skeleton(self._timeline, self.person)
        seeds = (seed, seed if mounting_seed is None else mounting_seed)
        self.sensors = {
            str(name): VirtualSensor(
                self._skeleton, self.person, str(name), rate_hz, seeds, perfect=perfect_sensors
            )
            for name in segments
        }

    def samples_by_index(self, segment: str, i0: int, i1: int) -> tuple[Int64s, Floats, Floats]:
        """Return samples `i0` to `i1` (not included) of one sensor, counted from its first.

        Returns:
            tick (n,) µs of the sensor's clock, specific force (n, 3) m/s² and angular rate (n, 3) rad/s, both
            in the sensor frame: what a virtual Bluetooth sensor sends.
        """
        samples = self._sensor(segment).samples_by_index(i0, i1)
        return samples.tick_us, samples.acc, samples.gyr

    @property
    def drift_ppm(self) -> dict[str, float]:
        """By segment, how much faster than true time the sensor's clock runs; its player needs it."""
        return {name: sensor.imperfections.clock_ppm for name, sensor in self.sensors.items()}

    def samples(self, segment: str, start_s: float, stop_s: float) -> Samples:
        """Return the samples that one sensor took in `start_s <= t < stop_s`, s since the wearer's start."""
        sensor = self._sensor(segment)
        return sensor.samples_by_index(sensor.index_at(start_s), sensor.index_at(stop_s))

    def blocks(
        self, seconds: float = 1.0, start_s: float = 0.0, stop_s: float | None = None
    ) -> Iterator[dict[str, Samples]]:
        """Yield the samples of all sensors, `seconds` at a time; for ever if nothing says when to stop."""
        stop = self.length_s if stop_s is None else stop_s
        number = 0
        while stop is None or start_s + number * seconds < stop - 1e-9:
            begin = start_s + number * seconds
            end = begin + seconds if stop is None else min(begin + seconds, stop)
            yield {name: self.samples(name, begin, end) for name in self.sensors}
            number += 1

    def to_messages(
        self, start_us: int, session: str, stop_s: float | None = None
    ) -> Iterator[SampleMessage]:
        """Yield what a gateway with a perfect radio and clock would send, a message for each second.

        Args:
            start_us: UTC µs of the wearer's start.
            session: gateway session.
            stop_s: s after the start at which to stop; the script's end by default, never if it repeats.
        """
        for sequence, block in enumerate(self.blocks(1.0, 0.0, stop_s)):
            worn = ((name, samples) for name, samples in block.items() if len(samples))
            batches = tuple(self._batch(name, samples, start_us) for name, samples in worn)
            yield SampleMessage(session, sequence, batches, origin="simulated")

    def truth(
        self,
        stop_s: float | None = None,
        *,
        start_s: float = 0.0,
        start_us: int = 0,
        rules: TruthRules | None = None,
    ) -> Truth:
        """Return the true angles and stretches of all judged segments, worn or not, until `stop_s`.

        Raises:
            ConfigurationError: without `stop_s` for a script that repeats for ever.
        """
        stop = self.length_s if stop_s is None else stop_s
        if stop is None:
            raise ConfigurationError("this script repeats for ever; say until when the truth is wanted")
        t_s = truth_times(start_s, stop)
        self._timeline.write_until(stop)
        angles = {name: self._skeleton.angles(name, t_s) for name in _JUDGED}
        sagittal = {name: values[0] for name, values in angles.items()}
        frontal = {name: values[1] for name, values in angles.items()}
        stretches = find_stretches(t_s, sagittal, frontal, rules or TruthRules())
        labels = labels_between(self._timeline.labels, start_s, stop)
        return Truth(self.seed, self.script.name, start_us, t_s, sagittal, frontal, stretches, labels)

    def true_calibration(self, made_us: int, identity: str = "true") -> Calibration:
        """Return the calibration that a perfect procedure would find: the mountings themselves."""
        alignments = {
            name: Alignment(sensor.name, sensor.q_sensor_from_segment, 0.0)
            for name, sensor in self.sensors.items()
        }
        return Calibration(identity, made_us, "simulated truth", Verdict.GOOD, alignments)

    def _sensor(self, segment: str) -> VirtualSensor:
        if segment not in self.sensors:
            raise ConfigurationError(f"this wearer has no sensor on {segment!r}: {', '.join(self.sensors)}")
        return self.sensors[segment]

    def _batch(self, segment: str, samples: Samples, start_us: int) -> ImuBatch:
        sensor = self.sensors[segment]
        acc, clipped_acc = quantise(samples.acc, SCALE.acc_nano)
        gyr, clipped_gyr = quantise(samples.gyr, SCALE.gyr_nano)
        flags = (clipped_acc * SampleFlag.CLIPPED_ACC | clipped_gyr * SampleFlag.CLIPPED_GYR).astype("u1")
        first_us = start_us + (int(samples.true_ns[0]) + 500) // 1000
        return ImuBatch(
            sensor=sensor.name,
            segment=segment,
            first_tick=int(samples.tick_us[0]),
            period_ns=sensor.period_ns,
            t_us=regular_times(first_us, sensor.period_ns, len(samples)),
            acc=acc,
            gyr=gyr,
            scale=SCALE,
            flags=flags if flags.any() else None,
        )
