"""A few of the kills of benchmarks/kills.py; CONTRIBUTING.md has the command for all 300."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).resolve().parents[1] / "benchmarks" / "kills.py"


@pytest.mark.skipif(os.name == "nt", reason="kills by POSIX signals")
def test_runs_that_are_killed_interrupted_and_broken_off_end_as_one_that_was_not():
    command = [sys.executable, "-W", "error", str(SCRIPT), "--kills", "4", "--others", "3", "--seed", "1"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr + done.stdout
    assert re.search(r"^4 kills, \d of them inside a save", done.stdout, re.MULTILINE)
    for way in ("ctrl-c", "exception", "full disk"):
        assert re.search(rf"^  {way} +1$", done.stdout, re.MULTILINE)
    runs, right = re.search(r"(\d+) runs came to their end, (\d+) with the bits", done.stdout).groups()
    assert int(runs) == int(right) > 0
