"""What a message costs: bytes and time of Poise's samples message against the same numbers as JSON.

Data: one second of six sensors of a simulated wearer (script desk, seed 1) at 60 Hz.
Rival: JSON with the values as numbers rounded to the sensor's resolution (msgspec writes it).
"""

import timeit

import msgspec

from device.wearer.wearer import Wearer
from poise.samples import SampleMessage
from poise.wire import decode_samples, encode_samples


def as_json(message: SampleMessage) -> bytes:
    """Write the same content as JSON."""
    rows = [
        {
            "sensor": b.sensor,
            "segment": b.segment,
            "t_us": b.t_us.tolist(),
            "acc": [[round(v, 4) for v in row] for row in b.acc_si.tolist()],
            "gyr": [[round(v, 4) for v in row] for row in b.gyr_si.tolist()],
        }
        for b in message.batches
    ]
    return msgspec.json.encode({"session": message.session, "sequence": message.sequence, "blocks": rows})


def main() -> None:
    """Print the table and the ratios."""
    message = list(Wearer("desk", seed=1).to_messages(1_790_000_000_000_000, "bench", stop_s=3))[1]
    ours, rival = encode_samples(message), as_json(message)
    blocks = len(message.batches)
    times = [
        timeit.timeit(work, number=200) / 200 * 1e6
        for work in (
            lambda: encode_samples(message),
            lambda: decode_samples(ours),
            lambda: as_json(message),
            lambda: msgspec.json.decode(rival),
        )
    ]
    print(f"{'':8} {'bytes/block':>11} {'write µs':>9} {'read µs':>9}")
    print(f"{'poise':8} {len(ours) / blocks:11.0f} {times[0]:9.0f} {times[1]:9.0f}")
    print(f"{'JSON':8} {len(rival) / blocks:11.0f} {times[2]:9.0f} {times[3]:9.0f}")
    print(f"JSON / poise: bytes {len(rival) / len(ours):.1f}, read {times[3] / times[1]:.1f}")


if __name__ == "__main__":
    main()
