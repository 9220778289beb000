"""The spool keeps what it has promised: through SIGKILL, full, and read by two sessions."""

import signal
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from device.spooling.spool import DiskSpool
from device.stream.track import LastSample
from poise.errors import ConfigurationError, StoreUnavailableError
from poise.notices import Stored
from poise.samples import Gap, ImuBatch, SampleMessage, Scale, regular_times
from poise.wire import decode_samples

T0 = 1_800_000_000_000_000


def message(second: int, session: str = "s1", *, gaps: tuple[Gap, ...] = ()) -> SampleMessage:
    counts = np.full((60, 3), second % 30_000, np.int16)
    batch = ImuBatch(
        sensor="a",
        segment="c7",
        first_tick=second * 1_000_000,
        period_ns=16_666_667,
        t_us=regular_times(T0 + second * 1_000_000, 16_666_667, 60),
        acc=counts,
        gyr=counts,
        scale=Scale(1000, 1000),
    )
    return SampleMessage(session, 0, (batch,), gaps)


def test_messages_wait_in_order_until_they_are_confirmed(tmp_path: Path) -> None:
    spool = DiskSpool(tmp_path / "deep" / "spool.db")
    assert [spool.put(message(k, "old")) for k in range(3)] == [0, 1, 2]
    assert [spool.put(message(k, "new")) for k in range(3, 6)] == [0, 1, 2]
    waiting = spool.after(0, 100)
    assert [(w.session, w.sequence) for w in waiting] == [
        (session, n) for session in ("old", "new") for n in range(3)
    ]
    assert decode_samples(waiting[4].payload).sequence == 1
    assert [w.row for w in spool.after(waiting[1].row, 2)] == [w.row for w in waiting[2:4]]
    assert spool.confirm(Stored(session="new", through=-1, highest=2, holes=[(1, 1)])) == 2
    assert [(w.session, w.sequence) for w in spool.after(0, 9)] == [("old", n) for n in range(3)] + [
        ("new", 1)
    ]
    assert spool.confirm(Stored(session="old", through=2, highest=2)) == 3
    assert spool.confirm(Stored(session="old", through=2, highest=2)) == 0
    assert spool.depth() == 1
    assert spool.put(message(9, "new")) == 3, "a confirmed number is never given again"
    assert spool.last_samples() == {"a": LastSample(9_983_333, T0 + 9_983_333)}
    spool.close()
    again = DiskSpool(tmp_path / "deep" / "spool.db")
    assert again.depth() == 2
    assert again.last_samples()["a"].t_us == T0 + 9_983_333


def test_a_full_spool_gives_up_the_oldest_and_says_so(tmp_path: Path) -> None:
    size = 10 * 900
    spool = DiskSpool(tmp_path / "spool.db", max_bytes=size)
    radio = Gap("a", "c7", T0 - 500_000, T0, 29)
    total = 40
    for k in range(total):
        spool.put(message(k, gaps=(radio,) if k == 0 else ()))
    waiting = spool.after(0, 100)
    messages = [decode_samples(w.payload) for w in waiting]
    assert sum(len(w.payload) for w in waiting) <= size + 900
    assert spool.dropped == total - len(waiting) > 20
    assert waiting[0].sequence == spool.dropped
    assert all(m.floor == spool.dropped for m in messages), "nobody waits for what is gone"


def test_every_sample_given_up_is_reported_exactly_once(tmp_path: Path) -> None:
    spool = DiskSpool(tmp_path / "spool.db", max_bytes=9_000)
    radio = Gap("a", "c7", T0 - 500_000, T0, 29)
    for k in range(100):
        spool.put(message(k, gaps=(radio,) if k == 7 else ()))
    # Draining now: everything is confirmed, then one more message settles what was owed.
    seen = [decode_samples(w.payload) for w in spool.after(0, 100)]
    spool.confirm(Stored(session="s1", through=99, highest=99))
    spool.put(message(100))
    seen += [decode_samples(w.payload) for w in spool.after(0, 100)]
    stored = sum(m.samples for m in seen)
    gaps = [g for m in seen for g in m.gaps]
    assert stored + sum(g.count for g in gaps if g.reason == "spool full") == 101 * 60
    assert sum(g.count for g in gaps if g.reason == "radio") == 29


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(ConfigurationError, match=r"cannot be written.*Choose a folder"):
        DiskSpool(blocked / "spool.db")
    (tmp_path / "other.db").write_bytes(b"this is no database at all, but long enough to be read" * 30)
    with pytest.raises(ConfigurationError):
        DiskSpool(tmp_path / "other.db")


def test_a_full_disk_loses_nothing_that_was_promised(tmp_path: Path) -> None:
    spool = DiskSpool(tmp_path / "spool.db")
    spool.put(message(0))
    pages = spool._one("PRAGMA page_count")
    spool._db.execute(f"PRAGMA max_page_count = {pages + 1}")  # SQLite's own way of a full disk
    with pytest.raises(StoreUnavailableError, match="Free some disk space"):
        [spool.put(message(k)) for k in range(1, 50)]
    promised = spool.depth()
    spool._db.execute(f"PRAGMA max_page_count = {pages + 1000}")
    assert spool.put(message(promised)) == promised, "the refused number is used again"
    assert [w.sequence for w in spool.after(0, 100)] == list(range(promised + 1))


def test_threads_share_it(tmp_path: Path) -> None:
    spool = DiskSpool(tmp_path / "spool.db")
    threads = [
        threading.Thread(target=lambda n=n: [spool.put(message(k, f"s{n}")) for k in range(20)])
        for n in range(3)
    ]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        for entry in spool.after(0, 5):
            spool.confirm(Stored(session=entry.session, through=entry.sequence, highest=entry.sequence))
    for entry in spool.after(0, 100):
        spool.confirm(Stored(session=entry.session, through=19, highest=19))
    assert spool.depth() == 0


def test_what_put_has_returned_survives_sigkill(tmp_path: Path) -> None:
    program = (
        "import importlib.util, sys; from pathlib import Path\n"
        f"spec = importlib.util.spec_from_file_location('spool_test', {__file__!r})\n"
        "module = importlib.util.module_from_spec(spec); spec.loader.exec_module(module)\n"
        "spool = module.DiskSpool(Path(sys.argv[1]))\n"
        "k = 0\n"
        "while True:\n"
        "    print(spool.put(module.message(k)), flush=True); k += 1\n"
    )
    path = tmp_path / "spool.db"
    with subprocess.Popen(
        [sys.executable, "-c", program, str(path)], stdout=subprocess.PIPE, text=True
    ) as child:
        assert child.stdout is not None
        for _ in range(50):
            line = child.stdout.readline()
        child.send_signal(signal.SIGKILL)
        promised = [int(line), *(int(rest) for rest in child.stdout.read().splitlines() if rest)][-1]
    spool = DiskSpool(path)
    kept = [w.sequence for w in spool.after(0, 100_000)]
    assert kept == list(range(len(kept)))
    assert len(kept) in (promised + 1, promised + 2)
    last = decode_samples(spool.after(0, 100_000)[-1].payload).batches[0]
    assert spool.last_samples()["a"].t_us == last.t_us[-1]


def test_a_spool_of_before_recordings_is_brought_up(tmp_path: Path) -> None:
    spool = DiskSpool(tmp_path / "spool.db")
    spool.put(message(0))
    for table in ("recording", "stretch"):
        spool._db.execute(f"DROP TABLE {table}")
    spool._db.execute("PRAGMA user_version = 3")
    spool.close()
    again = DiskSpool(tmp_path / "spool.db")
    assert again.put(message(1)) == 1
    assert again._one("PRAGMA user_version") == 4
