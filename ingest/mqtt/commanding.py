"""A command on its way to a gateway: the broker forgets it when it is too late to be done."""

import math

from ingest.mqtt.settings import Outgoing
from poise import notices
from poise.errors import ConfigurationError
from poise.notices import Command
from poise.topics import Leaf, Wearer


def outgoing(wearer: Wearer, command: Command, now_us: int) -> Outgoing:
    """Return the message, which an MQTT 5 broker keeps for at most as long as the command is good.

    The gateway looks at `expires_us` too: a broker counts whole seconds, and by MQTT 3.1.1 not at all.

    Raises:
        ConfigurationError: if it is too late already.
    """
    left_s = (command.expires_us - now_us) / 1e6
    if left_s <= 0:
        raise ConfigurationError(f"the command {command.verb} expired before it was sent")
    return Outgoing(wearer.topic(Leaf.COMMAND), notices.encode(command), expires_s=math.ceil(left_s))
