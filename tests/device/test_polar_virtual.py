"""The virtual Polar sensors answer as the real ones do."""

import numpy as np
import pytest
from polar_helpers import ADDRESS, H10, VERITY, part, started, wearing

from device.vendors.base import Notification
from device.vendors.polar.control import CONTROL, DATA, Status
from poise.errors import DecodeError


@pytest.mark.parametrize(
    ("command", "answer"),
    [
        ("0102", "f0 01 02 00 00 00 01 34 00 01 01 10 00 02 01 08 00 04 01 03"),
        ("0105", "f0 01 05 00 00 00 01 34 00 01 01 10 00 02 01 d0 07 04 01 03"),
        ("0202 0001 3400 0101 1000 0201 0800 0401 03", "f002020000"),  # as in issues 331 and 443
        ("0205 0001 3400 0101 1000 0201 d007 0401 03", "f002050000 0501 295c8f3d"),
        ("0202 0001 3500 0101 1000 0201 0800 0401 03", "f0020208"),
        ("0202 0001 3400 0101 0e00 0201 0800 0401 03", "f0020207"),
        ("0202 0001 3400 0101 1000 0201 1000 0401 03", "f0020209"),
        ("0202 0001 3400 0101 1000 0201 0800 0401 02", "f002020b"),
        ("0202 0001 3400 0101 1000 0201 0800", "f0020205"),
        ("0202 0001 3400 0101 10", "f0020205"),
        ("0200", "f0020003"),
        ("02ff", "f002ff02"),
        ("0302", "f0030206"),
        ("01", "f0010004"),
        ("010200", "f0010204"),
        ("0900", "f0090001"),
    ],
)
def test_the_control_point_answers(command: str, answer: str) -> None:
    sensor = VERITY.peripheral(ADDRESS)
    (reply,) = sensor.write(CONTROL, bytes.fromhex(command))
    assert reply == Notification(CONTROL, bytes.fromhex(answer))
    assert sensor.measuring == (answer == "f002020000")


def test_the_virtual_sensor_starts_once_and_forgets_at_disconnection() -> None:
    sensor, _ = started(VERITY)
    again = sensor.write(CONTROL, VERITY.start[0].value)
    assert again[0].value[3] == Status.ALREADY_IN_STATE
    sensor.send(part(wearing(100, 52.0), 0, 30))
    sensor.disconnected()
    assert not sensor.measuring
    assert sensor.send(wearing(1000, 52.0)) == []
    for write in VERITY.start + VERITY.stop:
        assert sensor.write(write.uuid, write.value)[0].value[3] == Status.SUCCESS
    assert not sensor.measuring


def test_a_stream_that_begins_later_leaves_the_other_as_it_was() -> None:
    # The answer to the first command may take a while: what was measured meanwhile is sent, and is counted.
    sensor, decoder, worn = VERITY.peripheral(ADDRESS), VERITY.decoder(), wearing(1000, 52.0)
    ticks, counted = [], 0
    for at in range(0, 1000, 10):
        for command in VERITY.start[at // 10 : at // 10 + 1] if at < 20 else ():
            decoder.feed(sensor.write(command.uuid, command.value))
        for notification, n in sensor.send(part(worn, at, at + 10)):
            counted += n
            ticks += decoder.feed([notification]).samples.tick_us.tolist()
    assert counted == len(ticks) > 800
    assert np.abs(np.array(ticks) - worn.tick_us[:counted]).max() <= 3


def test_the_virtual_sensor_shows_what_it_is() -> None:
    verity, h10 = VERITY.peripheral(ADDRESS), H10.peripheral(ADDRESS)
    assert h10.read(CONTROL) == bytes.fromhex("0f05" + "00" * 15)  # as in issue 360
    assert verity.read(CONTROL)[1] == 1 << 1 | 1 << 2 | 1 << 3 | 1 << 5 | 1 << 6
    for vendor, sensor in ((VERITY, verity), (H10, h10)):
        assert vendor.recognises(sensor.advertised)
        assert 3 + 2 + len(sensor.advertised.name) + 4 <= 31
        assert vendor.battery(sensor.read(vendor.battery_uuid)) == (90, False)
        assert vendor.firmware(sensor.read(vendor.info_uuid))
        assert set(vendor.subscriptions) <= {
            end.uuid for end in sensor.endpoints if set(end.access) & {*"ni"}
        }
        assert sensor.write(DATA, b"\x01") == ()
        with pytest.raises(DecodeError):
            sensor.write(CONTROL, b"")
