"""Who may do what at a clinic's broker: names, hashed passwords, and the rights that follow from a name.

The password file is the only list of who is admitted. The file of rights is made from its names, so the two
cannot disagree, and nobody has to edit either.
"""

import base64
import hashlib
import secrets
from collections.abc import Iterable, Iterator, Mapping
from typing import Final
from urllib.parse import quote, unquote

from poise.errors import WireError
from poise.topics import Leaf, Wearer, everyone

INGEST: Final = "ingest"
PAGES: Final = "pages"
RECORD: Final = "record"
ASK: Final = "ask"
ERASE: Final = "erase"
GATEWAY: Final = "gateway"
PROGRAMS: Final = (INGEST, PAGES, RECORD, ASK, ERASE)
"""Those that serve all wearers; each is a name of its own."""

WRITES: Final[Mapping[str, tuple[Leaf, ...]]] = {
    GATEWAY: (Leaf.SAMPLES, Leaf.PRESENCE, Leaf.SENSOR, Leaf.CALIBRATION, Leaf.CUE, Leaf.GUARD),
    INGEST: (Leaf.STORED, Leaf.LIVE, Leaf.EPISODE, Leaf.COMMAND),
    PAGES: (Leaf.COMMAND, Leaf.PLAN),
    ASK: (Leaf.COMMAND,),
    ERASE: tuple(Leaf),
}
"""What each role may publish; a gateway only for its own wearer."""
READS: Final[Mapping[str, tuple[Leaf, ...]]] = {
    GATEWAY: (Leaf.STORED, Leaf.COMMAND, Leaf.PLAN),
    INGEST: (
        Leaf.SAMPLES,
        Leaf.PRESENCE,
        Leaf.SENSOR,
        Leaf.CALIBRATION,
        Leaf.CUE,
        Leaf.COMMAND,
        Leaf.PLAN,
        Leaf.GUARD,
    ),
    PAGES: (Leaf.LIVE, Leaf.EPISODE, Leaf.PRESENCE, Leaf.SENSOR),
    RECORD: (Leaf.SAMPLES, Leaf.SENSOR, Leaf.CALIBRATION),
    ERASE: tuple(Leaf),
}
"""What each role is given of what is published."""

_ROUNDS: Final = 101
"""Mosquitto's own number (PW_DEFAULT_ITERATIONS). Passwords drawn from 2²⁵⁶ need no stretching."""
_SALT_BYTES: Final = 12
_PASSWORD_BYTES: Final = 32


def gateway_name(wearer: Wearer) -> str:
    """Return the user name of a wearer's gateway; no two wearers share one."""
    # A colon would end the name in Mosquitto's password file.
    return "/".join((GATEWAY, quote(wearer.site, safe=""), quote(wearer.patient, safe="")))


def worker_name(number: int, of: int) -> str:
    """Return the user name of an ingest worker: each needs a session of its own."""
    return INGEST if of == 1 else f"{INGEST}-{number}of{of}"


def wearer_of(name: str) -> Wearer | None:
    """Return whose gateway a user name is, None if it is no gateway's."""
    role, _, rest = name.partition("/")
    site, slash, patient = rest.partition("/")
    if role != GATEWAY or not slash:
        return None
    try:
        return Wearer(unquote(patient), unquote(site))
    except WireError:
        return None


def new_password() -> str:
    """Return a password that nobody can guess."""
    return secrets.token_urlsafe(_PASSWORD_BYTES)


def hashed(password: str) -> str:
    """Return a password as Mosquitto 2 keeps it: PBKDF2 of SHA-512 (`mosquitto_passwd`, type 7)."""
    salt = secrets.token_bytes(_SALT_BYTES)
    derived = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, _ROUNDS)
    return f"$7${_ROUNDS}${base64.b64encode(salt).decode()}${base64.b64encode(derived).decode()}"


def read_passwords(text: str) -> dict[str, str]:
    """Return the hash by name from the text of a password file."""
    entries = (line.partition(":") for line in text.splitlines())
    return {name: known for name, colon, known in entries if colon}


def write_passwords(known: Mapping[str, str]) -> str:
    """Return the text of a password file."""
    return "".join(f"{name}:{entry}\n" for name, entry in known.items())


def rights(names: Iterable[str]) -> str:
    """Return the text of Mosquitto's file of rights for these names; a name of no role gets none."""
    head = "# Made by `poise` from the names in the password file; what is changed here is lost.\n"
    return head + "".join(
        f"\nuser {name}\n" + "".join(f"topic {line}\n" for line in _lines(name)) for name in names
    )


def _lines(name: str) -> Iterator[str]:
    wearer = wearer_of(name)
    role = GATEWAY if wearer else name.partition("-")[0]
    for access, leaves in (("write", WRITES), ("read", READS)):
        for leaf in leaves.get(role, ()):
            yield f"{access} {_topic(leaf, wearer)}"


def _topic(leaf: Leaf, wearer: Wearer | None) -> str:
    if wearer is None:
        return everyone(leaf)
    return everyone(leaf, site=wearer.site, bucket=wearer.bucket, patient=wearer.patient)
