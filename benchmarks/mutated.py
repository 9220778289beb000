"""A million mutated payloads through the whole of intake: nothing may raise, and nobody else may notice.

Data: payloads of every kind that a gateway sends (samples of a simulated wearer, presence, sensor status,
calibration), each changed by a few bytes, cut, lengthened, spliced with another or made of noise, as one
wearer's. Between them an honest wearer's messages of one second. Rival: the same honest messages alone; what
is concluded of them must be the same, bit for bit.
"""

import argparse
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "tests"))
from ingest_helpers import Shelf, received  # noqa: E402
from seconds_table import asked  # noqa: E402

from device.wearer.wearer import Wearer as Simulated  # noqa: E402
from ingest.mqtt.settings import Received  # noqa: E402
from ingest.results.store import key  # noqa: E402
from poise import notices  # noqa: E402
from poise.notices import CalibrationNotice, Presence, SensorStatus  # noqa: E402
from poise.topics import Leaf, Wearer  # noqa: E402
from poise.wire import encode_samples  # noqa: E402

HONEST, HOSTILE = Wearer("honest"), Wearer("hostile")
START_US = 1_790_000_000_000_000
AT_ONCE = 200
HONEST_S = 300
_SECONDS = "SELECT name, t_s, mean, low, high, coverage FROM seconds JOIN streams ON id = stream "
CONCLUDED = (
    _SECONDS + "WHERE wearer = ? ORDER BY 1, 2",
    "SELECT episode FROM episodes WHERE wearer = ? ORDER BY id",
    "SELECT quarter_s, run_us, kind, seconds FROM exposures WHERE wearer = ? ORDER BY 1, 2, 3",
)


def good() -> list[tuple[str, bytes]]:
    """Return topics and payloads of every kind."""
    worn = Simulated("desk", seed=3, segments=("head", "c7", "t4", "lumbar"), rate_hz=50.0)
    samples = [encode_samples(message) for message in worn.to_messages(START_US, "hostile", stop_s=20)]
    presence = Presence(
        state="online", gateway="g", session="hostile", since_us=START_US, origin="worn", program="x"
    )
    status = SensorStatus(sensor="S1", segment="head", state="streaming", since_us=START_US)
    calibration = CalibrationNotice(calibration=worn.true_calibration(START_US))
    return [
        *((HOSTILE.topic(Leaf.SAMPLES), payload) for payload in samples),
        (HOSTILE.topic(Leaf.PRESENCE), notices.encode(presence)),
        (HOSTILE.topic(Leaf.SENSOR, "S1"), notices.encode(status)),
        (HOSTILE.topic(Leaf.CALIBRATION), notices.encode(calibration)),
    ]


def mutants(seed: int) -> Iterator[Received]:
    """Yield them without end."""
    chance, kinds = random.Random(seed), good()  # noqa: S311 - not for secrets
    while True:
        topic, payload = chance.choice(kinds)
        yield received(topic, _mutated(chance, payload, chance.choice(kinds)[1]))


def _mutated(chance: random.Random, payload: bytes, other: bytes) -> bytes:
    body, how = bytearray(payload), chance.random()
    at = chance.randrange(len(body))
    if how < 0.5:
        for _ in range(chance.randint(1, 8)):
            body[chance.randrange(min(len(body), chance.choice((40, 400, 10**6))))] = chance.randrange(256)
    elif how < 0.65:
        del body[at:]
    elif how < 0.75:
        body += chance.randbytes(chance.randint(1, 100))
    elif how < 0.85:
        body[at:] = other[chance.randrange(len(other)) :]
    elif how < 0.95:
        body[at : at + chance.randint(1, 40)] = chance.randbytes(chance.randint(0, 40))
    else:
        body = bytearray(chance.randbytes(chance.randint(0, 4000)))
    return bytes(body)


def concluded(shelf: Shelf) -> list[list[tuple[object, ...]]]:
    """Return what is known of the honest one."""
    with shelf.database.transaction() as c:
        return [asked(c, sql, (key(HONEST),), key(HONEST)) for sql in CONCLUDED]


def honest() -> list[Received]:
    """Return five minutes of messages, and the calibration before."""
    worn = Simulated("desk", seed=5, segments=("head", "c7", "t4", "lumbar"), rate_hz=50.0)
    notice = notices.encode(CalibrationNotice(calibration=worn.true_calibration(START_US - 1)))
    samples = worn.to_messages(START_US, "honest", stop_s=HONEST_S)
    return [
        received(HONEST.topic(Leaf.CALIBRATION), notice),
        *(received(HONEST.topic(Leaf.SAMPLES), encode_samples(message)) for message in samples),
    ]


def run(given: argparse.Namespace, folder: Path) -> None:
    """Feed them, and print what became of them."""
    alone, beside, mine = Shelf(folder / "alone.db"), Shelf(folder / "beside.db"), honest()
    for message in mine:
        alone.intake.take([message])
    made, reasons, taken, began = mutants(given.seed), Counter[str](), 0, time.monotonic()
    rounds = -(-given.payloads // AT_ONCE)
    for number in range(rounds):
        first, last = (len(mine) * k // rounds for k in (number, number + 1))
        batch = [next(made) for _ in range(AT_ONCE)]
        outcome = beside.intake.take([*batch[:100], *mine[first:last], *batch[100:]])
        reasons.update(reason for _, reason in outcome.dead)
        taken += len(batch)
    spent = time.monotonic() - began
    counts, same = beside.intake.counts, concluded(alone) == concluded(beside)
    print(f"{taken} mutated payloads in {spent:.0f} s ({taken / spent:.0f}/s): none raised")
    print(f"  put aside {sum(reasons.values())}: {dict(reasons.most_common())}")
    print(f"  stored {counts.stored} messages, {counts.duplicates} again; the rest were notices")
    print(f"  the honest wearer's results are {'the same, bit for bit' if same else 'NOT THE SAME'}")
    alone.database.close()
    beside.database.close()


def main() -> None:
    """Print what became of them."""
    wanted = argparse.ArgumentParser(description=__doc__)
    wanted.add_argument("--payloads", type=int, default=20_000)
    wanted.add_argument("--seed", type=int, default=1)
    given = wanted.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        run(given, Path(folder))


if __name__ == "__main__":
    main()
