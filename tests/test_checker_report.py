"""The report: its verdicts, its text, its picture, and what it says of float32, of full mode and of large blocks."""

import numpy as np
import pytest

import brickgrad as bg
from brickgrad.checker.entries import describe

RNG = np.random.default_rng(0)
X = RNG.normal(size=(7, 5))


class Scaled(bg.Layer):
    """y = 2x, with `spoil` applied to the gradient."""

    def __init__(self, spoil=lambda dx: dx):
        self.spoil = spoil

    def forward(self, x):
        return 2 * x

    def backward(self, dy):
        return self.spoil(2 * dy)


class Kinked(bg.Layer):
    """|x| that replays no branches; its gradient at 0 is `at_zero`."""

    def __init__(self, at_zero):
        self.at_zero = at_zero

    def forward(self, x):
        self.saved = x
        return np.abs(x)

    def backward(self, dy):
        return dy * np.where(self.saved == 0, self.at_zero, np.sign(self.saved))


def zeroed(index):
    def spoil(dx):
        dx[index] = 0
        return dx

    return spoil


@pytest.fixture
def pyplot():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    yield plt
    plt.close("all")


@pytest.mark.parametrize("at_zero", [-1.0, -0.3, 0.5, 1.0])
def test_kink_at_x_is_named_and_true_where_the_slope_lies_between_the_sides(at_zero):
    x = X.copy()
    x[2, 3] = 0.0
    report = bg.gradcheck(Kinked(at_zero), x)
    assert report.verdict == "kink"
    assert bool(report)
    assert "kink near index (2, 3)" in str(report)
    report.raise_if_bad()


@pytest.mark.parametrize("at_zero", [-1.5, 2.0])
def test_kink_at_x_fails_where_the_slope_lies_beyond_the_sides(at_zero):
    x = X.copy()
    x[2, 3] = 0.0
    report = bg.gradcheck(Kinked(at_zero), x)
    assert report.verdict == "fail"
    assert report.guess.kind == "ties"


@pytest.mark.parametrize("distance", [1e-3, 1e-5, 1e-7])
def test_kink_near_x_is_seen_through(distance):
    x = X.copy()
    x[2, 3] = distance
    assert bg.gradcheck(Kinked(5.0), x).verdict == "pass"
    wrong = bg.gradcheck(Kinked(5.0), np.where(X[2, 3] == X, -0.0, X))
    assert wrong.verdict == "fail"


def test_kinks_of_either_sign_in_one_output_are_no_fault():
    class Book:
        """A row of zeros through a ReLU and a matrix: any slope from 0 to 1 is right at each zero."""

        A = np.array([[1.0, 2.0], [-2.0, 1.0], [1.0, -1.0]])

        def forward(self, x):
            self.x = x
            return np.maximum(x, 0) @ self.A

        def backward(self, dout):
            return (dout @ self.A.T) * (self.x > 0)

    for seed in range(5):
        assert bg.gradcheck(Book(), np.array([[0.0, 0.0, 0.0], [1.0, 2.0, 3.0]]), rng=seed).passed


def test_values_that_change_smoothly_in_branch_hide_nothing():
    class Frozen(bg.Layer):
        def forward(self, x):
            size = self.branch(lambda: np.abs(x))
            self.saved = size
            return x * size

        def backward(self, dy):
            return dy * self.saved  # it must be twice that

    report = bg.gradcheck(Frozen(), X)
    assert report.verdict == "fail"
    assert report.guess.kind == "factor"
    assert "Only choices belong into branch()" in str(report)


@pytest.mark.parametrize(
    ("f", "derivative", "x"),
    [
        (lambda x: np.log(1 + np.exp(x)), lambda x: 1 / (1 + np.exp(-x)), X - 30),
        (lambda x: np.log(1 + x), lambda x: 1 / (1 + x), 1e-10 * X),
        (lambda x: 1 - np.cos(x), np.sin, 1e-5 * X),
        (lambda x: (x + 1e10) - 1e10, np.ones_like, X),
    ],
    ids=["softplus", "log1p", "cosine", "offset"],
)
def test_forward_that_loses_nearly_all_digits_is_not_called_wrong(f, derivative, x):
    class Function(bg.Layer):
        def forward(self, x):
            self.saved = x
            return f(x)

        def backward(self, dy):
            return dy * derivative(self.saved)

    for seed in range(5):
        assert bg.gradcheck(Function(), x, rng=seed).verdict != "fail"


@pytest.mark.parametrize("bound", [5.0, 1e3])
def test_backward_that_clips_large_gradients_is_not_linear(bound):
    report = bg.gradcheck(Scaled(lambda dx: np.clip(dx, -bound, bound)), X)
    assert report.guess.kind == "not linear"


def test_bars_as_large_as_the_gradient_are_inconclusive():
    class Jump(bg.Layer):
        def forward(self, x):
            return np.where(x > 1, x, x - 5)

        def backward(self, dy):
            return -dy

    assert not bg.gradcheck(Jump(), np.array([1.0, 2.0, 3.0, -1.0]))


def test_outputs_of_very_different_sizes_do_not_hide_each_other():
    class Exponential(bg.Layer):
        def forward(self, x):
            self.saved = np.exp(x)
            return np.exp(x)

        def backward(self, dy):
            return dy * self.saved * np.array([2.0, 1.0, 1.0, 1.0, 1.0])

    assert bg.gradcheck(Exponential(), np.array([0.5, -0.3, 1.2, 0.7, 40.0])).verdict == "fail"


def test_gradient_that_is_zero_beside_the_others_passes():
    """A bias before a mean is taken off changes nothing."""

    class Centred(bg.Layer):
        def __init__(self):
            self.add_param("b", np.zeros(5))
            self.add_param("gamma", np.ones(5))

        def forward(self, x):
            moved = x + self.params["b"]
            self.saved = moved - moved.mean(axis=0)
            return self.saved * self.params["gamma"]

        def backward(self, dy):
            self.grads["gamma"] = (dy * self.saved).sum(axis=0)
            d_moved = dy * self.params["gamma"]
            dx = d_moved - d_moved.mean(axis=0)
            self.grads["b"] = dx.sum(axis=0)
            return dx

    for seed in range(5):
        report = bg.gradcheck(Centred(), X, rng=seed)
        assert report.passed, report
        assert "zero: at most" in str(report)


def test_one_output_at_the_edge_of_its_domain_does_not_blunt_the_others():
    class RootTimesExponential(bg.Layer):
        def forward(self, x):
            self.saved = x
            return np.sqrt(x) * np.exp(x)

        def backward(self, dy):
            x = np.where(self.saved == 0, 1.0, self.saved)
            return np.where(self.saved == 0, 0.0, dy * np.exp(x) * (0.5 / np.sqrt(x) + np.sqrt(x)))

    x = np.abs(X) + 0.1
    x[0, 0] = 0.0
    (row,) = bg.gradcheck(RootTimesExponential(), x).rows
    assert "1 outputs at the edge" in row.note
    assert row.finds < 1e-6


def test_full_mode_says_that_entries_at_kinks_were_not_compared():
    report = bg.gradcheck(Kinked(0.5), np.array([0.0, 1.0, -2.0]), mode="full")
    assert "not compared one by one" in str(report)


@pytest.mark.parametrize("rng", ["a", 1.5, -1, True])
def test_rng_that_is_none_raises_type_error(rng):
    with pytest.raises(TypeError, match=r"gradcheck: rng must be a numpy.random.Generator or a seed"):
        bg.gradcheck(Scaled(), X, rng=rng)


def test_outputs_that_are_not_finite_make_it_inconclusive():
    with np.errstate(divide="ignore", invalid="ignore"):
        report = bg.gradcheck(bg.Log(), np.array([0.0, 1.0, 2.0]))
    assert report.verdict == "inconclusive"
    assert not report
    assert "infinities or NaN in 1 of 3 outputs" in str(report)
    with pytest.raises(bg.GradientError, match=r"can be told neither right nor wrong|is inconclusive"):
        report.raise_if_bad()


def test_forward_that_never_gives_the_same_is_inconclusive():
    class Unseeded(bg.Layer):
        def forward(self, x):
            self.saved = np.random.default_rng().random(x.shape)
            return x * self.saved

        def backward(self, dy):
            return dy * self.saved

    report = bg.gradcheck(Unseeded(), X)
    assert report.verdict == "inconclusive"
    assert "Let it draw from a numpy.random.Generator of its own" in str(report)


def test_fault_in_float32_only_is_found():
    class Half(bg.Layer):
        def forward(self, x):
            self.saved = x
            return x * x

        def backward(self, dy):
            if dy.dtype == np.float32:
                return (dy * 2 * self.saved).astype(np.float16).astype(np.float32)
            return dy * 2 * self.saved

    assert bg.gradcheck(Half(), X).verdict == "pass"
    report = bg.gradcheck(Half(), X.astype(np.float32))
    assert report.verdict == "fail"
    assert report.guess.kind == "precision"
    assert "in float32 the gradient of x is off by" in str(report)


def test_overflow_in_float32_is_a_note():
    report = bg.gradcheck(bg.Exp(), np.array([100.0, 1.0], np.float32))
    assert report.verdict == "pass"
    assert "in float32 forward overflows here" in str(report)


def test_full_mode_finds_one_entry_and_keeps_all_of_them():
    report = bg.gradcheck(Scaled(zeroed((3, 4))), X, mode="full")
    (row,) = report.rows
    assert (row.verdict, row.index, row.analytic) == ("fail", (3, 4), 0.0)
    analytic, numeric, bar = row.entries
    assert analytic.shape == numeric.shape == bar.shape == X.shape
    assert report.guess.kind == "zeroed"


def test_full_mode_of_a_net_says_how_many_entries_were_compared():
    net = bg.TwoLayerNet(5, 4, 3, rng=0)
    report = bg.gradcheck(net, X, np.arange(7) % 3, mode="full")
    assert report.verdict == "pass"
    expected = net.vector.size + 7 * 5 + 7 * 4 + 7 * 4 + 7 * 3  # the parameters, and the inputs of four bricks
    assert f"{expected} entries compared, brick by brick" in str(report)
    assert all(row.entries is not None for brick in report.bricks for row in brick.rows)


def test_full_mode_takes_far_fewer_forwards_than_two_for_each_entry():
    report = bg.gradcheck(bg.Affine(40, 30, rng=0), RNG.normal(size=(3, 40)), mode="full")
    assert report.verdict == "pass"
    assert report.forwards < (40 * 30 + 30 + 3 * 40) / 2


def test_large_block_whose_entries_all_meet_is_searched_by_halving():
    class Mixed(bg.Layer):
        """One number from all, so that no two entries can be moved together."""

        def forward(self, x):
            self.saved = x
            return np.asarray(np.sum(np.sin(x)), x.dtype)

        def backward(self, dy):
            dx = dy * np.cos(self.saved)
            dx[61, 7] = 0
            return dx

    report = bg.gradcheck(Mixed(), RNG.normal(size=(80, 50)))
    (row,) = report.rows
    assert (row.verdict, row.index, row.analytic) == ("fail", (61, 7), 0.0)
    assert row.numeric != 0
    assert report.guess.kind == "zeroed"


def test_large_block_with_a_wrong_column_is_told_so():
    class Mixed(bg.Layer):
        def forward(self, x):
            self.saved = x
            return np.asarray(np.sum(np.sin(x)), x.dtype)

        def backward(self, dy):
            dx = dy * np.cos(self.saved)
            dx[:, -1] *= -1
            return dx

    report = bg.gradcheck(Mixed(), RNG.normal(size=(80, 50)))
    assert "only in [:, 49] (the last)" in str(report)
    assert report.guess.kind == "sign"


@pytest.mark.parametrize(
    ("places", "text"),
    [
        ([(0, 0), (0, 1), (1, 0), (1, 1)], "every entry wrong"),
        ([(0, 1), (1, 1)], "2 of 4 entries wrong, only in [:, 1] (the last)"),
        ([(1, 0), (1, 1)], "2 of 4 entries wrong, only in [1, :] (the last)"),
        ([(0, 1), (1, 0)], "2 of 4 entries wrong: (0, 1), (1, 0)"),
        ([(0, 1)], "1 of 4 entries wrong: (0, 1)"),
    ],
)
def test_describe_says_where(places, text):
    wrong = np.zeros((2, 2), bool)
    for place in places:
        wrong[place] = True
    assert describe(wrong) == text


def test_chain_of_thirty_with_one_bad_brick_names_that_brick_and_line():
    x = bg.Input("x")
    node = x
    for place in range(29):
        node = bg.Tanh(name=f"tanh{place}")(node)
        if place == 11:
            node = Scaled(np.negative)(node)
    report = bg.gradcheck(bg.Graph(x, node), X)
    assert report.verdict == "fail"
    assert report.worst().title.startswith("Scaled[scaled1] (test_checker_report.py:")
    assert [brick.verdict for brick in report.bricks].count("fail") == 1
    assert report.guess.kind == "sign"


@pytest.mark.parametrize("mode", ["slow", "", None, 1])
def test_mode_that_there_is_not_raises_value_error(mode):
    with pytest.raises(ValueError, match=r"gradcheck: mode must be 'fast' or 'full'; got"):
        bg.gradcheck(Scaled(), X, mode=mode)


def test_plot_shows_rows_on_the_diagonal_and_returns_axes(pyplot):
    report = bg.gradcheck(bg.Affine(5, 3, rng=0), X)
    axes = report.plot()
    assert "PASS" in axes.get_title()
    assert len(axes.figure.axes) == 1
    given = pyplot.figure().add_subplot()
    assert report.plot(given) is given


def test_plot_of_a_failure_shows_the_wrong_entries(pyplot):
    report = bg.gradcheck(Scaled(zeroed((3, 4))), X)
    figure = report.plot().figure
    images = [image for axes in figure.axes for image in axes.get_images()]
    assert [image.get_array().shape for image in images] == [(7, 5)]
    texts = " ".join(text.get_text() for axes in figure.axes for text in [*axes.texts, axes.title, axes.xaxis.label])
    assert "[3, 4]" in texts


def test_plot_of_a_graph_shows_the_brick_at_fault(pyplot):
    x = bg.Input("x")
    report = bg.gradcheck(bg.Graph(x, Scaled(np.negative)(bg.Tanh()(x))), X)
    assert "Scaled[scaled1]" in report.plot().get_title()
