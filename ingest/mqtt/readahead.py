"""A socket that reads ahead: many small messages in one call of the system."""

import socket
from typing import Final

_AT_ONCE: Final = 64 * 1024


class ReadAhead:
    """Stands in for a socket where a library reads a few bytes at a time.

    At each read a thread gives up its turn, and beside one that calculates it waits long for the next: with
    several reads for each message it would fall behind 2,000 messages a second.
    """

    def __init__(self, inner: socket.socket) -> None:
        self._inner = inner
        self._read = b""
        self._at = 0

    def recv(self, buffer_size: int) -> bytes:
        """Return some of what came, at most `buffer_size` bytes; b"" at the end."""
        if self._at == len(self._read):
            self._read, self._at = self._inner.recv(_AT_ONCE), 0
        piece = self._read[self._at : self._at + buffer_size]
        self._at += len(piece)
        return piece

    def pending(self) -> int:
        """Return how many bytes can be had though the system does not say that there is anything to read."""
        behind = getattr(self._inner, "pending", None)  # of TLS
        return len(self._read) - self._at + (int(behind()) if behind else 0)

    def send(self, buffer: bytes | bytearray) -> int:
        """Send some of it and return how much."""
        return self._inner.send(buffer)

    def setblocking(self, flag: bool) -> None:  # noqa: FBT001 - as sockets have it
        """See `socket.socket`."""
        self._inner.setblocking(flag)

    def shutdown(self, how: int) -> None:
        """See `socket.socket`."""
        self._inner.shutdown(how)

    def fileno(self) -> int:
        """See `socket.socket`."""
        return self._inner.fileno()

    def close(self) -> None:
        """See `socket.socket`."""
        self._inner.close()
