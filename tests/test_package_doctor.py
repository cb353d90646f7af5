"""The doctor: what it prints, and when it gives which advice."""

import subprocess
import sys

import pytest

from brickgrad import doctor

OURS = [{"internal_api": "openblas", "version": "0.3.1", "architecture": "Haswell", "num_threads": 1}]


@pytest.fixture(autouse=True)
def short_looks(monkeypatch):
    monkeypatch.setattr(doctor, "SECONDS", 0.01)
    monkeypatch.setattr(doctor, "SIZE", 64)
    for name in ("OPENBLAS_CORETYPE", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)


def test_the_command_prints_a_report():
    done = subprocess.run([sys.executable, "-m", "brickgrad", "doctor"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("brickgrad 0.")
    for line in ("matrix products ", "our own threads ", "GFLOP/s", "GB/s", "us a call", "\nadvice\n  - "):
        assert line in done.stdout


def test_the_command_says_what_commands_there_are():
    done = subprocess.run([sys.executable, "-m", "brickgrad"], capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "command" in done.stderr


def test_wide_kernels_are_advised_with_the_gain_that_was_measured(monkeypatch):
    monkeypatch.setattr(doctor, "measure_elsewhere", lambda environment: 200.0)
    (line,) = doctor.advise_kernels(OURS, True, 100.0)
    assert "200 GFLOP/s with them, 2.0 times as fast" in line
    assert "OPENBLAS_CORETYPE=SkylakeX" in line


@pytest.mark.parametrize("reason", ["no gain", "no such processor", "in use", "chosen", "cannot be tried"])
def test_wide_kernels_are_not_advised_without_reason(monkeypatch, reason):
    found = {"no gain": 105.0, "cannot be tried": None}.get(reason, 200.0)
    monkeypatch.setattr(doctor, "measure_elsewhere", lambda environment: found)
    if reason == "chosen":
        monkeypatch.setenv("OPENBLAS_CORETYPE", "Haswell")
    blas = [{**OURS[0], "architecture": "SkylakeX"}] if reason == "in use" else OURS
    assert doctor.advise_kernels(blas, reason != "no such processor", 100.0) == []


def test_products_are_measured_in_a_process_of_their_own():
    assert doctor.measure_elsewhere({"OPENBLAS_NUM_THREADS": "1"}) > 0
    assert doctor.measure_elsewhere({"PYTHONPATH": "", "PYTHONHOME": "/nonexistent"}) is None


def test_threads_are_advised_on(monkeypatch):
    monkeypatch.setattr(doctor, "get_num_threads", lambda: 4)
    monkeypatch.setattr(doctor, "_usable", lambda: 4)
    assert "pip install 'brickgrad[threads]'" in doctor.advise_threads(None)[0]
    assert "OPENBLAS_NUM_THREADS=4" in doctor.advise_threads([{**OURS[0], "num_threads": 64}])[0]
    assert doctor.advise_threads(OURS) == []
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "1")
    assert doctor.advise_threads(None) == []


@pytest.mark.parametrize(
    ("threads", "larger", "advised"), [(1, 10.0, 100), (2, 10.0, 50), (3, 10.0, 34), (2, 19.0, None), (4, 10.0, None)]
)
def test_larger_shards_are_advised_where_they_were_measured_to_be_faster(monkeypatch, threads, larger, advised):
    monkeypatch.setattr(doctor, "get_num_threads", lambda: threads)
    monkeypatch.setattr(doctor, "measure_step", lambda size: 20.0 if size == 25 else larger)
    advice = doctor.advise_shards()
    assert len(advice) == (advised is not None)
    assert all(f"{larger} ms with net.shard_size = {advised}, and 20.0 ms with 25" in line for line in advice)


def test_a_step_in_shards_is_measured():
    assert doctor.measure_step(50) > 0


def test_libraries_are_described(monkeypatch):
    assert doctor.describe_blas(OURS) == "openblas 0.3.1, Haswell kernels, 1 thread"
    assert "install threadpoolctl" in doctor.describe_blas(None)
    assert "does not know" in doctor.describe_blas([])
