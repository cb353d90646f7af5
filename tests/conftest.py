"""What all tests share."""

import os

import pytest

# One BLAS thread for each worker, set before anything imports NumPy: with pytest -n auto every worker would else start
# as many threads as there are cores, and they would spend their time waiting for each other.
for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

from browser import BROWSER  # noqa: E402
from hypothesis import settings  # noqa: E402

# How long an example takes says more about the machine than about the code.
settings.register_profile("brickgrad", deadline=None)
settings.load_profile("brickgrad")

# WORKSPACE=1: every net that a test makes has a workspace all the time, as in training.
if os.environ.get("WORKSPACE") == "1":
    from brickgrad import Net

    make = Net.__init__

    def make_with_workspace(net, *args, **options):
        """As ever, and then a workspace."""
        make(net, *args, **options)
        net.graph.memory.arrays = {}

    Net.__init__ = make_with_workspace

# What needs a browser runs where there is one; the last lines of a run say so.
collect_ignore = [] if BROWSER else ["test_drawing_page.py"]


def pytest_terminal_summary(terminalreporter):
    """Which browser showed the pages."""
    none = "none, so tests/test_drawing_page.py was left out; CHROMIUM=... names one"
    terminalreporter.write_line(f"browser: {BROWSER or none}")


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config):
    """With -n and no --dist, an idle worker takes over half of what another has left: slow tests hold nobody up."""
    if getattr(config.option, "numprocesses", None) and config.option.dist == "no":
        config.option.dist = "worksteal"


def pytest_collection_modifyitems(items):
    """The slow tests first, so that no worker ends with one while the others have nothing left."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
