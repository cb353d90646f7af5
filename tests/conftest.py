"""What all tests share."""

import os

# One BLAS thread for each worker, set before anything imports NumPy: with pytest -n auto every worker would else start
# as many threads as there are cores, and they would spend their time waiting for each other.
for variable in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ.setdefault(variable, "1")

from hypothesis import settings  # noqa: E402

# How long an example takes says more about the machine than about the code.
settings.register_profile("brickgrad", deadline=None)
settings.load_profile("brickgrad")
