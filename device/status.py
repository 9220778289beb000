"""The truth about one sensor, as it is told to everybody."""

from device.bluetooth.link import Link
from device.stream.track import Track
from poise.notices import SensorStatus


def sensor_status(link: Link, track: Track | None, origin: str, skew_us: float | None) -> SensorStatus:
    """Return what is known of a sensor; `track` is None until it was first connected."""
    vendor, counts = link.vendor, track.counts if track else None
    return SensorStatus(
        sensor=link.sensor,
        segment=link.segment,
        state=link.state,
        since_us=link.since_us,
        last_us=track.newest_us if track else 0,
        rate_hz=vendor.rate_hz if vendor else 0.0,
        battery_percent=_battery(link, track),
        charging=link.charging,
        vendor=vendor.name if vendor else "",
        firmware=link.firmware,
        clock_ppm=track.clock.ppm if track else None,
        received=counts.received if counts else 0,
        missing=counts.missing if counts else 0,
        origin=origin,
        clock=vendor.timing.value if vendor else "",
        spread=counts.spread if counts else 0,
        damaged=counts.damaged if counts else 0,
        repeated=counts.repeated if counts else 0,
        drops=link.drops,
        trouble=link.trouble,
        skew_us=None if skew_us is None else round(skew_us, 0),
    )


def _battery(link: Link, track: Track | None) -> int | None:
    """Some sensors tell their charge when it is read, others among their samples."""
    told = track.battery_percent if track else None
    return link.battery_percent if told is None else told
