"""A hostile publisher in a process of its own: as many messages a second as it is told, without any window.

python tests/flood.py PORT RATE SECONDS garbage|valid
"""

import asyncio
import contextlib
import os
import random
import struct
import sys
import time
from collections.abc import Iterator

from device.wearer.wearer import Wearer as Simulated
from ingest.mqtt.link import Link
from ingest.mqtt.settings import BrokerSettings, Outgoing
from poise.errors import BrokerError
from poise.topics import Leaf, Wearer
from poise.wire import encode_samples

_FIRST = 2**40
_BURST_S = 0.02


def garbage() -> Iterator[bytes]:
    """Valid messages with a few bytes changed, and noise."""
    chance = random.Random(1)  # noqa: S311 - not for secrets
    good = next(valid())
    while True:
        damaged = bytearray(good)
        for _ in range(chance.randint(1, 8)):
            damaged[chance.randrange(len(damaged))] = chance.randrange(256)
        yield bytes(damaged) if chance.random() < 0.9 else chance.randbytes(chance.randint(0, 4000))


def valid() -> Iterator[bytes]:
    """One second of samples again and again, each with a number and a time of its own."""
    now_us = time.time_ns() // 1_000_000_000 * 1_000_000
    worn = Simulated("desk", seed=1, segments=("head", "c7", "t4", "lumbar"), rate_hz=50.0)
    message = next(iter(worn.to_messages(now_us, f"flood{os.getpid()}", stop_s=5)))
    object.__setattr__(message, "sequence", _FIRST)
    template = encode_samples(message)
    times = {int(batch.t_us[0]) for batch in message.batches}
    for number in range(2**30):
        payload = template.replace(_packed(_FIRST), _packed(_FIRST + number))
        for t_us in times:
            payload = payload.replace(_packed(t_us), _packed(t_us + number * 1_000_000))
        yield payload


def _packed(number: int) -> bytes:
    return struct.pack(">BQ", 0xCF, number)


async def flood(port: int, rate: float, seconds: float, wearer: Wearer, payloads: Iterator[bytes]) -> int:
    """Send, half of it at QoS 1; return how many."""
    sent, began = 0, time.monotonic()
    async with Link(BrokerSettings(port=port), "hostile") as link:
        await link.until_connected()
        while (passed := time.monotonic() - began) < seconds:
            while sent < rate * passed:
                with contextlib.suppress(BrokerError):
                    link.send(Outgoing(wearer.topic(Leaf.SAMPLES), next(payloads), qos=sent % 2))
                sent += 1
            await asyncio.sleep(_BURST_S)
    return sent


if __name__ == "__main__":
    port, rate, seconds, kind = sys.argv[1:]
    made = {"garbage": garbage, "valid": valid}[kind]()
    print(asyncio.run(flood(int(port), float(rate), float(seconds), Wearer(f"hostile-{kind}"), made)))
