"""The wheel and the sdist: they hold the right files, and a wheel installed with no checkout in sight trains."""

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("files", "layers", "graph", "drawing", "checker", "nets", "trainers", "datasets")
DATA = [
    "NOTICE.md",
    "t10k-images-idx3-ubyte.gz",
    "t10k-labels-idx1-ubyte.gz",
    "train-images-idx3-ubyte.gz",
    "train-labels-idx1-ubyte.gz",
]
TRAIN = """
import brickgrad as bg
(x_train, t_train), (x_test, t_test) = bg.load_mnist()
net = bg.TwoLayerNet(784, 50, 10, rng=0)
bg.Trainer(net, bg.SGD(lr=0.1), epochs=1, progress=False).fit(x_train, t_train)
print(bg.__file__)
print(net.accuracy(x_test, t_test))
"""

pytestmark = pytest.mark.slow


def run(*command, cwd):
    environment = {key: value for key, value in os.environ.items() if key not in ("PYTHONPATH", "COV_CORE_SOURCE")}
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, cwd=cwd, env=environment)
    assert done.returncode == 0, done.stderr + done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Wheel and sdist, built from a copy of what the checkout tracks."""
    folder = tmp_path_factory.mktemp("build")
    source = folder / "source"
    source.mkdir()
    for name in ("pyproject.toml", "README.md", "LICENSE", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"):
        (source / name).write_bytes((ROOT / name).read_bytes())
    for part in ("brickgrad", *PARTS, "tests", "examples", "docs"):
        for file in (ROOT / part).rglob("*"):
            if file.is_file() and "__pycache__" not in file.parts:
                target = source / file.relative_to(ROOT)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(file.read_bytes())
    if (ROOT / "MANIFEST.in").exists():
        (source / "MANIFEST.in").write_bytes((ROOT / "MANIFEST.in").read_bytes())
    backend = "import setuptools.build_meta as b, sys; to = sys.argv[1]; b.build_wheel(to); b.build_sdist(to)"
    run(sys.executable, "-c", backend, folder, cwd=source)
    return folder


def test_wheel_holds_every_module_the_data_and_nothing_else(built):
    with zipfile.ZipFile(next(built.glob("*.whl"))) as wheel:
        names = {name for name in wheel.namelist() if ".dist-info/" not in name}
        licences = [Path(name).name for name in wheel.namelist() if "/licenses/" in name]
    expected = {"brickgrad/__init__.py", "brickgrad/py.typed"}
    expected |= {f"brickgrad/{part}/{file.name}" for part in PARTS for file in (ROOT / part).glob("*.py")}
    expected |= {f"brickgrad/drawing/stepper.{kind}" for kind in ("html", "css", "js")}
    expected |= {f"brickgrad/datasets/data/{name}" for name in DATA}
    expected |= {f"brickgrad/{file.name}" for file in (ROOT / "brickgrad").glob("*.py")}
    assert names == expected
    assert sorted(licences) == ["LICENSE", "NOTICE.md"]


def test_sdist_holds_what_is_needed_to_build_and_to_test(built):
    with tarfile.open(next(built.glob("*.tar.gz"))) as sdist:
        names = {name.partition("/")[2] for name in sdist.getnames()}
    assert {f"datasets/data/{name}" for name in DATA} <= names
    assert {"pyproject.toml", "README.md", "LICENSE", "SECURITY.md", "brickgrad/py.typed", "layers/base.py"} <= names
    assert {f"tests/{file.name}" for file in (ROOT / "tests").glob("*.py")} <= names
    assert {f"examples/{file.name}" for file in (ROOT / "examples").glob("*.py")} <= names


def test_wheel_installed_elsewhere_trains(built, tmp_path):
    """A fresh environment with the wheel and no checkout in sight; NumPy is lent to it, so no network is needed."""
    venv.create(tmp_path / "env", with_pip=False, symlinks=os.name != "nt")
    home = tmp_path / "env"
    python = home / ("Scripts" if os.name == "nt" else "bin") / Path(sys.executable).name
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_paths()['purelib'])", cwd=tmp_path).strip())
    wheel = next(built.glob("*.whl"))
    run(
        sys.executable,
        "-m",
        "pip",
        "install",
        "--no-deps",
        "--no-index",
        "--quiet",
        "--target",
        site,
        wheel,
        cwd=tmp_path,
    )
    for package in Path(np.__file__).parents[1].glob("numpy*"):
        (site / package.name).symlink_to(package)
    place, accuracy = run(python, "-W", "error", "-c", TRAIN, cwd=tmp_path).split()
    assert Path(place).is_relative_to(site)
    assert float(accuracy) > 0.9
