"""What garbage does to the decoders, and what they cost: every kind of sensor, mutated and clean.

Data: the upper back (T4) of a simulated wearer (script desk, seed 1) as the virtual sensor of each kind
sends it, its answers to the start included, at its own rate; fed 30 notifications a call, as a gateway
hands them on. Mutated: every notification is one of bits flipped, cut off, made longer, swapped with
another, replaced by random bytes; a million for each kind of sensor (`--frames` for another number). Any
error, and any warning, ends the run. Then the same decoder is fed the clean ones: what comes out, as a
share of what a fresh decoder gives, is the column `after`. Rival: a loop over the clean notifications of a
Movella DOT with `struct.unpack`, to the same arrays, in the same run. Times are the processor's own,
without the mutating, so that other programs do not count.
"""

import argparse
import importlib
import inspect
import pkgutil
import struct
import time
import warnings
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

import device.vendors
from device.vendors import VENDORS, movella_dot
from device.vendors.base import Decoder, Notification, Samples, Vendor
from device.wearer.wearer import Wearer

FRAMES = 1_000_000
SAMPLES = 20_000
PER_CALL = 30
ROUNDS = 5
RECOVERED = 0.99
"""Share of a clean stream's samples that must come out after garbage; project decision."""
ADDRESS = "D4:22:CD:00:00:01"
KINDS = ("flipped", "cut", "longer", "swapped", "random")


class Fed(NamedTuple):
    """What came of feeding: s of the processor, and counts."""

    seconds: float
    notifications: int
    samples: int
    damaged: int


def vendors() -> list[Vendor]:
    """Return those that the gateway knows, and those whose file is there but not registered yet."""
    found: dict[str, Vendor] = {vendor.name: vendor for vendor in VENDORS}
    for module_info in pkgutil.iter_modules(device.vendors.__path__):
        module = importlib.import_module(f"device.vendors.{module_info.name}")
        for _, kind in inspect.getmembers(module, inspect.isclass):
            if hasattr(kind, "recognises") and kind is not Vendor:
                found.setdefault(kind.name, kind())
    return list(found.values())


def recorded(vendor: Vendor) -> list[Notification]:
    """Return what a virtual sensor sends from its start on."""
    wearer = Wearer("desk", seed=1, segments=("t4",), rate_hz=vendor.rate_hz)
    ticks, acc, gyr = wearer.samples_by_index("t4", 0, SAMPLES)
    sensor = vendor.peripheral(ADDRESS)
    sent = [answer for write in vendor.start for answer in sensor.write(write.uuid, write.value)]
    for at in range(0, SAMPLES, PER_CALL):
        cut = slice(at, at + PER_CALL)
        sent += [notification for notification, _ in sensor.send(Samples(ticks[cut], acc[cut], gyr[cut]))]
    return sent


def flipped(value: bytes, rng: np.random.Generator) -> bytes:
    """Return the bytes with one to four bits turned."""
    changed = bytearray(value)
    for bit in rng.integers(0, 8 * max(1, len(value)), rng.integers(1, 5)).tolist():
        if changed:
            changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def mutated(calls: Sequence[Notification], rng: np.random.Generator) -> list[Notification]:
    """Return notifications of one call, each of them damaged in one way."""
    out = list(calls)
    for at, kind in enumerate(rng.integers(0, len(KINDS), len(out)).tolist()):
        uuid, value = out[at]
        if KINDS[kind] == "flipped":
            value = flipped(value, rng)
        elif KINDS[kind] == "cut":
            value = value[: int(rng.integers(0, len(value) + 1))]
        elif KINDS[kind] == "longer":
            value += rng.bytes(int(rng.integers(1, 20)))
        elif KINDS[kind] == "swapped":
            out[at], out[at - 1] = out[at - 1], out[at]
            continue
        else:
            value = rng.bytes(len(value) if rng.integers(2) else int(rng.integers(0, 245)))
        out[at] = Notification(uuid, value)
    return out


def fed_mutated(decoder: Decoder, sent: Sequence[Notification], frames: int) -> Fed:
    """Feed `frames` mutated notifications."""
    rng = np.random.default_rng(7)
    seconds, samples, damaged, done = 0.0, 0, 0, 0
    while done < frames:
        first = done % max(1, len(sent) - PER_CALL)
        call = mutated(sent[first : first + min(PER_CALL, frames - done)], rng)
        began = time.process_time()
        decoded = decoder.feed(call)
        seconds += time.process_time() - began
        done += len(call)
        samples += len(decoded.samples)
        damaged += decoded.damaged
    return Fed(seconds, done, samples, damaged)


def fed_clean(decoder: Decoder, sent: Sequence[Notification]) -> Fed:
    """Feed all notifications as they were sent."""
    samples = damaged = 0
    began = time.process_time()
    for at in range(0, len(sent), PER_CALL):
        decoded = decoder.feed(sent[at : at + PER_CALL])
        samples, damaged = samples + len(decoded.samples), damaged + decoded.damaged
    return Fed(time.process_time() - began, len(sent), samples, damaged)


def unpacked(values: Sequence[bytes]) -> tuple[object, ...]:
    """Read a DOT's notifications one by one: the rival."""
    rows = [struct.unpack("<I6f", value) for value in values]
    table = np.array(rows, np.float64)
    return table[:, 0].astype(np.int64), table[:, 1:4], np.radians(table[:, 4:])


def rival_seconds(sent: Sequence[Notification], read: Callable[[Sequence[bytes]], object]) -> float:
    """Return the median s of reading all notifications, `PER_CALL` at a time."""
    seconds = []
    for _ in range(ROUNDS):
        began = time.process_time()
        for at in range(0, len(sent), PER_CALL):
            read([notification.value for notification in sent[at : at + PER_CALL]])
        seconds.append(time.process_time() - began)
    return sorted(seconds)[ROUNDS // 2]


def per_second(fed: Fed) -> str:
    """Return the two columns: notifications and samples a second."""
    return f"{fed.notifications / fed.seconds:16.0f} {fed.samples / fed.seconds:12.0f}"


def measured(vendor: Vendor, frames: int) -> Fed:
    """Print the line of one kind of sensor and return what clean notifications cost."""
    sent = recorded(vendor)
    clean = sorted(fed_clean(vendor.decoder(), sent) for _ in range(ROUNDS))[ROUNDS // 2]
    decoder = vendor.decoder()
    bad, after = fed_mutated(decoder, sent, frames), fed_clean(decoder, sent)
    share, again = bad.damaged / bad.notifications, after.samples / clean.samples
    print(f"{vendor.name:20} {per_second(clean)} {per_second(bad)} {share:8.1%} {again:7.1%}", flush=True)
    if clean.damaged:
        raise SystemExit(f"{clean.damaged} of its own notifications count as damaged")
    if not RECOVERED <= again <= 2 - RECOVERED:
        raise SystemExit("garbage costs it samples that come later")
    return clean


def main() -> None:
    """Print a line for each kind of sensor and the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--frames", type=int, default=FRAMES, help="mutated notifications for each kind")
    frames = parser.parse_args().frames
    warnings.simplefilter("error")
    columns = f"{'notifications/s':>16} {'samples/s':>12}"
    print(f"{'':20} {'clean':>29} {'mutated':>29}\n{'':20} {columns} {columns} {'damaged':>8} {'after':>7}")
    clean = {vendor.name: measured(vendor, frames) for vendor in vendors()}
    dot = clean[movella_dot.MovellaDot.name]
    loop = dot._replace(seconds=rival_seconds(recorded(movella_dot.MovellaDot()), unpacked))
    print(f"{'DOT by struct.unpack':20} {per_second(loop)}")
    print(
        f"decoders: {frames} mutated notifications of each of {len(clean)} kinds, nothing raised; "
        f"DOT {dot.samples / dot.seconds / 1e6:.2f} million samples/s, {loop.seconds / dot.seconds:.1f} "
        f"times the loop; slowest kind {min(c.samples / c.seconds for c in clean.values()) / 1e6:.2f} million"
    )


if __name__ == "__main__":
    main()
