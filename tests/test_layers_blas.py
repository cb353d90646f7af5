"""The matrix library's threads: known, kept to one where a run is to be deterministic, and asked for in plain words."""

import os
import subprocess
import sys

import numpy as np
import pytest

import brickgrad as bg
from brickgrad.layers import blas

X = np.random.default_rng(0).normal(size=(20, 4)).astype(np.float32)
T = np.arange(20) % 2


def threads_of_blas():
    return {library["num_threads"] for library in blas.libraries()}


def test_a_deterministic_run_keeps_the_matrix_library_to_one_thread_and_gives_them_back():
    code = """
import numpy as np, brickgrad as bg
from brickgrad.layers import blas
def threads():
    return {library["num_threads"] for library in blas.libraries()}
before, seen = threads(), []
net = bg.TwoLayerNet(4, 3, 2, rng=0)
trainer = bg.Trainer(net, bg.SGD(), epochs=1, callbacks=lambda trainer: seen.append(threads()), progress=False,
                     deterministic=True)
trainer.fit(np.ones((4, 4), np.float32), np.zeros(4, int))
print(before, seen[0], threads() == before)
"""
    pytest.importorskip("threadpoolctl")
    environment = {"OPENBLAS_NUM_THREADS": "2", "MKL_NUM_THREADS": "2", "OMP_NUM_THREADS": "2"}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={**os.environ, **environment}
    )
    before, _, rest = done.stdout.partition("} ")
    assert rest == "{1} True\n", done.stderr
    assert before in ("{2", "{1")  # a machine with one processor has no second thread to give


def test_an_error_within_a_deterministic_run_gives_the_threads_back_too():
    pytest.importorskip("threadpoolctl")
    before = threads_of_blas()

    def fail(trainer):
        raise KeyError

    trainer = bg.Trainer(bg.TwoLayerNet(4, 3, 2, rng=0), bg.SGD(), callbacks=fail, progress=False, deterministic=True)
    with pytest.raises(KeyError):
        trainer.fit(X, T)
    assert threads_of_blas() == before


def test_deterministic_without_threadpoolctl_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "threadpoolctl", None)
    monkeypatch.setattr(blas._State, "found", None)
    with pytest.raises(
        ImportError, match=r"deterministic=True needs threadpoolctl .* pip install 'brickgrad\[threads\]'"
    ):
        bg.Trainer(bg.TwoLayerNet(4, 3, 2, rng=0), bg.SGD(), deterministic=True)
    assert blas.libraries() is None
    assert blas.one_thread() is None


def test_deterministic_over_a_library_that_threadpoolctl_does_not_know_promises_nothing(monkeypatch):
    pytest.importorskip("threadpoolctl")
    monkeypatch.setattr(blas, "libraries", list)
    with pytest.raises(RuntimeError, match="knows no matrix library here"):
        bg.Trainer(bg.TwoLayerNet(4, 3, 2, rng=0), bg.SGD(), deterministic=True)


def test_without_threadpoolctl_the_number_of_threads_is_the_one_that_was_set(monkeypatch):
    monkeypatch.setattr(blas._State, "found", False)
    for name in blas.VARIABLES:
        monkeypatch.delenv(name, raising=False)
    assert blas.in_use()[1] == "not known"
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    library, threads = blas.in_use()
    assert threads == "3"
    assert library == blas.built_with() != ""


def test_a_deterministic_run_says_so_in_its_checkpoint(tmp_path):
    pytest.importorskip("threadpoolctl")

    def trainer(deterministic):
        return bg.Trainer(
            bg.TwoLayerNet(4, 3, 2, rng=0), bg.SGD(), epochs=1, callbacks=bg.Checkpoint(tmp_path), progress=False,
            deterministic=deterministic,
        )  # fmt: skip

    trainer(True).fit(X, T)
    with pytest.raises(ValueError, match="deterministic is False, and was True"):
        trainer(False).resume(tmp_path)
    trainer(True).resume(tmp_path)
