"""Formulas with live numbers, and the chain rule of one edge."""

import numpy as np
import pytest
from layer_table import LAYERS, Case

import brickgrad as bg
from brickgrad.drawing.formulas import backward_of, formulas, latex, live
from brickgrad.drawing.numbers import describe, number

RNG = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (110.00000000000001, "110"), (2.2, "2.2"), (650.0, "650"), (1e-9, "1e-9"), (-0.0, "0"), (0.1 + 0.2, "0.3"),
        (1234567.0, "1.2346e6"), (np.nan, "nan"), (np.inf, "inf"), (np.int64(7), "7"), (True, "1"),
        (-1.5e300, "-1.5e300"),
    ],
)  # fmt: skip
def test_number_shows_few_digits_and_no_noise(value, text):
    assert number(value) == text


def test_describe_shows_numbers_or_shape_and_range():
    assert describe(np.float32(2.5)) == describe(np.array([[2.5]])) == "2.5"
    assert describe(np.array([1.0, -2.0])) == "[1, -2]"
    assert describe(np.arange(6.0).reshape(2, 3)) == "(2, 3)  0 … 5"
    assert describe(np.zeros((0, 3))) == "(0, 3)"


@pytest.mark.parametrize("entry", LAYERS, ids=lambda entry: entry.name)
def test_every_layer_has_formulas_in_its_docstring_that_are_read(entry):
    layer = entry.make(Case(), np.float64)
    found = formulas(layer)
    assert all(" = " in line for line in found.forward)
    assert found.output in {"y", "z", "L"}
    assert set(found.backward) <= {
        f"d{name}" for name in (*layer.input_names, "x", *layer.params, "W", "b", "gamma", "beta")
    }
    for line in (*found.forward, *(f"{name} = {right}" for name, right in found.backward.items())):
        assert latex(line).count("{") == latex(line).count("}")


def test_formulas_are_those_of_the_field():
    affine = formulas(bg.Affine(2, 3))
    assert affine.forward == ("y = x · W + b",)
    assert affine.backward == {"dx": "dy · Wᵀ", "dW": "xᵀ · dy", "db": "Σ dy"}
    norm = formulas(bg.LayerNormalization(2))
    assert norm.output == "y"
    assert norm.backward["dx"].endswith(", g = gamma · dy")


def test_a_layer_of_ones_own_is_explained_by_its_docstring_or_by_its_name():
    class Cube(bg.Layer):
        """The third power.

        y = x · x · x        dx = dy · 3 · x²
        """

        def forward(self, x):
            self.saved = x
            return x**3

        def backward(self, dy):
            return dy * 3 * self.saved**2

    class Plain(Cube):
        pass

    assert formulas(Cube()).forward == ("y = x · x · x",)
    assert live(backward_of(Cube(), "x"), {"x": 2.0, "dy": 1.0, "dx": 12.0}) == "dx = dy · 3 · x² = 1 · 3 · (2)² = 12"
    assert formulas(Plain()).forward == ("y = Plain(x)",)
    assert backward_of(Plain(), "x") == "dx = dy · ∂y/∂x"


def test_live_puts_numbers_and_shapes_in():
    assert live("z = x - y", {"x": 1.0, "y": -2.0, "z": 3.0}) == "z = x - y = 1 - (-2) = 3"
    x, W = np.ones((4, 3)), np.ones((3, 2))
    assert live("dx = dy · Wᵀ", {"dy": x[:, :2], "W": W, "dx": x}) == "dx = dy · Wᵀ = (4, 2) · (2, 3) = (4, 3)  1 … 1"
    assert live("y = max(x, 0)", {"x": -3.0, "y": 0.0}) == "y = max(x, 0) = max((-3), 0) = 0"
    assert live("y = max(x, 0)", {"x": x, "y": x}) == "y = max(x, 0) = (4, 3)  1 … 1"
    assert live("z = xʸ", {"x": 5.0, "y": 2.0, "z": 25.0}) == "z = xʸ = 25"
    assert live("y = f(x)", {}) == "y = f(x)"


def test_latex_puts_an_exponent_up_with_its_index():
    assert latex("yᵢ = e^xᵢ / Σⱼ e^xⱼ") == r"y_{i} = e^{x_{i}} / \sum _{j} e^{x_{j}}"


def test_latex_is_read_by_a_typesetter():
    mathtext = pytest.importorskip("matplotlib.mathtext")
    parser = mathtext.MathTextParser("agg")
    for line in ("dx = dy · Wᵀ", "z = xʸ", "yᵢ = e^xᵢ / Σⱼ e^xⱼ", "∂L/∂apple = ∂L/∂mul1 · ∂mul1/∂apple = 1.1"):
        parser.parse(f"${latex(line)}$")


def apples():
    apple, count, tax = bg.Input("apple"), bg.Input("count"), bg.Input("tax")
    total = apple * count
    price = total * tax
    return bg.Graph([apple, count, tax], price), apple, total, price


def test_explain_tells_where_value_and_gradient_come_from():
    graph, apple, total, price = apples()
    graph.forward(100.0, 2.0, 1.1)
    graph.backward(1.0)
    said = graph.explain(total)
    assert said.splitlines()[0].endswith(": z = x · y = 100 · 2 = 200")
    assert "Mul[mul1] (test_drawing_explain.py:" in said
    assert "its x: dx = dz · y = 1 · 1.1 = 1.1" in said
    assert said.endswith("∂L/∂mul1 = ∂L/∂mul2 · ∂mul2/∂mul1 = 1 · 1.1 = 1.1")
    assert "dx = dz · y = 1.1 · 2 = 2.2" in graph.explain(apple)
    assert "its gradient: 1, which backward was given" in graph.explain(price)
    assert r"\cdot" in graph.explain(total, latex=True)


def test_explain_adds_up_what_several_bricks_hand_back():
    x, y = bg.Input("x"), bg.Input("y")
    t = x + y
    graph = bg.Graph([x, y], t * t - t**2)
    graph.forward(2.0, 3.0)
    graph.backward(1.0)
    assert graph.explain(t).endswith("= 1 · 5 + 1 · 5 + (-1) · 10 = 5 + 5 + (-10) = 0")
    assert graph.explain(t).count("  from ") == 3


def test_explain_shows_no_slope_where_none_can_be_told_from_the_numbers():
    x = bg.Input("x")
    graph = bg.Graph(x, bg.Exp()(x))
    graph.forward(np.zeros((2, 3)))
    graph.backward(np.ones((2, 3)))
    assert graph.explain(x).endswith("∂L/∂x = ∂L/∂exp1 · ∂exp1/∂x = (2, 3)  1 … 1")
    graph.forward(0.0)
    graph.backward(0.0)
    assert graph.explain(x).endswith("∂L/∂x = ∂L/∂exp1 · ∂exp1/∂x = 0")


def test_explain_before_a_run_says_what_to_call_and_of_what_has_no_gradient_why():
    graph, _, total, _ = apples()
    assert "There are no values yet: call forward." in graph.explain(total)
    graph.forward(100.0, 2.0, 1.1)
    assert "There is no gradient yet: call backward." in graph.explain(total)
    x, t = bg.Input("x", (3,), grad=False), bg.Input("t", dtype=int)
    scores = bg.Affine(3, 2, rng=0)(x)
    net = bg.Graph([x, t], bg.SoftmaxWithLoss()(scores, t))
    net.forward(np.ones((2, 3)), np.array([0, 1]))
    net.backward()
    assert "It has no gradient: it needs none." in net.explain(x)
    assert "It has no gradient: it holds integers." in net.explain(t)
    assert "(2, 3) · (3, 2) + (2,)" in net.explain(scores)
    with pytest.raises(ValueError, match=r"explain: .* is not a node of this graph"):
        net.explain(total)


@pytest.mark.parametrize("keep", [True, False])
def test_what_bricks_hand_back_is_kept_with_the_values_alone_and_adds_up(keep):
    x = bg.Input("x", (4,))
    h = bg.Tanh()(bg.Affine(4, 4, rng=0, dtype=np.float64)(x))
    graph = bg.Graph(x, h * h + bg.Affine(4, 4, rng=1, dtype=np.float64)(h) + x, keep=keep)
    graph.forward(RNG.normal(size=(3, 4)))
    dx = graph.backward(np.ones((3, 4)))
    run = graph.saved
    if not keep:
        assert run.handed is None
        return
    for slot in range(graph.wiring.n_slots):
        shares = [
            share
            for step, handed in zip(graph.wiring.steps, run.handed, strict=True)
            for read, share in zip(step.reads, handed, strict=True)
            if read == slot
        ]
        if shares:
            np.testing.assert_allclose(sum(shares), run.grads[slot])
    np.testing.assert_array_equal(run.grads[graph.wiring.inputs[0]], dx)


def test_every_input_of_a_brick_that_takes_any_number_is_explained():
    x, y = bg.Input("x"), bg.Input("y-1 $")
    graph = bg.Graph([x, y], bg.Concat(name="a b")(x, y))
    graph.forward(np.ones(2), np.ones(3))
    graph.backward(np.arange(5.0))
    assert "its x₁: dx₁ = its part of dy = [2, 3, 4]" in graph.explain(y)
    assert "its x₀: dx₀ = its part of dy = [0, 1]" in graph.explain(x)
    assert r"\frac{\partial L}{\partial y\_1\_}" in graph.explain(y, latex=True)


def test_formulas_of_every_brick_are_read_by_a_typesetter():
    mathtext = pytest.importorskip("matplotlib.mathtext")
    parser = mathtext.MathTextParser("agg")
    kinds = [
        thing for name in bg.__all__ if isinstance(thing := getattr(bg, name), type) and issubclass(thing, bg.Layer)
    ]
    seen = 0
    for kind in set(kinds) - {bg.Layer, bg.Graph}:
        known = formulas(kind.__new__(kind))
        for line in (*known.forward, *(f"{left} = {right}" for left, right in known.backward.items())):
            parser.parse(f"${latex(line)}$")
            assert not set(latex(line)) & set("ᵢⱼₙₖσ√∂·²"), line
            seen += 1
    assert seen > 60


def test_a_brick_of_a_users_own_without_formulas_is_filled_in_with_nothing():
    class Plain(bg.Layer):
        """No formula."""

        def forward(self, x):
            self.saved = True
            return x + 3

        def backward(self, dy):
            return dy

    x = bg.Input("x")
    graph = bg.Graph(x, Plain()(x))
    graph.forward(1.0)
    graph.backward(1.0)
    assert "dx = dy · ∂y/∂x = 1\n" in graph.explain(x)


def test_infinite_numbers_are_explained_without_a_warning():
    x = bg.Input("x")
    graph = bg.Graph(x, x * 2.0)
    graph.forward(np.inf)
    graph.backward(np.inf)
    assert graph.explain(x).endswith("= inf")


def test_a_graph_that_stopped_keeping_says_that_there_is_no_gradient():
    graph, _, total, _ = apples()
    graph.forward(100.0, 2.0, 1.1)
    graph.backward(1.0)
    graph.keep = False
    graph.backward(1.0)
    assert "There is no gradient" in graph.explain(total)
