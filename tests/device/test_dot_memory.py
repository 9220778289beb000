"""A Movella DOT's recordings: bytes from XD0506P, section 5.2.1, where it gives them."""

import struct
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.vendors import movella_dot_frames as movella_dot
from device.vendors import movella_dot_memory as memory
from device.vendors.base import Samples
from device.vendors.movella_dot_memory import Export, Kind, Message, Result, message, read_message
from poise.errors import DecodeError


def walk(n: int) -> list[bytes]:
    rows = np.arange(n)
    acc = np.column_stack([rows, -rows, rows % 3]).astype(float)
    return movella_dot.encode(Samples(5_000_000 + 16_667 * rows.astype(np.int64), acc, acc * 0.01))


def exported(n: int) -> list[bytes]:
    data = [message(Kind.DATA, struct.pack("<I", i) + sample) for i, sample in enumerate(walk(n))]
    return [*data, message(Kind.DATA_DONE)]


def test_addresses() -> None:
    assert memory.CONTROL == "15177001-4947-11e9-8646-d663bd873d93"
    assert memory.ACKNOWLEDGE == "15177002-4947-11e9-8646-d663bd873d93"
    assert memory.NOTIFICATION == "15177003-4947-11e9-8646-d663bd873d93"


def test_the_makers_examples_of_controls() -> None:
    assert memory.ask_state().value.hex() == "010102fc"
    assert memory.stop_recording().value.hex() == "010141bd"
    assert memory.ask_file(1).value.hex() == "010260019c"
    assert memory.fetch(7).value.hex() == "0102700786"
    everything = bytes.fromhex("00010506 0708090a")
    assert message(Kind.SELECT, everything).hex() == "0109740001050607 08090a54".replace(" ", "")
    # Its example of a start, 30 minutes, has the checksum e0, which does not make the sum a multiple of 256.
    assert memory.start_recording(0x5B3B50DF, 1800).value.hex() == "010740df503b5b0807e4"


def test_other_controls() -> None:
    assert memory.start_recording(0).value[7:9].hex() == "ffff"
    assert memory.select().value.hex() == "010474000708" + "78"
    assert memory.stop_export().value.hex() == "0101738b"
    assert memory.ask_flash().value.hex() == "010150ae"
    assert memory.erase(0x5B3B50DF).value[2:7].hex() == "30df503b5b"
    for command in (memory.select(), memory.erase(1), memory.stop_export(), Export().again()):
        assert sum(command.value) % 256 == 0
        assert command.uuid == memory.CONTROL


@pytest.mark.parametrize(
    ("value", "result", "control"),
    [
        ("0103010602f3", Result.IDLE, Message(Kind.GET_STATE, b"")),
        ("0103010041ba", Result.SUCCESS, Message(Kind.STOP, b"")),
        ("01040100600199", Result.SUCCESS, Message(Kind.GET_FILE_INFO, b"\x01")),
        ("01040100700783", Result.SUCCESS, Message(Kind.GET_DATA, b"\x07")),
        (
            "010b010074000105060708090a51",
            Result.SUCCESS,
            Message(Kind.SELECT, bytes.fromhex("000105060708090a")),
        ),
    ],
)
def test_the_makers_examples_of_acknowledgements(value: str, result: Result, control: Message) -> None:
    assert memory.read_acknowledge(bytes.fromhex(value)) == (result, control)
    assert memory.read_acknowledge(bytes.fromhex(value).ljust(160, b"\0")) == (result, control)


def test_what_is_no_message_is_refused() -> None:
    for value in ("", "01", "010102fd", "020108f5", "010202fc", "0100ff"):
        with pytest.raises(DecodeError):
            read_message(bytes.fromhex(value))
    with pytest.raises(DecodeError):
        memory.read_acknowledge(bytes.fromhex("010102fc"))
    assert read_message(bytes.fromhex("0101629c")) == (Kind.FILE_INFO_DONE, b"")


@given(st.binary(max_size=40))
def test_any_bytes_give_a_message_or_a_decode_error(value: bytes) -> None:
    try:
        found = read_message(value)
    except DecodeError:
        return
    assert message(*found) == value[: 4 + len(found.data)]


@given(st.integers(0, 255), st.binary(max_size=156))
def test_messages_come_back(kind: int, data: bytes) -> None:
    assert read_message(message(kind, data)) == (kind, data)


def test_the_files_of_a_memory() -> None:
    header = bytes.fromhex("73616c46 80000000 0002 b8c63364 00000004 02000000") + bytes(106)
    marks = bytes.fromhex("eecceecccc").ljust(128, b"\xff")  # the maker's example
    assert len(header) == 128
    parts = [
        Message(Kind.FLASH_INFO, header),
        Message(Kind.FLASH_INFO, marks),
        Message(Kind.FLASH_INFO_DONE, b""),
    ]
    assert memory.file_sectors(parts) == [1, 2]
    assert memory.file_sectors(parts[2:]) == []
    assert memory.file_sectors(parts[:1]) == []
    with pytest.raises(DecodeError):
        memory.file_sectors(parts[1:])


def test_a_files_start() -> None:
    data = bytes.fromhex("6f636552 80000000 0001 df503b5b 0807") + bytes(112)
    assert len(data) == 128
    assert memory.read_file_info(data) == (0x5B3B50DF, 1800)
    for bad in (data[:15], b"\0" + data[1:]):
        with pytest.raises(DecodeError):
            memory.read_file_info(bad)


@given(st.lists(st.integers(0, 21), max_size=6))
def test_an_export_in_any_portions(cuts: list[int]) -> None:
    sent, export = exported(20), Export()
    edges = [0, *sorted(cuts), len(sent)]
    parts = [export.feed(sent[a:b]) for a, b in pairwise(edges)]
    expected = movella_dot.decode(walk(20))
    assert [t for part in parts for t in part.tick_us.tolist()] == expected.tick_us.tolist()
    np.testing.assert_array_equal(np.concatenate([part.acc for part in parts]), expected.acc)
    assert (export.done, export.broken, export.damaged, export.next) == (True, False, 0, 20)


def test_a_missing_packet_is_asked_for_once_more() -> None:
    sent, export = exported(20), Export()
    damaged = bytearray(sent[7])
    damaged[9] ^= 1
    first = export.feed([*sent[:7], bytes(damaged), *sent[8:]])
    assert (len(first), export.broken, export.done, export.next) == (7, True, False, 7)
    assert export.again().value.hex() == "010575070000007e"
    rest = export.feed([*sent[5:7], *sent[7:]])  # what comes twice is taken once
    assert (len(rest), export.broken, export.done) == (13, False, True)
    assert [*first.tick_us, *rest.tick_us] == movella_dot.decode(walk(20)).tick_us.tolist()
    last = Export()
    last.feed([*sent[:19], sent[19][:-1], sent[20]])
    assert (last.broken, last.done, last.next) == (True, False, 19)


def test_packets_without_a_good_sample_are_counted() -> None:
    sent, export = exported(5), Export()
    bad = message(Kind.BAD_DATA, struct.pack("<I", 2) + walk(3)[2])
    short = message(Kind.DATA, struct.pack("<I", 3) + b"\0")
    got = export.feed([sent[0], sent[1], bad, short, message(Kind.BUSY), message(Kind.DATA), *sent[4:]])
    assert (len(got), export.damaged, export.done) == (3, 2, True)
