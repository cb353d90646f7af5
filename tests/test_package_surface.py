"""The package as a whole: what it exports, which way imports run, and that its docstrings tell the truth."""

import ast
import doctest
import importlib
import pkgutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import brickgrad

ROOT = Path(__file__).resolve().parents[1]
PARTS = ("files", "layers", "graph", "drawing", "checker", "nets", "trainers", "datasets")
MAY_IMPORT = {
    "files": set(),
    "layers": set(),
    "graph": {"layers"},
    "drawing": {"layers", "graph", "files"},
    "checker": {"layers", "graph"},
    "nets": {"layers", "graph"},
    "trainers": {"layers", "graph"},
    "datasets": set(),
}
MAY_IMPORT_WHEN_CALLED = {"graph": {"drawing"}, "nets": {"files"}, "trainers": {"files"}}  # what most runs never need
MODULES = sorted(module.name for module in pkgutil.walk_packages(brickgrad.__path__, "brickgrad."))
MODULES += sorted(
    f"brickgrad.{part}.{module.name}"
    for part in PARTS
    for module in pkgutil.iter_modules(importlib.import_module(f"brickgrad.{part}").__path__)
)
MODULES = sorted({*MODULES, "brickgrad", *(f"brickgrad.{part}" for part in PARTS)})


def test_modules_walk_finds_every_file():
    files = {
        f"brickgrad.{part}.{file.stem}"
        for part in PARTS
        for file in (ROOT / part).glob("*.py")
        if file.stem != "__init__"
    }
    assert files <= set(MODULES)


@pytest.mark.parametrize("name", MODULES)
def test_docstrings_examples_give_what_they_say(name):
    results = doctest.testmod(importlib.import_module(name), optionflags=doctest.NORMALIZE_WHITESPACE)
    assert results.failed == 0


def imports_of(file):
    """The file's import statements, and which of them stand within a function."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    nodes = list(ast.walk(tree))
    functions = [node for node in nodes if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    late = {id(node) for function in functions for node in ast.walk(function)}
    return [(node, id(node) in late) for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)]


def imported_parts(file, imports, when_called):
    """The parts of the package that a file imports: within its functions, or outside them."""
    here = file.parent.name
    for node, late in imports:
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            names = [f"brickgrad.{here}"] if node.level == 1 else [base]
            assert node.level < 2, f"{file}: write brickgrad.{base}"
            if base == "brickgrad":
                names = [f"brickgrad.{alias.name}" for alias in node.names]
        for name in names:
            if name.split(".")[0] == "brickgrad" and late == when_called:
                yield name.split(".")[1] if "." in name else "brickgrad"


@pytest.mark.parametrize("part", PARTS)
def test_imports_run_one_way(part):
    for file in (ROOT / part).glob("*.py"):
        imports = imports_of(file)
        assert set(imported_parts(file, imports, when_called=False)) - {part} <= MAY_IMPORT[part], file.name
        late = MAY_IMPORT[part] | MAY_IMPORT_WHEN_CALLED.get(part, set())
        assert set(imported_parts(file, imports, when_called=True)) - {part} <= late, file.name


@pytest.mark.parametrize("name", ["brickgrad", *(f"brickgrad.{part}" for part in PARTS)])
def test_all_names_exist_once_and_in_order(name):
    module = importlib.import_module(name)
    assert len(set(module.__all__)) == len(module.__all__)
    assert [n for n in module.__all__ if not hasattr(module, n)] == []
    if name != "brickgrad":
        assert sorted(module.__all__) == sorted(n for n in brickgrad.__all__ if n in set(module.__all__))


def test_all_of_the_package_is_all_of_its_parts():
    parts = [name for part in PARTS for name in importlib.import_module(f"brickgrad.{part}").__all__]
    assert sorted(brickgrad.__all__) == sorted(parts)


def test_public_names_have_docstrings_with_an_example_or_are_plain_types():
    for name in brickgrad.__all__:
        thing = getattr(brickgrad, name)
        if name not in ("Array",):
            assert thing.__doc__, name


def test_pyproject_lists_every_folder():
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["setuptools"]
    folders = {
        f"brickgrad.{file.parent.name}" for file in ROOT.glob("*/__init__.py") if file.parent.name != "brickgrad"
    }
    assert folders == set(settings["packages"]) - {"brickgrad"} == set(settings["package-dir"])


def test_checkout_has_no_init_where_pytest_would_import_twice():
    assert not (ROOT / "__init__.py").exists()
    assert not (ROOT / "tests" / "__init__.py").exists()


def test_version_is_the_one_of_pyproject():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert brickgrad.__version__ == project["version"]


def test_import_takes_no_extra_along():
    code = (
        "import sys, numpy; before = set(sys.modules); import brickgrad; "
        "print(*sorted({m.partition('.')[0] for m in set(sys.modules) - before}))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT / "tests")
    imported = set(out.stdout.split())
    assert "brickgrad" in imported
    assert not imported & {"matplotlib", "tqdm", "pytest", "hypothesis", "safetensors", "scipy", "IPython"}


def test_checker_is_imported_when_first_used_and_what_draws_and_writes_when_called():
    code = (
        "import sys, brickgrad; print('brickgrad.checker' in sys.modules, 'gradcheck' in dir(brickgrad)); "
        "brickgrad.gradcheck; print('brickgrad.checker' in sys.modules); "
        "print({'brickgrad.drawing', 'brickgrad.files.tensors'} & set(sys.modules))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT / "tests")
    assert out.stdout.split() == ["False", "True", "True", "set()"]


def test_name_that_is_not_exported_raises_attribute_error():
    with pytest.raises(AttributeError, match="module 'brickgrad' has no attribute 'Reluu'"):
        brickgrad.Reluu  # noqa: B018
