"""Layer: what the base class does so that a brick, a user's too, stays short."""

import functools

import numpy as np
import pytest

import brickgrad as bg


class Gain(bg.Layer):
    """A user's ten-line layer, as the texts write one: no super().__init__(), arrays by name."""

    def __init__(self, size):
        self.params["W"] = np.arange(1.0, 1.0 + size)
        self.grads["W"] = np.zeros(size)

    def forward(self, x):
        self.saved = x
        return x * self.params["W"].astype(x.dtype)

    def backward(self, dy):
        self.grads["W"] = (dy * self.saved).sum(axis=0)
        return dy * self.params["W"].astype(dy.dtype)


class Bookish(bg.Layer):
    """The same with dicts of its own, as the texts make them."""

    def __init__(self):
        self.params = {}
        self.grads = {}
        self.params["W"] = np.array([2.0, 3.0])

    def forward(self, x):
        self.saved = x
        return x @ self.params["W"]

    def backward(self, dy):
        self.grads["W"] = dy @ self.saved
        return np.outer(dy, self.params["W"])


# A layer of one's own -------------------------------------------------------------------------------------------------


def test_user_layer_of_ten_lines_computes_and_passes_gradcheck():
    gain = Gain(3)
    x, dy = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), np.array([[1.0, 0.0, 2.0], [3.0, 1.0, 0.0]])
    assert gain.forward(x).tolist() == [[1.0, 4.0, 9.0], [4.0, 10.0, 18.0]]
    assert gain.backward(dy).tolist() == [[1.0, 0.0, 6.0], [3.0, 2.0, 0.0]]
    assert gain.grads["W"].tolist() == [13.0, 5.0, 6.0]
    assert gain.title == "Gain"
    assert [row.name for row in bg.gradcheck(gain, x).rows] == ["W", "x"]
    y = gain.forward(x.astype(np.float32))
    assert y.dtype == gain.backward(y).dtype == np.float32


def test_user_layer_with_dicts_of_its_own_computes_and_passes_gradcheck():
    layer = Bookish()
    assert layer.forward(np.array([[1.0, 10.0], [0.0, 1.0]])).tolist() == [32.0, 3.0]
    assert layer.backward(np.array([1.0, 2.0])).tolist() == [[2.0, 3.0], [4.0, 6.0]]
    assert layer.grads["W"].tolist() == [1.0, 12.0]
    assert bg.gradcheck(layer, np.array([[1.0, 10.0], [0.0, 1.0]])).passed


def test_user_layer_in_a_graph_is_named_and_trained():
    gain = Gain(2)
    gain.name = "gain"
    x = bg.Input("x", (2,), dtype=np.float64)
    graph = bg.Graph(x, gain(x))
    assert graph.forward(np.array([[1.0, 1.0]])).tolist() == [[1.0, 2.0]]
    graph.backward(np.array([[1.0, 1.0]]))
    assert graph.grads["gain.W"].tolist() == [1.0, 1.0]


def test_user_layer_without_forward_or_backward_is_type_error_with_its_class():
    class Half(bg.Layer):
        def forward(self, x):
            return x.copy()

    half = Half(name="h")
    half.forward(np.ones(2))
    with pytest.raises(TypeError, match=r"^Half\[h\]\.backward: the class Half defines no backward\(self, dy\)\.$"):
        half.backward(np.ones(2))
    with pytest.raises(TypeError, match=r"^Layer\[l\]\.forward: the class Layer defines no forward\(self, x\)\.$"):
        bg.Layer("l").forward(np.ones(2))


def test_user_layer_saving_nothing_can_still_go_back():
    class Pass(bg.Layer):
        def forward(self, x):
            return x.copy()

        def backward(self, dy):
            return dy.copy()

    layer = Pass()
    layer.forward(np.ones(2))
    assert layer.backward(np.array([1.0, 2.0])).tolist() == [1.0, 2.0]


def test_user_layer_that_inherits_its_forward_from_any_class_is_checked():
    class Quiet(bg.ReLU):
        pass

    class Halving:
        def forward(self, x):
            return x / 2

        def backward(self, dy):
            return dy / 2

    class Half(Halving, bg.Layer):
        pass

    for layer in (Quiet(), Half()):
        layer.backward(layer.forward([2.0, -4.0]))
        assert (layer.input_names, layer.arity) == (("x",), (1, 1))
        with pytest.raises(TypeError, match=rf"^{type(layer).__name__}\.forward: x must hold numbers; got str 'abc'"):
            layer.forward("abc")


def test_user_layer_with_a_decorated_forward_is_checked():
    def logged(method):
        @functools.wraps(method)
        def wrapper(self, *arrays):
            self.log = method.__name__
            return method(self, *arrays)

        return wrapper

    class Twice(bg.Layer):
        @logged
        def forward(self, x):
            return x * 2

        @logged
        def backward(self, dy):
            return dy * 2

    twice = Twice()
    assert twice.forward([1.0, 2.0]).tolist() == [2.0, 4.0]
    assert twice.input_names == ("x",)
    assert twice.backward([1.0, 3.0]).tolist() == [2.0, 6.0]
    assert twice.log == "backward"
    with pytest.raises(TypeError, match=r"^Twice\.forward: x must hold numbers; got str 'abc'"):
        twice.forward("abc")


# Names, calls and parameters ------------------------------------------------------------------------------------------


def test_title_is_the_class_with_the_name_if_any():
    assert bg.ReLU().title == "ReLU"
    assert bg.ReLU(name="hidden").title == "ReLU[hidden]"


def test_call_on_arrays_runs_forward():
    assert bg.Add()(np.array([1.0]), 2.0).tolist() == [3.0]


def test_call_on_nodes_joins_them():
    node = bg.Add()(bg.Input("x"), 2.0)
    assert isinstance(node, bg.Node)


@pytest.mark.parametrize("text", ["abc", b"abc", np.array(["abc"])], ids=["str", "bytes", "array"])
def test_call_on_text_is_the_layers_type_error(text):
    with pytest.raises(TypeError, match=r"^ReLU\.forward: x must hold numbers; got "):
        bg.ReLU()(text)


def test_params_and_grads_assigned_as_a_whole_are_written_into():
    affine = bg.Affine(1, 2, rng=0)
    before = affine.params["W"], affine.grads["b"]
    affine.params = {"W": [[1.0, 2.0]]}
    affine.grads = {"b": [3.0, 4.0]}
    assert affine.params["W"] is before[0]
    assert affine.grads["b"] is before[1]
    assert (before[0].tolist(), before[1].tolist()) == ([[1.0, 2.0]], [3.0, 4.0])


def test_add_param_makes_a_gradient_of_zeros_in_its_shape_and_dtype():
    layer = bg.Layer()
    value = np.full((2, 3), 5, np.float32)
    layer.add_param("V", value)
    assert layer.params["V"].tolist() == value.tolist()
    assert layer.grads["V"].dtype == np.float32
    assert layer.grads["V"].tolist() == np.zeros((2, 3)).tolist()
    assert not np.shares_memory(layer.params["V"], value)


def test_two_layers_share_no_state():
    a, b = Gain(2), Gain(2)
    a.params["W"] = [7.0, 8.0]
    assert b.params["W"].tolist() == [1.0, 2.0]
    assert a.memory is not b.memory


# Buffers --------------------------------------------------------------------------------------------------------------


def test_buffer_without_workspace_is_always_new():
    layer = bg.Layer()
    one, two = (layer.buffer("y", (2, 3), np.float32) for _ in range(2))
    assert (one.shape, one.dtype) == ((2, 3), np.float32)
    assert one is not two
    assert not np.shares_memory(one, two)


def test_buffer_in_a_workspace_is_kept_by_name_shape_and_dtype():
    layer = bg.Layer()
    layer.memory = bg.Memory(arrays={})
    y = layer.buffer("y", (2, 3), np.float32)
    assert layer.buffer("y", (2, 3), np.dtype("float32")) is y
    assert layer.buffer("dx", (2, 3), np.float32) is not y
    larger = layer.buffer("y", (4, 3), np.float32)
    assert larger.shape == (4, 3)
    double = layer.buffer("y", (4, 3), np.float64)
    assert double.dtype == np.float64
    assert layer.memory.arrays["y"] is double


def test_fresh_copies_only_without_workspace():
    layer, x = bg.Layer(), np.ones(3)
    assert not np.shares_memory(layer.fresh(x), x)
    layer.memory = bg.Memory(arrays={})
    assert layer.fresh(x) is x


def test_wants_follows_the_memory():
    layer = bg.Layer()
    assert layer.wants(0)
    assert layer.wants(7)
    layer.memory = bg.Memory(wanted=(False, True))
    assert not layer.wants(0)
    assert layer.wants(1)


# Branches, modes and replicas -----------------------------------------------------------------------------------------


def test_branch_is_chosen_anew_or_replayed_when_frozen():
    class Chooser(bg.Layer):
        def forward(self, x):
            return x * self.branch(lambda: float(x.sum()))

    layer = Chooser()
    assert layer.forward(np.array([2.0])) == 4.0
    with layer.frozen():
        assert layer.forward(np.array([5.0])) == 10.0
        with layer.frozen():
            assert layer.forward(np.array([5.0])) == 10.0
        assert layer.forward(np.array([6.0])) == 12.0
    assert layer.forward(np.array([5.0])) == 25.0


def test_branch_frozen_in_a_memory_without_forward_is_runtime_error():
    relu = bg.ReLU(name="r")
    relu.forward(np.ones(2))
    with relu.frozen():
        relu.memory = bg.Memory()
        with pytest.raises(RuntimeError, match=r"^ReLU\[r\]: it is frozen, but has no forward of its own to replay"):
            relu.forward(np.ones(2))


def test_train_and_eval_set_the_mode():
    layer = bg.ReLU()
    assert layer.training
    layer.eval()
    assert not layer.training
    layer.train()
    assert layer.training


class Stateful(bg.Layer):
    """A user's layer with arrays, a precision and a generator beside its parameters."""

    def __init__(self):
        self.add_param("W", np.ones(2, np.float32))
        self.running = np.array([1.0, 2.0], np.float32)
        self.counts = np.array([1, 2])
        self.dtype = np.dtype(np.float32)
        self.kind = np.dtype(np.int64)
        self.rng = np.random.default_rng(0)


def test_replica_shares_parameters_and_nothing_else():
    layer = Stateful()
    twin = layer.replica()
    assert twin.params["W"] is layer.params["W"]
    for ours, theirs in [
        (layer.grads["W"], twin.grads["W"]),
        (layer.running, twin.running),
        (layer.counts, twin.counts),
    ]:
        assert not np.shares_memory(ours, theirs)
        assert (ours.dtype, ours.tolist()) == (theirs.dtype, theirs.tolist())
    assert twin.rng is not layer.rng
    assert twin.rng.random() == layer.rng.random()
    twin.params["W"] = [5.0, 6.0]
    assert layer.params["W"].tolist() == [5.0, 6.0]
    twin.grads["W"] = [7.0, 8.0]
    assert layer.grads["W"].tolist() == [0.0, 0.0]


def test_replica_in_another_precision_converts_all_floats_in_copies():
    layer = Stateful()
    layer.grads["W"] = [3.0, 4.0]
    twin = layer.replica(np.float64)
    assert {twin.params["W"].dtype, twin.grads["W"].dtype, twin.running.dtype, twin.dtype} == {np.dtype(np.float64)}
    assert (twin.counts.dtype, twin.kind) == (np.dtype(np.int64), np.dtype(np.int64))
    assert twin.params["W"].tolist() == [1.0, 1.0]
    assert twin.grads["W"].tolist() == [3.0, 4.0]
    twin.params["W"] = [5.0, 6.0]
    assert layer.params["W"].tolist() == [1.0, 1.0]
    assert layer.params["W"].dtype == layer.running.dtype == np.float32


def test_replica_keeps_mode_and_name_but_no_workspace():
    layer = bg.ReLU(name="r")
    layer.eval()
    layer.memory = bg.Memory(arrays={})
    layer.forward(np.ones(3))
    twin = layer.replica()
    assert (twin.name, twin.training, twin.memory.arrays) == ("r", False, None)
    with pytest.raises(RuntimeError, match=r"^ReLU\[r\]\.backward"):
        twin.backward(np.ones(3))


def test_replica_of_an_unsized_layer_shares_the_parameters_that_come():
    lazy = bg.Affine(3, rng=0)
    twin = lazy.replica()
    twin.forward(np.ones((2, 5)))
    assert lazy.sized
    assert lazy.params["W"] is twin.params["W"]
    lazy.forward(np.ones((2, 5), np.float32))
    lazy.backward(np.ones((2, 3), np.float32))
    assert "W" in lazy.grads
    assert not np.shares_memory(lazy.grads["W"], twin.grads["W"])


def test_replica_shares_parameters_also_after_a_net_has_moved_them():
    affine = bg.Affine(3, 2, rng=0)
    twin = affine.replica()
    net = bg.Sequential(affine)
    net.params["affine1.W"] = np.zeros((3, 2))
    assert not twin.params["W"].any()


def test_replica_of_a_graph_makes_one_of_each_layer_that_stands_in_it_twice():
    shared, x = bg.Affine(3, 3, rng=0), bg.Input("x", (3,))
    graph = bg.Graph(x, shared(bg.ReLU()(shared(x))))
    inputs = np.array([[1.0, -2.0, 3.0]], np.float32)
    for dtype in (None, np.float64):
        twin = graph.replica(dtype)
        assert len({id(layer) for layer in twin.leaves() if layer.params}) == 1
        y = twin.forward(inputs.astype(dtype or np.float32))
        np.testing.assert_allclose(y, graph.forward(inputs), rtol=1e-5)


def test_saved_is_one_attribute_that_can_be_put_aside():
    mul = bg.Mul()
    mul.forward(2.0, 3.0)
    saved = mul.saved
    mul.forward(10.0, 20.0)
    assert mul.backward(1.0) == (20.0, 10.0)
    mul.saved = saved
    assert mul.backward(1.0) == (3.0, 2.0)
