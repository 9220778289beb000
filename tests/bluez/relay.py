"""Inside the guest: joins a virtio port to /dev/vhci, so that the guest's kernel has the host's controller.

Both carry HCI packets as UART transport (H4) frames them: a stream at the port, one packet for each write and
read at the device. A second port tells the host the guest's time. Nothing but the standard library:
`python -I -S relay.py HCI_PORT CLOCK_PORT`.
"""

import os
import sys
import threading
import time
from pathlib import Path

CREATE = b"\xff\x00"
"""Asks the device for a controller; it answers with a packet of the same kind, which is not HCI."""
HEADERS = {1: (4, 3, 4), 2: (5, 3, 5), 3: (4, 3, 4), 4: (3, 2, 3)}
"""By packet type: bytes of the header with the type before it, and where in it the length stands."""


def length(buffer: bytes) -> int:
    """Bytes of the first packet in the buffer; more than there are if it is not complete."""
    header, start, stop = HEADERS[buffer[0]]
    return header + int.from_bytes(buffer[start:stop], "little") if len(buffer) >= header else header


def to_kernel(port: int, device: int) -> None:
    buffer = b""
    while chunk := os.read(port, 65536):
        buffer += chunk
        while buffer and len(buffer) >= (n := length(buffer)):
            os.write(device, buffer[:n])
            buffer = buffer[n:]
    Path("/proc/sysrq-trigger").write_text("o")  # the host has hung up, and nobody else would end the guest


def to_host(device: int, port: int) -> None:
    while packet := os.read(device, 4096):
        while packet and packet[0] != CREATE[0]:
            packet = packet[os.write(port, packet) :]


def tell_time(port: int) -> None:
    """Write the guest's time, µs in 8 bytes, twenty times a second of the guest's."""
    while True:
        os.write(port, (time.monotonic_ns() // 1000).to_bytes(8, "little"))
        time.sleep(0.05)


def main() -> None:
    device, port, clock = (os.open(path, os.O_RDWR) for path in ("/dev/vhci", *sys.argv[1:]))
    os.write(device, CREATE)
    threading.Thread(target=to_kernel, args=(port, device), daemon=True).start()
    threading.Thread(target=tell_time, args=(clock,), daemon=True).start()
    to_host(device, port)


if __name__ == "__main__":
    main()
