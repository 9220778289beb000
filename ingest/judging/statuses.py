"""The small messages beside the samples that are kept as they came: checked, and where each is kept."""

from poise import notices
from poise.errors import WireError
from poise.notices import GuardNotice, Presence, SensorStatus
from poise.topics import Address, Leaf

KEPT = (Leaf.PRESENCE, Leaf.SENSOR, Leaf.GUARD)


def detail_of(address: Address, payload: bytes) -> str:
    """Return under what a message is kept: a later one of the same takes its place.

    Raises:
        WireError: if it cannot be read or contradicts its topic.
    """
    match address.leaf:
        case Leaf.PRESENCE:
            notices.decode(payload, Presence)
        case Leaf.GUARD:
            found = notices.decode(payload, GuardNotice).exceedance
            if not 0 <= found.start_us <= (found.end_us or found.start_us) < 2**53:
                raise WireError("an exceedance must begin before it ends", reason="range")
            return f"{found.kind} {found.start_us}"
        case _:
            if notices.decode(payload, SensorStatus).sensor != address.detail:
                raise WireError(f"the status names another sensor than {address.detail!r}", reason="sensor")
    return address.detail
