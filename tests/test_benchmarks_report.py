"""The benchmarks' report: medians, ratios round by round, and the three files."""

import importlib.util
import json
import sys
from pathlib import Path

import numpy as np
import pytest

PATH = Path(__file__).resolve().parent.parent / "benchmarks" / "report.py"


@pytest.fixture(scope="module")
def report():
    spec = importlib.util.spec_from_file_location("benchmarks_report", PATH)
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "benchmarks_report", module)  # dataclasses look their module up
        spec.loader.exec_module(module)
    return module


def group(report, **others):
    values = {"brickgrad": [1.0, 2.0, 4.0], "floor": [0.5, 2.0, 1.0], "PyTorch": [3.0, 2.0, 8.0], **others}
    return report.Group("small", "a small net", "ms a step", values, {"brickgrad": 0.25, "floor": float("nan")})


def test_report_ratios_are_medians_of_the_rounds_ratios_not_ratios_of_medians(report):
    rows = {row["library"]: row for row in group(report).rows()}
    assert rows["PyTorch"]["to brickgrad"] == 2.0
    assert rows["PyTorch"]["median"] == 3.0
    assert rows["brickgrad"]["to floor"] == 2.0
    assert (rows["PyTorch"]["low"], rows["PyTorch"]["high"]) == (2.5, 5.5)


def test_report_text_has_a_line_for_each_library_and_leaves_out_what_was_not_measured(report):
    lines = str(group(report)).splitlines()
    assert lines[0] == "a small net"
    assert lines[2].split() == ["brickgrad", "2", "1.5", "…", "3", "1.00", "2.00", "0.2500"]
    assert lines[3].split() == ["floor", "1", "0.75", "…", "1.5", "0.50", "1.00"]
    alone = report.Group("size", "a size", "MB", {"brickgrad": [2.0], "JAX": [5.0]})
    assert str(alone).splitlines()[3].split() == ["JAX", "5", "5", "…", "5", "2.50"]


def test_report_writes_text_json_and_picture(report, tmp_path):
    from matplotlib.image import imread

    report.write([group(report), group(report, JAX=[0.1, 0.1, 0.1])], tmp_path / "new", "all", "made of wood")
    assert {path.name for path in (tmp_path / "new").iterdir()} == {"all.txt", "all.json", "all.png"}
    assert (tmp_path / "new" / "all.txt").read_text(encoding="utf-8").startswith("made of wood\n\na small net\n")
    found = json.loads((tmp_path / "new" / "all.json").read_text())
    assert found["groups"]["small"]["values"]["PyTorch"] == [3.0, 2.0, 8.0]
    picture = imread(tmp_path / "new" / "all.png")[..., :3]
    assert np.unique(picture.reshape(-1, 3), axis=0).shape[0] > 10
