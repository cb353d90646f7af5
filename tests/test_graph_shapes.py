"""Shapes worked out when a graph is built: lazily sized layers get theirs, and what does not fit is found at once."""

import re
import warnings

import numpy as np
import pytest

import brickgrad as bg


class MeanOverBatch(bg.Layer):
    """Warns on an empty batch, as NumPy's mean does; notes the mode it ran in."""

    def __init__(self):
        self.modes = []

    def forward(self, x):
        self.modes.append(self.training)
        self.saved = x.shape
        return x - x.mean(axis=0)

    def backward(self, dy):
        return dy - dy.mean(axis=0)


class Fails(bg.Layer):
    """Raises what it is given."""

    def __init__(self, error):
        self.error = error

    def forward(self, x):
        raise self.error

    def backward(self, dy):
        return dy


def test_shapes_known_at_build_size_lazy_layers_all_the_way():
    x = bg.Input("x", (2, 3))
    first, second = bg.Affine(5, rng=0), bg.Affine(4, rng=1)
    bg.Graph(x, second(bg.ReLU()(first(bg.Flatten()(x)))))
    assert (first.params["W"].shape, second.params["W"].shape) == ((6, 5), (5, 4))


def test_shapes_unknown_at_build_leave_lazy_layers_open_until_the_first_batch():
    x = bg.Input("x")
    affine = bg.Affine(5, rng=0)
    graph = bg.Graph(x, affine(x))
    assert (graph.sized, dict(graph.params)) == (False, {})
    graph.forward(np.ones((2, 3)))
    assert (graph.sized, affine.params["W"].shape) == (True, (3, 5))


def test_shapes_known_for_some_inputs_size_what_depends_on_those_alone():
    x, y = bg.Input("x", (3,)), bg.Input("y")
    known, open_ = bg.Affine(5, rng=0), bg.Affine(5, rng=1)
    bg.Graph([x, y], known(x) + open_(y))
    assert (known.sized, open_.sized) == (True, False)


def test_shapes_that_do_not_fit_at_build_name_layer_widths_and_both_places():
    x = bg.Input("x", (784,))
    hidden = bg.Affine(784, 50, name="hidden")(x)
    out = bg.Affine(60, 10, name="out")(hidden)
    with pytest.raises(ValueError, match=r"Affine\[out\]") as caught:
        bg.Graph(x, out, name="digits")
    message = str(caught.value)
    for part in ("(60, 10)", "(N, 50)", "Graph[digits]", f"Affine[hidden] ({hidden.where})", f"({out.where})"):
        assert part in message
    assert "(0," not in message  # the batch of no samples that found it is not what the user wrote


def test_shapes_that_do_not_fit_at_build_leave_lazy_layers_unsized():
    x = bg.Input("x", (3,))
    lazy = bg.Affine(5, rng=0)
    state = lazy.rng.bit_generator.state
    with pytest.raises(ValueError, match="Affine"):
        bg.Graph(x, bg.Affine(4, 2)(lazy(x)))
    assert (lazy.sized, lazy.rng.bit_generator.state) == (False, state)


@pytest.mark.parametrize("kind", [ValueError, TypeError, RuntimeError])
def test_shapes_error_of_a_layer_at_build_keeps_its_kind_and_cause(kind):
    x = bg.Input("x", (3,))
    error = kind("Fails.forward: no")
    node = Fails(error)(x)
    with pytest.raises(kind, match=re.escape(f"({node.where})")) as caught:
        bg.Graph(x, node)
    assert caught.value.__cause__ is error


def test_shapes_error_of_another_kind_at_build_becomes_a_value_error_with_the_place():
    x = bg.Input("x", (3,))
    node = Fails(KeyError("lost"))(x)
    with pytest.raises(ValueError, match=re.escape(f"({node.where})") + r"(?s:.*)lost"):
        bg.Graph(x, node)


def test_shapes_tried_on_no_samples_warn_of_nothing_and_run_in_inference_mode():
    layer = MeanOverBatch()
    x = bg.Input("x", (3,))
    with warnings.catch_warnings(), np.errstate(all="raise"):
        warnings.simplefilter("error")
        bg.Graph(x, layer(x))
    assert layer.modes == [False]
    assert layer.training is True


def test_shapes_tried_at_build_leave_no_memory_behind():
    layer = bg.Sigmoid()
    x = bg.Input("x", (3,))
    graph = bg.Graph(x, layer(x))
    with pytest.raises(RuntimeError, match="forward"):
        layer.backward(np.ones((1, 3)))
    with pytest.raises(RuntimeError, match="forward"):
        graph.backward(np.ones((1, 3)))


def test_shapes_tried_at_build_leave_each_layers_own_mode_and_memory_alone():
    layer = bg.ReLU()
    y = layer.forward(np.array([[-1.0, 2.0]]))
    layer.eval()
    x = bg.Input("x", (2,))
    bg.Graph(x, layer(x))
    assert layer.training is False
    np.testing.assert_array_equal(layer.backward(np.ones_like(y)), [[0.0, 1.0]])


@pytest.mark.parametrize(("dtype", "expected"), [(float, np.float32), (np.float32, np.float32), (int, None)])
def test_shapes_known_at_build_make_float32_parameters_unless_told(dtype, expected):
    x = bg.Input("x", (3,), dtype=dtype)
    affine = bg.Affine(2, rng=0)
    if expected is None:
        with pytest.raises(TypeError, match="Affine"):
            bg.Graph(x, affine(x))
    else:
        bg.Graph(x, affine(x))
        assert affine.params["W"].dtype == expected


def test_shapes_tried_at_build_draw_nothing_from_a_layers_generator():
    class Noise(bg.Layer):
        def __init__(self):
            self.rng = np.random.default_rng(0)

        def forward(self, x):
            self.rng.standard_normal(3)
            return x + 0

        def backward(self, dy):
            return dy + 0

    noise, x = Noise(), bg.Input("x", (3,))
    state = noise.rng.bit_generator.state
    bg.Graph(x, noise(x))
    assert noise.rng.bit_generator.state == state


def test_shapes_tried_at_build_suit_a_layer_of_ones_own_in_float64():
    class Scale(bg.Layer):
        def __init__(self):
            self.add_param("k", np.ones(3))

        def forward(self, x):
            return x * self.params["k"]

        def backward(self, dy):
            return dy * self.params["k"]

    x = bg.Input("x", (3,))
    graph = bg.Graph(x, Scale()(bg.Affine(3, 3, rng=0, dtype=np.float64)(x)))
    assert graph.forward(np.ones((2, 3))).dtype == np.float64


def test_shapes_tried_at_build_suit_a_constant_before_a_layer_that_takes_any_precision():
    x = bg.Input("x", (3,))
    graph = bg.Graph(x, bg.Affine(3, 2, rng=0)((x - np.array([1.0, 2.0, 3.0])) / np.array([4.0, 5.0, 6.0])))
    assert graph.forward(np.ones((2, 3))).dtype == np.float64


@pytest.mark.parametrize("shape", [(3,), None], ids=["at build", "at the first batch"])
def test_shapes_that_do_not_fit_leave_a_generator_that_lazy_layers_share_as_it_was(shape):
    def build(fails):
        rng = np.random.default_rng(0)
        first, second, x = bg.Affine(4, rng=rng), bg.Affine(4, rng=rng), bg.Input("x", shape)
        node = second(first(x))
        if fails:
            with pytest.raises(ValueError, match="Affine"):
                bg.Graph(x, bg.Affine(9, 2)(node)).forward(np.ones((1, 3)))
        bg.Graph(x, node).forward(np.ones((1, 3)))
        return first.params["W"].tolist(), second.params["W"].tolist()

    assert build(fails=True) == build(fails=False)


@pytest.mark.parametrize(
    ("shape", "given"),
    [((3,), (4,)), ((3,), (5, 4)), ((3,), ()), ((1, 28, 28), (28, 28)), ((1, 28, 28), (5, 3, 28, 28))],
)
def test_shapes_wrong_at_run_name_graph_input_expected_and_given(shape, given):
    x = bg.Input("pixels", shape)
    graph = bg.Graph(x, bg.ReLU()(x), name="digits")
    with pytest.raises(ValueError, match=r"Graph\[digits\]\.forward: input pixels must be \(N, ") as caught:
        graph.forward(np.ones(given))
    assert f"({', '.join(['N', *map(str, shape)])})" in str(caught.value)
    assert f"got {given}" in str(caught.value)


def test_shapes_wrong_at_run_for_unflattened_images_say_to_flatten_them():
    x = bg.Input("x", (784,))
    graph = bg.Graph(x, bg.Affine(784, 2)(x))
    with pytest.raises(ValueError, match=r"got \(5, 28, 28\)\. Flatten the images first"):
        graph.forward(np.ones((5, 28, 28), np.float32))
    with pytest.raises(ValueError, match=r"got \(5, 27, 28\)\.$"):
        graph.forward(np.ones((5, 27, 28), np.float32))


@pytest.mark.parametrize("given", [(3,), (5, 3), (2, 5, 3), (0, 3)])
def test_shapes_given_at_run_may_have_any_axes_before_the_sample(given):
    x = bg.Input("x", (3,))
    graph = bg.Graph(x, bg.Affine(3, 2, rng=0)(x))
    assert graph.forward(np.ones(given)).shape == (*given[:-1], 2)


def test_shapes_of_single_numbers_fit_an_input_of_one_number_a_sample():
    x = bg.Input("x", ())
    graph = bg.Graph(x, x * 2)
    assert graph.forward(3.0) == 6.0
    np.testing.assert_array_equal(graph.forward(np.array([1.0, 2.0])), [2.0, 4.0])
