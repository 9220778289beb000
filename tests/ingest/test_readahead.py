"""The socket that reads ahead gives the same bytes as one that does not."""

import socket

import pytest

from ingest.mqtt.readahead import ReadAhead


def test_small_reads_give_every_byte_once_and_then_the_end() -> None:
    near, far = socket.socketpair()
    with near, far:
        ahead = ReadAhead(near)
        far.sendall(bytes(range(100)))
        first = ahead.recv(1)
        assert (first, ahead.pending()) == (b"\0", 99)
        rest = b"".join(ahead.recv(7) for _ in range(15))
        assert first + rest == bytes(range(100))
        assert ahead.pending() == 0
        ahead.setblocking(False)
        with pytest.raises(BlockingIOError):
            ahead.recv(1)
        far.sendall(b"x")
        far.close()
        assert (ahead.recv(10), ahead.recv(10)) == (b"x", b"")
        assert ahead.fileno() == near.fileno()
        ahead.close()
