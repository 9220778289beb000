"""The data folder's key, and what is kept of secrets."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ingest.record.keys import digest, key_in, keyed, new_secret
from poise.errors import ConfigurationError


def test_a_key_is_made_once_and_only_its_owner_reads_it(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    key = key_in(folder)
    assert len(key) == 32
    assert key_in(folder) == key
    assert (folder / "record.key").stat().st_mode & 0o077 == 0
    assert [path.name for path in folder.iterdir()] == ["record.key"]


def test_programs_that_start_at_once_have_the_same_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(key_in, [tmp_path] * 16))) == 1


@pytest.mark.parametrize("content", ["", "abc", "00" * 31, "00" * 33, "zz" * 32, "\x00" * 64])
def test_a_damaged_key_is_refused_and_left_as_it_is(tmp_path: Path, content: str) -> None:
    (tmp_path / "record.key").write_text(content)
    with pytest.raises(ConfigurationError, match="damaged"):
        key_in(tmp_path)
    assert (tmp_path / "record.key").read_text() == content


def test_a_keyed_hash_depends_on_key_purpose_and_name() -> None:
    one, two = bytes(32), bytes([1] * 32)
    hashes = {
        keyed(key, purpose, name) for key in (one, two) for purpose in ("a", "b") for name in ("c", "d")
    }
    assert len(hashes) == 8
    assert keyed(one, "a", "c") == keyed(one, "a", "c")


def test_secrets_are_256_random_bits() -> None:
    made = {new_secret() for _ in range(100)}
    assert len(made) == 100
    assert {len(secret) for secret in made} == {43}
    assert len(digest(made.pop())) == 64
