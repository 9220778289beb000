"""Poise Open Profile, version 1: our own GATT profile for makers, described in `docs/open-profile.md`.

A sensor of any maker that offers this service is worn like any other. All numbers are little-endian. A
notification of `SAMPLES` holds n samples that follow each other at the period of its rate, 8 + 12 n bytes, so
that one sample fits the 20 bytes of a link whose MTU was never negotiated:

    0  uint8      high four bits: 1, the layout's version; low four bits: rate code
    1  uint16     number of the first sample since power-up, modulo 65 536
    3  uint32     µs of the sensor's clock at the first sample, wraps after 71.6 min
    7  n times 6 int16: specific force x, y, z (2048 to the g), angular rate x, y, z (16.384 to the °/s)
   -1  uint8      CRC-8 of all bytes before it

32 767 and -32 767 mean "at the end of the range or beyond" and come out as infinite; -32 768 means "not
known" and comes out as NaN: both are flagged when they are quantised.

The number and the tick count the same samples: between two notifications both must have gone on by the same
number of periods. So a gap is exact from its ticks, and a contradiction is damage that is noticed.
"""

from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np

from device.vendors.base import (
    Advertised,
    Decoded,
    Decoder,
    Endpoint,
    G,
    Notification,
    Peripheral,
    Samples,
    Timing,
    Write,
    no_samples,
)
from device.vendors.common import (
    BATTERY_LEVEL,
    BATTERY_SERVICE,
    FIRMWARE_REVISION,
    INFORMATION_SERVICE,
    Usual,
    battery_level,
    firmware_revision,
)
from poise.errors import DecodeError
from poise.samples import Floats, Scale

VERSION: Final = 1
RATES_HZ: Final = (25, 50, 100, 200)
"""By rate code; each has a period of whole µs."""
RATE_HZ: Final = 50
PERIOD_US: Final = 20_000
WRAP_US: Final = 1 << 32
NUMBERS: Final = 1 << 16
HEAD_BYTES: Final = 7
SAMPLE_BYTES: Final = 12
ACC_UNIT: Final = G / 2048
GYR_UNIT: Final = float(np.radians(2000 / 32768))
SCALE: Final = Scale(acc_nano=4_788_403, gyr_nano=1_065_264)
"""16 g and 2000 °/s over 32 768 counts: the profile's own units, so quantising keeps every count."""
GROUP: Final = 5
"""Samples in a notification of the virtual sensor: 0.1 s, 68 bytes, as the document advises."""
_TICK_TOLERANCE: Final = 4  # ticks may be off by a period over this; 2 would be the limit; project decision
_LIMIT: Final = 32767
_UNKNOWN: Final = -32768


def uuid(number: int) -> str:
    """Return the full UUID of one of the profile's numbers."""
    return f"6c50{number:04x}-fb77-4dc5-87e6-281f22a55117"


SERVICE: Final = uuid(1)
INFO: Final = uuid(2)
CONTROL: Final = uuid(3)
SAMPLES: Final = uuid(4)

START: Final = bytes([1, RATES_HZ.index(RATE_HZ)])
STOP: Final = bytes([2])
BLINK: Final = bytes([3, 30])
"""Three seconds."""
BUZZ: Final = bytes([4, 20, 10, 2])
"""0.2 s on, 0.1 s off, twice: to be felt through clothes, project decision."""
_COMMAND_BYTES: Final = {command[:1]: len(command) for command in (START, STOP, BLINK, BUZZ)}


def _crc_of(byte: int) -> int:
    for _ in range(8):
        byte = byte << 1 ^ (0x107 if byte & 0x80 else 0)
    return byte


_CRC: Final = bytes(map(_crc_of, range(256)))


def crc8(data: bytes) -> int:
    """Return the CRC-8 with polynomial 0x07, begun with 0xFF, not reflected: Zephyr's `crc8_ccitt`."""
    crc = 0xFF
    for byte in data:
        crc = _CRC[crc ^ byte]
    return crc


class Head(NamedTuple):
    """What a notification says: number and tick of its first sample, period in µs, and how many samples."""

    number: int
    tick_us: int
    period_us: int
    n: int


def head(value: bytes) -> Head:
    """Read and check a notification of `SAMPLES`.

    Raises:
        DecodeError: if it does not follow the layout, or its CRC is wrong.
    """
    n, rest = divmod(len(value) - HEAD_BYTES - 1, SAMPLE_BYTES)
    if n < 1 or rest:
        raise DecodeError(f"{len(value)} bytes are not {HEAD_BYTES + 1} and {SAMPLE_BYTES} for each sample")
    version, code = value[0] >> 4, value[0] & 15
    if version != VERSION or code >= len(RATES_HZ):
        raise DecodeError(f"version {version} with rate code {code} is not known")
    if crc8(value[:-1]) != value[-1]:
        raise DecodeError("the CRC is wrong")
    number, tick_us = int.from_bytes(value[1:3], "little"), int.from_bytes(value[3:7], "little")
    return Head(number, tick_us, 1_000_000 // RATES_HZ[code], n)


def agree(before: Head, after: Head) -> bool:
    """Have number and tick gone on by the same number of periods between two notifications?

    A gap within a connection is far shorter than half of a tick's wrap, so its ticks tell it fully.
    """
    ticks = (after.tick_us - before.tick_us + WRAP_US // 2) % WRAP_US - WRAP_US // 2
    periods = round(ticks / after.period_us)
    same = (periods - after.number + before.number) % NUMBERS == 0
    return same and abs(ticks - periods * after.period_us) * _TICK_TOLERANCE <= after.period_us


def encode(samples: Samples, number: int, rate_hz: int = RATE_HZ) -> bytes:
    """Return the notification of one or more samples at the period of `rate_hz`; `number` is the first's."""
    body = np.hstack([_counts(samples.acc, ACC_UNIT), _counts(samples.gyr, GYR_UNIT)])
    value = bytes([VERSION << 4 | RATES_HZ.index(rate_hz)])
    value += (number % NUMBERS).to_bytes(2, "little")
    value += (int(samples.tick_us[0]) % WRAP_US).to_bytes(4, "little")
    value += body.astype("<i2").tobytes()
    return value + bytes([crc8(value)])


def decode(notifications: Sequence[bytes]) -> Samples:
    """Turn notifications of `SAMPLES`, oldest first, into samples.

    Raises:
        DecodeError: if any of them does not follow the layout.
    """
    return _samples([head(value) for value in notifications], notifications)


def info(rates_hz: Sequence[int], *, led: bool, haptic: bool, acc_g: int, gyr_dps: int) -> bytes:
    """Return the value of `INFO`: what a sensor can do, and where its ranges end; Poise needs none of it."""
    rates = sum(1 << RATES_HZ.index(rate) for rate in rates_hz)
    return bytes([VERSION, rates, led | haptic << 1, 0]) + b"".join(
        part.to_bytes(2, "little") for part in (acc_g, gyr_dps)
    )


def _counts(values: Floats, unit: float) -> Floats:
    counts = np.clip(np.rint(values / unit), -_LIMIT, _LIMIT)
    return np.where(np.isnan(counts), _UNKNOWN, counts)


def _values(counts: Floats, unit: float) -> Floats:
    values = counts * unit
    values[counts >= _LIMIT] = np.inf
    values[counts <= -_LIMIT] = -np.inf
    values[counts == _UNKNOWN] = np.nan
    return values


def _samples(heads: Sequence[Head], notifications: Sequence[bytes]) -> Samples:
    if not heads:
        return no_samples()
    body = b"".join([value[HEAD_BYTES:-1] for value in notifications])
    counts = np.frombuffer(body, "<i2").reshape(-1, 6).astype(np.float64)
    ticks = np.concatenate([one.tick_us + one.period_us * np.arange(one.n, dtype=np.int64) for one in heads])
    return Samples(ticks % WRAP_US, _values(counts[:, :3], ACC_UNIT), _values(counts[:, 3:], GYR_UNIT))


class OpenDecoder:
    """A `Decoder` that also holds each notification to the one before it."""

    def __init__(self) -> None:
        """Begin a connection."""
        self._before: Head | None = None

    def feed(self, notifications: Sequence[Notification]) -> Decoded:
        """See `Decoder`; what contradicts its predecessor, or has a rate nobody asked for, is damaged."""
        mine = [
            (i, n.value, self._accepted(n.value)) for i, n in enumerate(notifications) if n.uuid == SAMPLES
        ]
        good = [(i, value, one) for i, value, one in mine if one is not None]
        samples = _samples([one for _, _, one in good], [value for _, value, _ in good])
        of = np.repeat(np.array([i for i, _, _ in good], np.int64), [one.n for _, _, one in good])
        return Decoded(samples, of, damaged=len(mine) - len(good))

    def _accepted(self, value: bytes) -> Head | None:
        try:
            one = head(value)
        except DecodeError:
            return None
        if one.period_us != PERIOD_US:
            return None
        # After a contradiction the later one is believed, or a single slip would cost all that follows.
        before, self._before = self._before, one
        return one if before is None or agree(before, one) else None


class OpenProfile(Usual):
    """A `Vendor`: any sensor with the Poise Open Profile, at 50 Hz."""

    name = "open_profile"
    label = "Poise Open Profile"
    scale = SCALE
    rate_hz = float(RATE_HZ)
    timing = Timing.STAMPED
    wrap_us = WRAP_US
    clock_ppm = 200.0
    subscriptions = (SAMPLES,)
    start = (Write(CONTROL, START),)
    stop = (Write(CONTROL, STOP),)
    blink = (Write(CONTROL, BLINK),)
    buzz = (Write(CONTROL, BUZZ),)

    battery = staticmethod(battery_level)
    firmware = staticmethod(firmware_revision)

    def recognises(self, advertised: Advertised) -> bool:
        """See `Vendor`; the name is the maker's own."""
        return SERVICE in advertised.services

    def decoder(self) -> Decoder:
        """See `Vendor`."""
        return OpenDecoder()

    def peripheral(self, address: str) -> Peripheral:  # noqa: ARG002 - it is not told by any value
        """See `Vendor`."""
        return VirtualOpen()


class VirtualOpen:
    """A `Peripheral` that keeps to the profile: 50 Hz only, with a light and a motor."""

    advertised = Advertised("", frozenset({SERVICE}))
    company: tuple[int, bytes] | None = None
    endpoints: tuple[Endpoint, ...] = (
        Endpoint(SERVICE, INFO, "r"),
        Endpoint(SERVICE, CONTROL, "w"),
        Endpoint(SERVICE, SAMPLES, "n"),
        Endpoint(BATTERY_SERVICE, BATTERY_LEVEL, "rn"),
        Endpoint(INFORMATION_SERVICE, FIRMWARE_REVISION, "r"),
    )

    def __init__(self) -> None:
        """Power it up."""
        self.measuring = False
        self.battery_percent, self.charging = 90, False
        self._kept = no_samples()
        self._first_tick: int | None = None

    def read(self, uuid: str) -> bytes:
        """See `Peripheral`."""
        values = {
            INFO: info([RATE_HZ], led=True, haptic=True, acc_g=16, gyr_dps=2000),
            BATTERY_LEVEL: bytes([self.battery_percent]),
            FIRMWARE_REVISION: b"1.0.0",
        }
        return values[uuid]

    def write(self, uuid: str, value: bytes) -> Sequence[Notification]:
        """See `Peripheral`; a rate that its Info does not offer is refused."""
        if uuid == CONTROL:
            if not value or len(value) != _COMMAND_BYTES.get(value[:1]):
                raise DecodeError(f"not a command: {value.hex()}")
            if value[:1] == START[:1] and value != START:
                raise DecodeError(f"rate code {value[1]} is not offered")
            self.measuring = value == START or (self.measuring and value != STOP)
        return ()

    def send(self, samples: Samples) -> Sequence[tuple[Notification, int]]:
        """See `Peripheral`; a gap ends a notification early, as its samples must be equidistant."""
        pairs = [(getattr(self._kept, part), getattr(samples, part)) for part in ("tick_us", "acc", "gyr")]
        kept = Samples(*map(np.concatenate, pairs))
        gaps = np.flatnonzero(np.diff(kept.tick_us) != PERIOD_US) + 1
        sent = []
        for first, stop in zip([0, *gaps], [*gaps, len(kept)], strict=True):
            last = stop if stop < len(kept) else first + (stop - first) // GROUP * GROUP
            sent += [self._one(kept, at, min(at + GROUP, last)) for at in range(first, last, GROUP)]
            self._kept = _part(kept, last, stop)
        return sent

    def _one(self, samples: Samples, first: int, stop: int) -> tuple[Notification, int]:
        part = _part(samples, first, stop)
        tick = int(part.tick_us[0])
        if self._first_tick is None:
            self._first_tick = tick
        number = round((tick - self._first_tick) / PERIOD_US)
        return Notification(SAMPLES, encode(part, number)), stop - first

    def disconnected(self) -> None:
        """See `Peripheral`; numbers go on until power-down."""
        self.measuring = False
        self._kept = no_samples()


def _part(samples: Samples, first: int, stop: int) -> Samples:
    return Samples(samples.tick_us[first:stop], samples.acc[first:stop], samples.gyr[first:stop])
