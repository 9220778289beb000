"""The only file that knows argon2: passwords as hashes, rules for new ones, and those that are handed out.

The rules follow NIST SP 800-63-3B, section 5.1.1.2 (https://pages.nist.gov/800-63-3/sp800-63b.html): length
counts, no mixture of signs is demanded, nothing has to be changed without a reason, and text is brought to
one form (NFKC) first. Its list of leaked passwords is not here, which is a gap; so the least length is 12.
"""

import secrets
import threading
import unicodedata
from typing import Final

from argon2 import PasswordHasher
from argon2.exceptions import HashingError, InvalidHashError, VerificationError, VerifyMismatchError

from poise.errors import RecordRefusedError, StoreUnavailableError

LEAST: Final = 12
"""Characters: project decision, for without a list of leaked passwords 8 are few."""
MOST: Final = 256
DIFFERENT: Final = 5
"""Characters that are not the same: refuses aaaaaaaaaaaa and 121212121212. Project decision."""
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"  # none that is mistaken for another when read aloud
_GROUPS: Final = 4
_GROUP: Final = 5
_AT_ONCE: Final = 2
"""Hashes that are worked on at the same time: each takes 64 MiB, and a flood of them must not take all."""


class Passwords:
    """Makes and compares argon2id hashes; by default as RFC 9106 recommends where memory is scarce."""

    def __init__(self, time_cost: int = 3, memory_kib: int = 65536, lanes: int = 4) -> None:
        self._hasher = PasswordHasher(time_cost, memory_kib, lanes)
        self._room = threading.BoundedSemaphore(_AT_ONCE)
        self._nobodys = self.hash(secrets.token_urlsafe())

    def hash(self, password: str) -> str:
        """Return what is kept of a password.

        Raises:
            StoreUnavailableError: if there is not enough memory now.
        """
        with self._room:
            try:
                return self._hasher.hash(_one_form(password))
            except HashingError as exc:
                raise StoreUnavailableError(f"no password can be hashed now ({exc}); try again") from exc

    def matches(self, kept: str | None, password: str) -> bool:
        """Whether a password is the one that was kept; for None, nobody's, after the same work.

        So how long an answer takes does not tell whether there is an account.
        """
        with self._room:
            try:
                right = self._hasher.verify(kept or self._nobodys, _one_form(password[: MOST + 1]))
            except VerifyMismatchError:
                return False
            except (InvalidHashError, VerificationError):
                return False
        return right and bool(kept)

    def outdated(self, kept: str) -> bool:
        """Whether a hash was made with other parameters than today's."""
        return self._hasher.check_needs_rehash(kept)


def refuse_weak(password: str, name: str) -> None:
    """Refuse a new password that is easily guessed.

    Args:
        password: what somebody wants to have.
        name: of the account.

    Raises:
        RecordRefusedError: with what is wrong with it.
    """
    plain = _one_form(password).casefold()
    if len(plain) < LEAST:
        raise RecordRefusedError(f"a password has at least {LEAST} characters; a few words make a good one")
    if len(password) > MOST:
        raise RecordRefusedError(f"a password has at most {MOST} characters")
    if len(set(plain)) < DIFFERENT:
        raise RecordRefusedError(f"a password has at least {DIFFERENT} different characters")
    rest = plain.replace(name.casefold(), "").replace("poise", "")
    if len(rest) < LEAST // 2:
        raise RecordRefusedError("a password is more than the account's name or the program's")


def one_time() -> str:
    """Return a random password to be handed out: 99 bits, in groups that can be read aloud."""
    groups = ("".join(secrets.choice(_ALPHABET) for _ in range(_GROUP)) for _ in range(_GROUPS))
    return "-".join(groups)


def _one_form(password: str) -> str:
    return unicodedata.normalize("NFKC", password).encode("utf-8", "replace").decode()
