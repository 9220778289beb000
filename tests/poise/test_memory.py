"""What is freed stays for the next array."""

import subprocess
import sys

import pytest

FAULTS = """
import resource
import numpy as np
from poise.memory import keep_freed

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(50):
        parts = [np.ones(size) for size in (30_000, 50_000, 70_000)]
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

fresh = faults()
print(int(keep_freed()), fresh, (faults(), faults())[1])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="resource counts page faults on POSIX only")
def test_arrays_come_back_without_pages_being_fetched_again() -> None:
    done = subprocess.run([sys.executable, "-c", FAULTS], capture_output=True, text=True, check=True)
    kept, _, after = map(int, done.stdout.split())
    if not kept:
        pytest.skip("this C library has no mallopt; its own ways are left as they are")
    assert after < 100
