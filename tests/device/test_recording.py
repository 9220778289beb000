"""Recordings: what is written is read back, and damage is named, never guessed over."""

import contextlib
import re
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from device.recordings.recording import MAGIC, RecordingHeader, RecordingReader, RecordingWriter
from device.wearer import Wearer
from poise.errors import RecordingError
from poise.notices import CalibrationNotice, SensorStatus
from poise.wire import encode_samples

END_BYTES = 13 + len(b'{"records": 8, "samples": 720}')
HEADER = RecordingHeader("Ada-1", origin="simulated", timezone="Europe/Vienna", note="short, seed 3")
WEARER = Wearer("short", 3, ("c7", "t4"))
MESSAGES = list(WEARER.to_messages(1_790_000_000_000_000, "s1", 6))
CALIBRATION = WEARER.true_calibration(1_790_000_003_000_000)
STATUS = SensorStatus(sensor="x", segment="t4", state="streaming", since_us=5, rate_hz=60.0)
RECORDS = [*MESSAGES[:3], CalibrationNotice(calibration=CALIBRATION), STATUS, *MESSAGES[3:]]


@pytest.fixture
def path(tmp_path):
    with RecordingWriter(tmp_path / "day" / "one.poise", HEADER) as writer:
        for record in [*MESSAGES[:3], CALIBRATION, STATUS]:
            writer.write(record)
        for message in MESSAGES[3:]:
            writer.write_payload(encode_samples(message), message.samples)
    return writer.path


def test_what_is_written_is_read_back_as_often_as_wanted(path):
    reader = RecordingReader(path)
    assert reader.header == HEADER
    for _ in range(2):
        assert list(reader) == RECORDS
        assert (reader.complete, reader.cut_at) == (True, None)
        assert (reader.tally.records, reader.tally.samples) == (8, sum(m.samples for m in MESSAGES))


def test_a_stranger_can_read_it_from_the_document_alone(path):
    """With the reader printed in docs/recording.md, which knows nothing of Poise."""
    document = Path(__file__).resolve().parents[2] / "docs" / "recording.md"
    (source,) = re.findall(r"```python\n(.*?)```", document.read_text("utf-8"), re.DOTALL)
    stranger: dict = {}
    exec(compile(source, str(document), "exec"), stranger)  # noqa: S102 - our own document
    found = list(stranger["records"](path))
    assert [kind for _, kind, _ in found] == [1, 1, 1, 2, 3, 1, 1, 1, 255]
    assert found[0][0]["patient"] == "Ada-1"
    assert found[0][2] == encode_samples(MESSAGES[0])


def test_nothing_is_ever_written_over(path):
    before = path.read_bytes()
    with pytest.raises(RecordingError, match="already there"):
        RecordingWriter(path, HEADER)
    assert path.read_bytes() == before


def test_a_cut_off_tail_costs_only_the_record_it_cuts(path):
    """At every place a killed program could have stopped."""
    data, reader = path.read_bytes(), RecordingReader(path)
    begin, ends = len(data.split(b"\n", 2)[0]) + len(data.split(b"\n", 2)[1]) + 2, []
    at = begin
    while at < len(data):
        at += 13 + int.from_bytes(data[at : at + 4], "little")
        ends.append(at)
    for cut in (begin, begin + 3, ends[0], ends[1] - 1, ends[1] + 5, ends[6] - 2, ends[7], len(data) - 1):
        path.write_bytes(data[:cut])
        whole = sum(end <= cut for end in ends)
        assert list(reader) == RECORDS[:whole]
        assert not reader.complete
        assert reader.cut_at == (None if cut in (begin, *ends) else max([begin, *ends[:whole]]))


def test_zeros_at_the_end_are_a_tail_too(path):
    data = path.read_bytes()
    path.write_bytes(data[:-END_BYTES] + bytes(5000))
    reader = RecordingReader(path)
    assert list(reader) == RECORDS
    assert reader.cut_at is not None
    assert not reader.complete


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_a_damaged_byte_is_named_with_its_place(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("damage") / "one.poise"
    with RecordingWriter(path, HEADER) as writer:
        for record in RECORDS:
            writer.write(record)
    whole = bytearray(path.read_bytes())
    begin = whole.index(b"}\n") + 2
    at = data.draw(st.integers(0, len(whole) - 1))
    whole[at] ^= data.draw(st.integers(1, 255))
    path.write_bytes(whole)
    found = []
    if at >= begin:
        with pytest.raises(RecordingError, match="damaged at byte") as damage:
            found.extend(RecordingReader(path))
        assert begin <= damage.value.offset <= at
    else:  # the header has no checksum: a letter may change, or the file is refused
        with contextlib.suppress(RecordingError):
            found.extend(RecordingReader(path))
    assert found == RECORDS[: len(found)]


def test_a_record_that_is_missing_before_the_end_is_noticed(path):
    data = path.read_bytes()
    first = data.index(b"}\n") + 2
    size = 13 + int.from_bytes(data[first : first + 4], "little")
    path.write_bytes(data[:first] + data[first + size :])
    with pytest.raises(RecordingError, match="records are missing before the mark"):
        list(RecordingReader(path))


def test_a_kind_of_record_from_the_future_is_passed_over(path):
    data, kind = path.read_bytes(), bytes([77])
    first = data.index(b"}\n") + 2
    head = (3).to_bytes(4, "little") + kind
    strange = (
        head + zlib.crc32(head).to_bytes(4, "little") + b"abc" + zlib.crc32(b"abc").to_bytes(4, "little")
    )
    end = len(data) - END_BYTES
    path.write_bytes(data[:first] + strange + data[first:end])
    reader = RecordingReader(path)
    assert list(reader) == RECORDS
    assert reader.tally.unknown == 1


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"", "is not a Poise recording"),
        (b"RIFF....WAVE", "is not a Poise recording"),
        (MAGIC.replace(b"1", b"2") + b"{}\n", "newer Poise"),
        (MAGIC, "header is damaged"),
        (MAGIC + b'{"version": 1, "patient": "a"', "header is damaged"),
        (MAGIC + b'{"version": 1}\n', "header is damaged"),
        (MAGIC + b'{"version": 2, "patient": "a"}\n', "does not follow version 1"),
        (MAGIC + b'{"version": 1, "patient": 7}\n', "does not follow version 1"),
    ],
)
def test_what_is_no_recording_is_refused_with_a_sentence(tmp_path, data, sentence):
    path = tmp_path / "strange"
    path.write_bytes(data)
    with pytest.raises(RecordingError, match=sentence):
        RecordingReader(path)


def test_what_cannot_be_opened_is_told_as_a_recording_error(tmp_path):
    with pytest.raises(RecordingError, match="cannot be read"):
        RecordingReader(tmp_path / "absent.poise")
    (tmp_path / "file").write_text("")
    with pytest.raises(RecordingError, match="cannot be written"):
        RecordingWriter(tmp_path / "file" / "one.poise", HEADER)
