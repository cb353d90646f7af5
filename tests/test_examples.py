"""Every script in examples/: it runs, prints its numbers, saves its pictures, and says what is wrong in one line."""

import importlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import brickgrad as bg

FOLDER = Path(__file__).resolve().parents[1] / "examples"

SEEDS = [0, 1, 2] if os.environ.get("FULL") else [0]  # of the runs on all of MNIST
GRAPHS = ("apples", "fruit", "square", "residual", "nested", "two_layer_net")
HEADS = {".png": b"\x89PNG", ".svg": b"<svg", ".html": b"<!doctype html>"}

# script: (arguments that keep it short, what it prints, which pictures it saves)
SCRIPTS = {
    "activation_functions.py": ([], ["0.26894142 0.73105858 0.88079708"], ["activation_functions.png"]),
    "activation_histograms.py": (
        [],
        ["sigmoid", "deviation 0.01", "0.0249", "0.8245"],
        [f"activation_histograms_{name}.png" for name in ("sigmoid", "tanh", "relu")],
    ),
    "apply_filters.py": ([], ["a 5,", "vertical edges"], ["applied_filters.png"]),
    "batch_norm_panels.py": (
        ["--epochs", "1", "--scales", "2"],
        ["after 1 epochs", "0.0001", "texts: 1.0; below 0.2"],
        ["batch_norm_panels.png"],
    ),
    "buy_apple.py": ([], ["220", "2.2 110 200"], []),
    "buy_apple_orange.py": ([], ["715", "110", "2.2", "3.3", "165", "650"], []),
    "compare_initial_values.py": (["--steps", "3"], ["std 0.01", "texts: 2.305"], ["compare_initial_values.png"]),
    "compare_optimizers.py": (
        ["--steps", "3"],
        ["AdaGrad", "texts: 0.016, 0 of 3 below it"],
        ["compare_optimizers.png"],
    ),
    "custom_layer.py": (["--limit", "500", "--epochs", "1"], ["Swish: PASS", "epoch   1/1"], []),
    "draw_graphs.py": (
        [],
        ["220", "2.2, 110, 200", "715", "2.2, 110, 3.3, 165, 650", "10, 10"],
        [f"{name}.{kind}" for name in GRAPHS for kind in ("svg", "html")],
    ),
    "forward_three_layers.py": (
        [],
        ["[0.57444252 0.66818777 0.75026011]", "[0.62624937 0.7710107 ]", "[0.31682708 0.69627909]"],
        [],
    ),
    "bug_hunt.py": (["--bug", "117", "--hint", "--picture"], ["Pair: FAIL", "guess: sign"], ["bug_hunt.png"]),
    "gradient_check.py": (
        ["--hidden", "1"],
        ["W1 mean absolute difference", "TwoLayerNet: PASS", "WrongSquare: FAIL", "multiplied by 2"],
        ["gradient_check.png"],
    ),
    "gradient_descent_path.py": ([], ["-1.648426583231277", "-2.753391126403293"], ["gradient_descent_path.png"]),
    "gradient_field.py": ([], ["[6. 8.]", "[0. 4.]", "[6. 0.]"], ["surface.png", "gradient_field.png"]),
    "half_precision.py": (
        ["--limit", "300", "--epochs", "1", "--digits", "500"],
        ["on the edges", "float16", "hardly any"],
        [],
    ),
    "hidden_layers.py": (["--limit", "200", "--epochs", "1"], ["15: MaxPooling", "(64, 4, 4)"], ["hidden_layers.png"]),
    "inference.py": (["--limit", "300", "--epochs", "1"], ["1000"], []),
    "logic_gates.py": ([], ["0 0 0 1", "1 1 1 0", "0 1 1 1", "0 1 1 0"], ["logic_gates.png"]),
    "misclassified_digits.py": (
        ["--limit", "300", "--epochs", "1"],
        ["of 10000", "taken for a", "texts: 99.35 %"],
        ["misclassified_digits.png"],
    ),
    "numerical_derivative.py": (
        [],
        [
            "0.1999999999990898",
            "0.2999999999986347",
            "0.4000000000026205",
            "-0.0999999999995449",
            "6.00000000000378",
            "7.999999999999119",
        ],
        ["tangents.png", "difference_errors.png"],
    ),
    "optimizer_paths.py": ([], ["( -0.3504,   0.0848)", "(  0.1360,   0.3182)"], ["optimizer_paths.png"]),
    "overfitting.py": (["--epochs", "1", "--limit", "100"], ["dropout 0.2", "points"], ["overfitting.png"]),
    "search_hyperparameters.py": (["--trials", "3", "--epochs", "1"], ["weight_decay", "texts: 83 %"], ["search.png"]),
    "show_digits.py": ([], ["60000 10000", "first training label                       5"], ["digits.png"]),
    "show_filters.py": (
        ["--limit", "300", "--epochs", "1"],
        ["size of a filter after"],
        ["filters_before.png", "filters_after.png"],
    ),
    "train_mnist.py": (
        ["--limit", "2000", "--epochs", "1"],
        ["39,760 parameters", "2000 samples in 20 batches of 100", "SHA-256"],
        ["learning_curves.png", "test_digits.png"],
    ),
    "train_numerically.py": (["--steps", "2"], ["times slower"], []),
    "watch_learning.py": (
        ["--limit", "1000", "--epochs", "1", "--every", "3"],
        [
            "healthy",
            "no warnings",
            "Vanishing gradients, since step 1: ",
            "Saturated activations, since step 1: ",
            "Dead ReLUs, since step ",
            "Exploding gradients, since step 1: ",
            "Updates too small, since step 4: ",
        ],
        [f"watch_{case}.png" for case in ("healthy", "vanishing", "saturated", "dead", "exploding", "slow")],
    ),
}


def run(script, *arguments):
    command = [sys.executable, "-W", "error", str(FOLDER / script), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, encoding="utf-8")


def call(capsys, script, *arguments):
    """The same within this process, where there is no start and no import to wait for."""
    if str(FOLDER) not in sys.path:
        sys.path.insert(0, str(FOLDER))
    status = 0
    try:
        importlib.import_module(Path(script).stem).main([*map(str, arguments)])
    except SystemExit as end:
        status = end.code or 0
    printed = capsys.readouterr()
    return subprocess.CompletedProcess(arguments, status, printed.out, printed.err)


def accuracy(output):
    return float(re.search(r"test accuracy ([\d.]+) %", output)[1])


def test_examples_table_holds_every_script():
    assert {file.name for file in FOLDER.glob("*.py")} - {"common.py"} == set(SCRIPTS)


@pytest.mark.parametrize("script", SCRIPTS)
def test_example_help_says_what_it_is_for_and_takes_a_seed(script, capsys):
    done = call(capsys, script, "--help")
    assert done.returncode == 0
    assert "--seed" in done.stdout
    assert len(done.stdout) > 300


@pytest.mark.parametrize("script", SCRIPTS)
def test_example_run_prints_its_numbers_and_saves_its_pictures(script, tmp_path):
    arguments, numbers, pictures = SCRIPTS[script]
    done = run(script, *arguments, *(["--out", tmp_path / "pictures"] if pictures else []))
    assert done.returncode == 0, done.stderr
    for number in numbers:
        assert number in done.stdout
    for picture in pictures:
        assert (tmp_path / "pictures" / picture).read_bytes().startswith(HEADS[Path(picture).suffix])
        assert f"saved {tmp_path / 'pictures' / picture}" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["--list"], "engine           17 bugs"),
        (["--bug", "117"], "Say so with --answer KIND"),
        (["--bug", "117", "--answer", "sign"], "sign: right!"),
        (["--bug", "117", "--answer", "factor"], "factor: no"),
        (["--bug", "117", "--reveal"], "quotient's sign (Pair)"),
        (["--bug", "7", "--hint"], "missing sum: the gradient of b must be (5,)"),
        (["--all", "--family", "state"], "16 bugs, 16 caught"),
    ],
)
def test_bug_hunt_shows_asks_and_answers(arguments, expected, capsys):
    done = call(capsys, "bug_hunt.py", *arguments)
    assert done.returncode == 0, done.stderr
    assert expected in done.stdout


def test_bug_hunt_without_a_hint_does_not_give_the_bug_away(capsys):
    done = call(capsys, "bug_hunt.py", "--bug", "117")
    assert "What is it?" in done.stdout
    shown = done.stdout.split("What is it?")[0]
    assert "sign" not in shown
    assert "quotient" not in shown


@pytest.mark.parametrize("arguments", [["--bug", "999"], ["--bug", "1", "--answer", "gremlins"]])
def test_bug_hunt_refuses_what_there_is_not_in_one_line(arguments, capsys):
    done = call(capsys, "bug_hunt.py", *arguments)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert arguments[-1] in done.stderr


def test_gradient_check_example_differences_are_below_1e_9(tmp_path):
    done = run("gradient_check.py", "--hidden", "2", "--out", tmp_path)
    found = [float(text) for text in re.findall(r"mean absolute difference\s+(\S+)", done.stdout)]
    assert len(found) == 4
    assert max(found) < 1e-9


def test_train_numerically_example_takes_the_same_path():
    done = run("train_numerically.py", "--steps", "3")
    assert float(re.search(r"largest difference of a parameter at the end: (\S+)", done.stdout)[1]) < 1e-8


def test_train_mnist_same_seed_gives_the_same_parameters_and_another_seed_others(tmp_path, capsys, monkeypatch):
    short = ["train_mnist.py", "--limit", 1000, "--epochs", 1, "--quiet", "--out", tmp_path]
    first = run(*short, "--seed", 3).stdout  # the same holds from one process to another
    monkeypatch.syspath_prepend(FOLDER)
    monkeypatch.setattr("train_mnist.draw", lambda *arguments: None)
    again, other = (call(capsys, *short, "--seed", seed).stdout for seed in (3, 4))
    found = [re.search(r"SHA-256 of the parameters (\w{64})", out)[1] for out in (first, again, other)]
    assert found[0] == found[1] != found[2]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--net", "huge"], "--net"),
        (["--lr", "fast"], "--lr"),
        (["--lr", "0"], "--lr"),
        (["--epochs", "-1"], "--epochs"),
        (["--batch-size", "0"], "--batch-size"),
        (["--hidden", "50,x"], "--hidden"),
        (["--hidden", "50,20"], "--net mlp"),
        (["--out", __file__], "is a file"),
        (["--data", __file__], "is a file"),
        (["--decay", "0"], "--decay"),
        (["--optimizer", "magic"], "--optimizer"),
        (["--weight-decay", "-1"], "must be a number of 0 or more; got '-1'"),
        (["--net", "mlp", "--channels", "8,16"], "Take --net resnet"),
        (["--net", "resnet", "--dropout", "texts"], "Take --net deep-conv"),
    ],
)
def test_train_mnist_bad_arguments_give_one_line_and_status_2(arguments, says, capsys):
    done = call(capsys, "train_mnist.py", *arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--data", "no-such-folder"], "there is no folder no-such-folder"),
        (["--lr", "1e30", "--limit", "300"], "smaller learning rate"),
    ],
)
def test_train_mnist_that_fails_says_why_in_one_message_and_status_1(arguments, says):
    done = run("train_mnist.py", *arguments, "--quiet")
    assert done.returncode == 1
    assert says in done.stderr
    assert "Traceback" not in done.stderr


def test_train_mnist_takes_another_set_of_the_format(tmp_path):
    rng = np.random.default_rng(0)
    for part, size in (("train", 60), ("t10k", 20)):
        bg.write_idx(tmp_path / f"{part}-images-idx3-ubyte", rng.integers(256, size=(size, 6, 6)).astype(np.uint8))
        bg.write_idx(tmp_path / f"{part}-labels-idx1-ubyte.gz", (np.arange(size) % 3).astype(np.uint8))
    done = run(
        "train_mnist.py", "--data", tmp_path, "--net", "mlp", "--hidden", "4,5", "--epochs", 2, "--out", tmp_path
    )
    assert done.returncode == 0, done.stderr
    assert f"{36 * 4 + 4 + 4 * 5 + 5 + 5 * 3 + 3} parameters, 2 epochs" in done.stdout
    assert "texts:" not in done.stdout


@pytest.mark.parametrize(
    ("script", "arguments", "says"),
    [
        ("apply_filters.py", ["--digit", "60000"], "from 0 to 59999; got '60000'"),
        ("hidden_layers.py", ["--digit", "10000"], "from 0 to 9999; got '10000'"),
        ("batch_norm_panels.py", ["--scales", "17"], "from 1 to 16; got '17'"),
        ("misclassified_digits.py", ["--shown", "1001"], "from 1 to 1000; got '1001'"),
        ("optimizer_paths.py", ["--out", __file__], "is a file"),
    ],
)
def test_example_of_what_there_is_not_gives_one_line_and_status_2(script, arguments, says, capsys):
    done = call(capsys, script, *arguments)
    assert done.returncode == 2
    assert says in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_example_refuses_a_folder_that_cannot_be_written_to_before_it_starts(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    done = call(capsys, "optimizer_paths.py", "--out", tmp_path / "new" / "pictures")
    assert (done.returncode, done.stdout) == (2, "")
    assert f"'{tmp_path}' cannot" in done.stderr


def test_example_whose_picture_cannot_be_saved_prints_its_numbers_and_says_why_in_one_line(
    tmp_path, capsys, monkeypatch
):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "mkdir", full)
    done = call(capsys, "optimizer_paths.py", "--out", tmp_path / "pictures")
    assert "ends at" in done.stdout
    assert str(done.returncode).endswith("could not be written: No space left on device. Take another folder: --out")


@pytest.mark.parametrize(
    ("script", "arguments", "prints"),
    [
        ("activation_histograms.py", [], "ReLU"),
        ("misclassified_digits.py", ["--limit", "200", "--epochs", "0"], "wrong"),
        ("show_filters.py", ["--limit", "200", "--epochs", "0"], "size of a filter after"),
        ("watch_learning.py", ["--limit", "200", "--epochs", "1", "--case", "slow"], "--- slow"),
    ],
)
def test_example_without_matplotlib_prints_its_numbers_and_says_what_pictures_need(
    script, arguments, prints, capsys, monkeypatch
):
    monkeypatch.setitem(sys.modules, "matplotlib", None)  # importing it raises ImportError
    done = call(capsys, script, *arguments)
    assert prints in done.stdout
    assert done.returncode == importlib.import_module("common").NEEDS_MATPLOTLIB


def test_example_show_opens_a_window_for_each_picture(tmp_path):
    # Agg has no windows: what plt.show() would open is counted here instead.
    code = (
        f"import sys; sys.path.insert(0, {str(FOLDER)!r}); import matplotlib; matplotlib.use('Agg')\n"
        "from matplotlib import pyplot as plt; plt.show = lambda: print('windows:', len(plt.get_fignums()))\n"
        f"import show_digits; show_digits.main(['--count', '2', '--show', '--out', {str(tmp_path)!r}])\n"
        f"import gradient_field; gradient_field.main(['--show', '--out', {str(tmp_path)!r}])"
    )
    command = [sys.executable, "-W", "error", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=False, encoding="utf-8")
    assert done.returncode == 0, done.stderr
    assert re.findall(r"windows: (\d)", done.stdout) == ["1", "2", "3"]


def test_train_mnist_without_matplotlib_trains_and_says_what_pictures_need(tmp_path):
    (tmp_path / "matplotlib.py").write_text("raise ImportError('there is none')", encoding="utf-8")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r}); sys.path.insert(0, {str(FOLDER)!r}); import train_mnist; "
    )
    code += "train_mnist.main(['--limit', '300', '--epochs', '1', '--quiet'])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "test accuracy" in done.stdout
    assert "pip install 'brickgrad[plot]'" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_train_mnist_with_its_defaults_reaches_97_percent(seed, tmp_path):
    done = run("train_mnist.py", "--seed", seed, "--quiet", "--out", tmp_path)
    assert accuracy(done.stdout) >= 97.0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_train_mnist_mlp_reaches_98_percent(seed, tmp_path):
    done = run("train_mnist.py", "--net", "mlp", "--seed", seed, "--quiet", "--out", tmp_path)
    assert accuracy(done.stdout) >= 98.0, done.stdout + done.stderr


def test_train_mnist_records_what_it_ran_and_what_came_of_it(tmp_path):
    file = tmp_path / "run.json"
    out = run("train_mnist.py", "--limit", 500, "--epochs", 2, "--seed", 5, "--record", file, "--out", tmp_path).stdout
    found = json.loads(file.read_text(encoding="utf-8"))
    assert found["settings"]["seed"] == 5
    assert found["settings"]["lr"] == 0.1
    assert found["versions"]["numpy"] == np.__version__
    assert f"SHA-256 of the parameters {found['sha256']}" in out
    assert accuracy(out) == round(100 * found["test_accuracy"], 2)
    assert len(found["epochs"]["test_accuracy"]) == 2
    assert found["epochs"]["test_accuracy"][-1] == found["test_accuracy"]
    assert [path.name for path in tmp_path.glob("run*")] == ["run.json"]


def test_train_mnist_refuses_to_record_in_a_folder_that_is_not_there_before_it_trains(capsys):
    done = call(capsys, "train_mnist.py", "--record", "nowhere/run.json")
    assert done.returncode == 2
    assert "there is no folder 'nowhere'" in done.stderr


def test_the_pictures_of_the_texts_graphs_in_the_docs_are_those_that_draw_graphs_makes(tmp_path):
    run("draw_graphs.py", "--out", tmp_path)
    for name in GRAPHS[:3]:
        made, kept = (folder / f"{name}.svg" for folder in (tmp_path, FOLDER.parent / "docs" / "graphs"))
        words = [re.findall(r">([^<>]*)</text>", file.read_text(encoding="utf-8")) for file in (made, kept)]
        assert words[0] == words[1]
        assert len(words[0]) > 5


def test_train_mnist_that_was_stopped_goes_on_and_ends_with_the_same_sha256(tmp_path):
    short = ["--net", "mlp", "--limit", 1000, "--seed", 3, "--out", tmp_path]
    whole = run("train_mnist.py", *short, "--epochs", 3).stdout
    folder = tmp_path / "run"
    command = [
        sys.executable,
        str(FOLDER / "train_mnist.py"),
        *map(str, short),
        "--epochs",
        "3",
        "--resume",
        str(folder),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, encoding="utf-8") as process:
        for line in process.stdout:
            if line.startswith("epoch   2/3"):
                process.kill()
                break
    done = run("train_mnist.py", *short, "--epochs", 3, "--resume", folder)
    assert done.returncode == 0, done.stderr
    assert "goes on from" in done.stdout
    assert re.search("SHA-256.*", done.stdout)[0] == re.search("SHA-256.*", whole)[0]
    assert accuracy(done.stdout) == accuracy(whole)
