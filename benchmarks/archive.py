"""How much room raw samples take in the archive, and what moving them costs.

Data: the sitting recordings of fourteen people (Nariman Ahmed and others, CC BY 4.0, four sensors at 50 Hz),
beside the project, if they are there; and half an hour of a simulated wearer at a desk, six sensors at 60 Hz.
One message a second.
Rivals: the messages as they lie in `poise.db`; each of them through zlib; the same columns as pyarrow writes
them when asked for nothing (snappy, dictionaries). Seconds are of this process's processor, for an hour of
samples: reading, writing, reading back, comparing, deleting.
"""

import io
import sys
import tempfile
import time
import zlib
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pyarrow.parquet as pq

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))
import sitting_recordings as sitting

from device.wearer.wearer import Wearer as VirtualWearer
from ingest.archive.archivist import Archivist
from ingest.database.journal import Journal, Lane
from ingest.database.sqlite import Database
from poise.samples import SampleMessage
from poise.topics import Wearer
from poise.wire import encode_samples

START_US = 1_790_000_400_000_000
SIMULATED_S = 1800
LATER_US = START_US * 2


def stored(database: Database, people: Sequence[Sequence[SampleMessage]]) -> list[bytes]:
    """Store everybody's messages as ingest does; return their bytes."""
    journal, payloads = Journal(database), []
    for number, messages in enumerate(people):
        wearer = Wearer(f"P-{number:02d}")
        with database.transaction() as c:
            for sequence, message in enumerate(messages):
                whole = SampleMessage("0123456789abcdef", sequence, message.batches, message.gaps)
                payloads.append(encode_samples(whole))
                # Messages reach ingest after about a tenth of a second, never twice the same.
                late_us = 1_000_000 + hash((number, sequence)) % 90_000
                journal.put_message(
                    c, wearer, whole, payloads[-1], lane=Lane.UNANALYSED,
                    received_us=(whole.first_us or 0) + late_us,
                )  # fmt: skip
    return payloads


def plainly(folder: Path) -> int:
    """Return the bytes of the same tables as pyarrow writes them by default."""
    size = 0
    for path in folder.rglob("*.parquet"):
        file = io.BytesIO()
        pq.write_table(pq.read_table(path), file)
        size += len(file.getvalue())
    return size


def measure(name: str, people: Sequence[Sequence[SampleMessage]]) -> float:
    """Print a line, and return the share of the archive in the bytes of the messages."""
    with (
        tempfile.TemporaryDirectory() as folder,
        closing(Database(Path(folder) / "poise.db")) as database,
    ):
        payloads = stored(database, people)
        hours = len(payloads) / 3600
        before = sum(len(payload) for payload in payloads)
        began = time.process_time()
        entries = list(Archivist(database).archive(LATER_US, LATER_US))
        spent = (time.process_time() - began) / hours
        ours = sum(entry.bytes for entry in entries)
        zipped = sum(len(zlib.compress(payload)) for payload in payloads)
        sizes = [size / hours / 1e6 for size in (before, zipped, plainly(Path(folder) / "archive"), ours)]
    print(f"{name:34}{len(payloads):>9}" + "".join(f"{size:>10.2f}" for size in sizes) + f"{spent:>10.2f}")
    return ours / before


def main() -> None:
    """Print the table and the figure."""
    print(f"{'':34}{'messages':>9}{'as stored':>10}{'zlib':>10}{'default':>10}{'archive':>10}{'s':>10}")
    simulated = VirtualWearer("desk", seed=5).to_messages(START_US, "s", stop_s=SIMULATED_S)
    share = measure("simulated, 6 sensors at 60 Hz", [list(simulated)])
    if sitting.subjects():
        people = [sitting.load(subject).messages for subject in sitting.subjects()]
        share = measure("14 people, 4 sensors at 50 Hz", people)
    print(f"MB for a wearer's hour. The archive takes {share:.0%} of what the messages took.")


if __name__ == "__main__":
    main()
