"""Graphs from descriptions: the same graph comes back, and nothing that is wrong in one does harm."""

import copy
import json
import tracemalloc
from collections.abc import Callable, Sequence
from typing import Literal

import layer_table
import numpy as np
import pytest
from layer_table import Case, bits, over_layers, run, sized

import brickgrad as bg
from brickgrad.graph.limits import MOST_DEPTH, MOST_LAYERS
from brickgrad.graph.plain import from_plain, to_plain
from brickgrad.graph.registry import LAYERS, build_layer, describe_layer

X = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float32)


def through_json(graph, rng=0):
    """The graph made anew from its description as text, on the old one's parameters."""
    again = bg.Graph.from_dict(json.loads(json.dumps(graph.to_dict(), allow_nan=False)), rng=rng)
    assert again.to_dict() == graph.to_dict()
    if graph.sized:
        for name, param in graph.params.items():
            again.params[name] = param
    return again


def same_bits(graph, again, *inputs):
    one, other = graph.forward(*inputs), again.forward(*inputs)
    assert bits(layer_table.several(one)) == bits(layer_table.several(other))


def plain_attributes(layer):
    left_out = ("memory", "rng", "_params", "_grads")
    return {k: v for k, v in vars(layer).items() if k not in left_out and not isinstance(v, np.ndarray)}


@over_layers
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("variant", range(4))
def test_every_layer_of_the_table_comes_back_from_its_description(entry, dtype, variant):
    layer, inputs = sized(entry, Case(seed=variant, variant=variant), dtype)
    layer.trainable = False
    plain = json.loads(json.dumps(describe_layer(layer), allow_nan=False))
    again = build_layer("it", plain, np.random.default_rng(1), 10**6)
    assert describe_layer(again) == plain
    assert type(again) is type(layer)
    if "lazy" not in entry.name:  # whose dtype was open until it saw its first input
        assert plain_attributes(again) == {**plain_attributes(layer), "training": True}
    for key, param in layer.params.items():
        assert (again.params[key].shape, again.params[key].dtype) == (param.shape, param.dtype)
        again.params[key] = param
    for key in layer.kept:
        getattr(again, key)[...] = getattr(layer, key)
    again.training = layer.training
    assert run(again, inputs).bits() == run(layer, inputs).bits()


def test_the_registry_holds_the_bricks_of_the_package_all_in_the_table_and_no_other():
    bricks = {name for name, cls in LAYERS.items() if cls.vetted}
    assert bricks == {cls.__name__ for cls in all_bricks()}
    assert bricks == {entry.layer.__name__ for entry in layer_table.LAYERS} | {"Split"}


def all_bricks(cls=bg.Layer):
    for sub in cls.__subclasses__():
        if sub.vetted and not sub.__name__.startswith("_"):
            yield sub
        yield from all_bricks(sub)


def test_shared_layers_constants_operators_and_several_outputs_come_back():
    x, y = bg.Input("x", (4,)), bg.Input("labels", dtype=np.int32)
    tied = bg.Affine(4, 4, name="tied", rng=0)
    h = tied(bg.ReLU()(tied(x)))
    left, right = bg.Split([1, 3])(h * 2 - np.float32(0.5))
    loss = bg.SoftmaxWithLoss()(right + np.arange(3, dtype=np.float32), y)
    graph = bg.Graph([x, y], [loss, left**2, h[:, 1:]])
    again = through_json(graph)
    labels = np.array([0, 1, 2], np.int32)
    same_bits(graph, again, X, labels)
    d_outputs = [np.ones_like(part) for part in graph.forward(X, labels)]
    again.forward(X, labels)
    graph.backward(*d_outputs), again.backward(*d_outputs)
    assert bits(graph.grads) == bits(again.grads)
    assert again.inputs[1].dtype == np.int32
    assert again.leaves()[0] is next(step.layer for step in again.wiring.steps[2:] if step.name == "tied")
    assert again.summary() == graph.summary()


def test_graphs_inside_come_back_once_and_share_what_they_shared():
    inner_x = bg.Input("v", (4,))
    tied = bg.Affine(4, 4, name="tied", rng=0)
    inner = bg.Graph(inner_x, bg.Tanh()(tied(inner_x)), name="block")
    x = bg.Input("x", (4,), grad=False)
    graph = bg.Graph(x, inner(tied(inner(x))), keep=False, name="whole")
    again = through_json(graph)
    same_bits(graph, again, X)
    assert list(again.params) == list(graph.params)
    assert len(again.leaves()) == 2
    assert (again.keep, again.name, again.inputs[0].grad) == (False, "whole", False)


def test_names_of_a_part_of_a_graph_trainable_flags_and_open_sizes_come_back():
    x = bg.Input("x")
    first, second, lazy = bg.Affine(4, 4, rng=0), bg.Affine(4, 4, rng=1), bg.Affine(2, rng=2)
    second.trainable = False
    graph = bg.Graph(x, lazy(second(bg.ReLU()(first(x)))))
    part = graph.subgraph("relu1", "affine3")
    again = through_json(part)
    assert [step.name for step in again.wiring.steps] == ["affine2", "affine3"]
    assert [leaf.trainable for leaf in again.leaves()] == [False, True]
    assert [leaf.sized for leaf in again.leaves()] == [True, False]
    graph.forward(X)
    again = through_json(graph)
    assert again.params["affine3.W"].shape == (4, 2)
    same_bits(graph, again, X)


def test_a_layer_that_took_size_and_precision_from_its_first_input_keeps_them():
    x = bg.Input("x", (1, 5, 5))
    graph = bg.Graph(x, bg.BatchNormalization()(bg.Convolution(2, 3, 3, stride=(1, 2), pad=((0, 1), 1))(x)))
    again = bg.Graph.from_dict(graph.to_dict())
    assert again.sized
    lazy = bg.Affine(2)
    lazy.forward(np.ones((1, 3)))
    assert describe_layer(lazy)["arguments"] == {"sizes": [3, 2], "bias": True, "init": "he", "dtype": "float64"}


CONSTANTS = [0, -3, 2.5, float("inf"), True, np.float32(1 / 3), np.int8(-4), np.array(2.0), np.eye(3)[:, 1:]]
CONSTANTS += [np.array([np.nan, -0.0], np.float16), np.zeros((0, 3)), np.array([True, False])]


@pytest.mark.parametrize("value", CONSTANTS)
def test_constants_come_back_to_the_last_bit(value):
    again = from_plain("it", json.loads(json.dumps(to_plain("it", value), allow_nan=False)))
    assert type(again) is type(value)
    assert bits([again]) == bits([value])


def test_seed_makes_the_first_values_and_none_makes_new_ones():
    x = bg.Input("x", (4,))
    d = bg.Graph(x, bg.Dropout(0.5)(bg.Affine(3)(x))).to_dict()
    one, two, three = (bg.Graph.from_dict(d, rng=rng) for rng in (7, 7, None))
    same_bits(one, two, X)
    assert one.params["affine1.W"].tolist() != three.params["affine1.W"].tolist()


# Layers of one's own --------------------------------------------------------------------------------------------------


class Scale(bg.Layer):
    def __init__(self, factor: float, *powers: int, name=None):
        self.factor, self.powers, self.name = factor, powers, name

    def forward(self, x):
        self.saved = x
        return x * x.dtype.type(self.factor)

    def backward(self, dy):
        return dy * dy.dtype.type(self.factor)


@pytest.fixture
def registry(monkeypatch):
    monkeypatch.setattr("brickgrad.graph.registry.LAYERS", dict(LAYERS))


@pytest.mark.usefixtures("registry")
def test_a_layer_of_ones_own_is_refused_until_it_is_registered_by_hand():
    x = bg.Input("x", (4,))
    graph = bg.Graph(x, Scale(2.0, 1, 2, name="twice")(x))
    with pytest.raises(TypeError, match=r"Scale\[twice\]: must be registered.*register_layer\(Scale\)"):
        graph.to_dict()
    assert bg.register_layer(Scale) is Scale
    d = graph.to_dict()
    same_bits(graph, through_json(graph), X)
    assert d["layers"][0]["arguments"] == {"factor": 2.0, "powers": [1, 2]}
    d["layers"][0]["arguments"]["factor"] = "2"
    with pytest.raises(ValueError, match=r"layers\[0\] \(Scale\): factor must be float; got '2'"):
        bg.Graph.from_dict(d)


class Typed(bg.Layer):
    def __init__(
        self,
        mode: Literal["fast", "slow"] = "fast",
        sizes: list = (),
        more: Sequence[float] | None = None,
        pair: tuple[int, str] = (1, "a"),
        init: str | Callable[[int], float] = "he",
        free=None,
    ):
        self.mode, self.sizes, self.more, self.pair, self.init, self.free = mode, sizes, more, pair, init, free


@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (
            {"mode": "slow", "sizes": [1, "x"], "more": [1, 2.5], "pair": [2, "b"], "free": {"slice": [1, 2, None]}},
            None,
        ),
        ({"mode": "medium"}, "mode must be Literal"),
        ({"sizes": 3}, "sizes must be list; got 3"),
        ({"more": [1, "2"]}, "more must be"),
        ({"pair": [2]}, "pair must be"),
        ({"pair": [2, 3]}, "pair must be"),
        ({"init": True}, "init must be"),
    ],
)
def test_arguments_are_held_to_the_types_that_are_written_to_them(arguments, text):
    bg.register_layer(Typed)
    entry = {**describe_layer(Typed()), "arguments": arguments}
    if text is None:
        assert describe_layer(build_layer("it", entry, np.random.default_rng(0), 0))["arguments"] == {
            **arguments,
            "init": "he",
        }
        return
    with pytest.raises(ValueError, match=text):
        build_layer("it", entry, np.random.default_rng(0), 0)


@pytest.mark.usefixtures("registry")
def test_register_layer_refuses_what_it_cannot_describe():
    class ReLU(bg.Layer):
        pass

    class Loose(bg.Layer):
        def __init__(self, **options):
            pass

    class Forgetful(bg.Layer):
        def __init__(self, size):
            pass

    with pytest.raises(ValueError, match="brickgrad itself has a layer ReLU"):
        bg.register_layer(ReLU)
    with pytest.raises(TypeError, match="Loose must name each argument"):
        bg.register_layer(Loose)
    with pytest.raises(TypeError, match="takes a class of layers; got 3"):
        bg.register_layer(3)
    with pytest.raises(TypeError, match="must keep its argument 'size' as self"):
        describe_layer(bg.register_layer(Forgetful)(3))
    with pytest.raises(TypeError, match="its init is a function, which cannot be described"):
        describe_layer(bg.Affine(2, 2, init=lambda rng, shape: np.zeros(shape)))

    class Sub(bg.Graph):
        pass

    x = bg.Input("x")
    with pytest.raises(TypeError, match="of a class of its own"):
        Sub(x, bg.Exp()(x)).to_dict()


# What is wrong in a description ---------------------------------------------------------------------------------------


def description():
    x = bg.Input("x", (4,))
    inner_x = bg.Input("v")
    inner = bg.Graph(inner_x, bg.ReLU()(inner_x))
    return bg.Graph(x, inner(bg.Affine(4, 3, name="a", rng=0)(x)) * 2 + np.ones(3)).to_dict()


def changed(path, value):
    """The description with another value at a place; the value `del` takes the place out."""
    d = copy.deepcopy(description())
    at = d
    for key in path[:-1]:
        at = at[key]
    if value is del_:
        del at[path[-1]]
    else:
        at[path[-1]] = value
    return d


del_ = object()
AFFINE, GRAPH = ("layers", 0), ("layers", 5)
ARGUMENTS = (*AFFINE, "arguments")
STEP, INPUT = (*GRAPH, "steps", 0), (*GRAPH, "inputs", 0)


@pytest.mark.parametrize(
    ("path", "value", "text"),
    [
        (("version",), 2, "version must be 1; got 2: a newer brickgrad wrote it"),
        (("version",), True, "takes a dict as to_dict gives"),
        (("version",), del_, "takes a dict as to_dict gives"),
        (("more",), 1, "must have graph, kind, layers, version; got"),
        (("\x1b[2J",), 1, r"must have graph, kind, layers, version; got 'version, .*, .x1b\[2J'"),
        (("kind",), "TwoLayerNet", "kind must be 'Graph'; got 'TwoLayerNet'. Nets have Net.from_dict"),
        (("kind",), ["Graph"], "kind must be"),
        (("layers",), {}, "layers must be a list"),
        (("layers",), [], r"graph must be a whole number in 0..-1; got 5"),
        (("graph",), 6, r"graph must be a whole number in 0..5; got 6"),
        (("graph",), 5.0, r"graph must be a whole number in 0..5; got 5.0"),
        (("graph",), 0, "graph must be the place of a graph"),
        (("graph",), 2, r"layers\[5\] must stand in a graph; it stands in none"),
        (AFFINE, [], r"layers\[0\] must be a dict that describes a layer; got \[\]"),
        ((*AFFINE, "layer"), "os.system", "must be a layer of brickgrad or one given to .*; got 'os.system'"),
        ((*AFFINE, "layer"), "Layer", "got 'Layer'"),
        ((*AFFINE, "layer"), ["Affine"], r"got \['Affine'\]"),
        ((*AFFINE, "more"), 1, "must have layer, name, trainable and arguments"),
        ((*AFFINE, "name"), 1, "name must be a text that can be printed or null"),
        ((*AFFINE, "name"), "", "name must be a text that can be printed or null"),
        ((*AFFINE, "trainable"), 1, "trainable must be true or false"),
        (ARGUMENTS, [1], "arguments must be sizes, bias, init, dtype, by name"),
        ((*ARGUMENTS, "rng"), 1, "arguments must be sizes, bias, init, dtype, by name"),
        ((*ARGUMENTS, "self"), 1, "arguments must be sizes, bias, init, dtype, by name"),
        ((*ARGUMENTS, "sizes"), del_, "arguments must have sizes"),
        ((*ARGUMENTS, "sizes"), 4, r"sizes must be tuple\[int, ...\]; got 4"),
        ((*ARGUMENTS, "sizes"), [4, 3.0], r"sizes must be tuple\[int, ...\]; got \(4, 3.0\)"),
        ((*ARGUMENTS, "sizes"), [4, True], "sizes must be"),
        ((*ARGUMENTS, "sizes"), [4, -3], r"\(Affine\): Affine\[a\]: sizes must be \(n_in, n_out\)"),
        ((*ARGUMENTS, "sizes"), [], r"\(Affine\): Affine\[a\]: sizes must be \(n_in, n_out\)"),
        ((*ARGUMENTS, "sizes"), [2**40, 2**40], r"its parameters must have at most 134,217,728 numbers; got 1,208"),
        ((*ARGUMENTS, "sizes"), [10**30, 1], "sizes must be a number, a text, a list, a slice or an array; got 1000"),
        ((*ARGUMENTS, "bias"), 1, "bias must be bool; got 1"),
        ((*ARGUMENTS, "init"), "eval", "init must be one of xavier"),
        ((*ARGUMENTS, "init"), {"slice": [0, 1, 1]}, "init must be"),
        ((*ARGUMENTS, "init"), {"float": "inf"}, "init must be a deviation"),
        ((*ARGUMENTS, "init"), {"code": "1"}, "init must be a number, a text"),
        ((*ARGUMENTS, "dtype"), "O", "dtype must be one of float16, float32"),
        ((*ARGUMENTS, "dtype"), "int32", "dtype must be a float"),
        ((*GRAPH, "more"), 1, "must have constants, inputs, keep, layer, name, outputs, steps"),
        ((*GRAPH, "keep"), None, "keep must be true or false"),
        ((*GRAPH, "name"), 3, "name must be a text that can be printed or null"),
        ((*GRAPH, "inputs"), [], r"steps\[0\]: reads must have a value that is no constant"),
        ((*INPUT, "name"), "", "name must be a text that can be printed; got"),
        ((*INPUT, "name"), "\x1b[2J", r"name must be a text that can be printed; got '.x1b"),
        ((*INPUT, "shape"), [-1], r"inputs\[0\]: shape must be a whole number"),
        ((*INPUT, "shape"), [2**20, 2**20], "shape must have at most 2,147,483,648 entries"),
        ((*INPUT, "shape"), [1] * 33, "shape must be a list of at most 32 sizes"),
        ((*INPUT, "dtype"), "bool", "dtype must be float or int"),
        ((*INPUT, "dtype"), "datetime64", "dtype must be one of float16"),
        ((*INPUT, "grad"), 0, "grad must be true or false"),
        ((*INPUT, "more"), 0, "must have name, shape, dtype and grad"),
        ((*GRAPH, "steps", 3, "reads"), [5, 5], r"constants\[1\] must be read by a step; none does"),
        ((*GRAPH, "constants", 0), "two", "a layer joins nodes, numbers and arrays; got str two"),
        ((*GRAPH, "constants", 1, "base64"), "AAAA", r"base64 must be 24 bytes for \(3,\) of float64; got 'AAAA'"),
        ((*GRAPH, "constants", 1, "base64"), "A" * 31 + "é", "base64 must be 24 bytes"),
        ((*GRAPH, "constants", 1, "shape"), [2**30, 2**30], "shape must have at most 2,147,483,648 entries"),
        ((*GRAPH, "constants", 1, "dtype"), "object", "dtype must be one of"),
        (STEP, {"layer": 0}, "must have layer, name and reads"),
        ((*STEP, "layer"), 5, r"steps\[0\]: layer must be a whole number in 0..4; got 5"),
        ((*STEP, "reads"), [0, 0], r"Affine\[a\] \(steps\[0\]\): takes 1 inputs \(x\); got 2"),
        ((*STEP, "reads"), [3], r"reads must be a whole number in 0..2; got 3"),
        ((*STEP, "reads"), [1], "reads must have a value that is no constant"),
        ((*STEP, "reads"), [], "reads must have a value that is no constant"),
        ((*STEP, "name"), None, "the name of a step must be a text that can be printed; got None"),
        ((*AFFINE, "name"), "\ud800", r"name must be a text that can be printed or null; got '.ud800'"),
        ((*STEP, "name"), "relu1", None),
        ((*STEP, "name"), "mul1", "two layers have the name 'mul1'"),
        ((*GRAPH, "outputs"), 3, "each of its steps must lead to an output; got 4 steps, of which 1 do"),
        ((*GRAPH, "outputs"), [], "needs at least one input and one output"),
        ((*GRAPH, "outputs"), 0, "each of its steps must lead to an output; got 4 steps, of which 0 do"),
        ((*GRAPH, "outputs"), "6", "outputs must be a whole number"),
    ],
)
def test_from_dict_names_the_place_what_it_must_be_and_what_it_is(path, value, text):
    d = changed(path, value)
    if text is None:
        bg.Graph.from_dict(d)
        return
    with pytest.raises(ValueError, match=text) as caught:
        bg.Graph.from_dict(d)
    assert str(caught.value).startswith("Graph.from_dict: ")
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize("thing", [None, 3, "Graph", [], {}, [("version", 1)]])
def test_from_dict_of_what_is_no_description_raises_value_error(thing):
    with pytest.raises(ValueError, match=r"Graph.from_dict: takes a dict as to_dict gives, of version 1; got"):
        bg.Graph.from_dict(thing)


def chain_of(graph, times):
    """The description of a graph that runs `graph` twice, and one that runs that twice, and so on."""
    d = graph.to_dict()
    for _ in range(times):
        last = len(d["layers"]) - 1
        steps = [{"layer": last, "name": "twice", "reads": [0]}, {"layer": last, "name": "twice", "reads": [1]}]
        entry = {"layer": "Graph", "name": None, "keep": True, "constants": [], "steps": steps, "outputs": 2}
        d["layers"].append({**entry, "inputs": [{"name": "x", "shape": None, "dtype": "float64", "grad": True}]})
        d["graph"] = last + 1
    return d


def peak(call):
    """How many bytes a call had allocated at most."""
    tracemalloc.start()
    try:
        call()
    finally:
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    return most


def one(layer, shape=None):
    x = bg.Input("x", shape)
    y = layer(x)
    return bg.Graph(x, list(y) if isinstance(y, tuple) else y)


def test_graphs_that_double_again_and_again_are_refused_before_they_are_run_through():
    bg.Graph.from_dict(chain_of(one(bg.ReLU()), 10)).forward(X)
    with pytest.raises(ValueError, match="at most 20,000 layers, 200,000 values"):
        bg.Graph.from_dict(chain_of(one(bg.ReLU()), 31))


def test_graphs_in_each_other_and_layers_too_many_are_refused_when_written_and_when_read():
    graph = one(bg.ReLU())
    for _ in range(MOST_DEPTH - 1):
        graph = one(graph)
    deepest = through_json(graph)
    same_bits(graph, deepest, X)
    with pytest.raises(ValueError, match=r"32 graphs in each other; got .* and 33"):
        one(graph).to_dict()
    d = one(bg.ReLU()).to_dict()
    d["layers"] = d["layers"][:1] * MOST_LAYERS + d["layers"][1:]
    with pytest.raises(ValueError, match="a list of at most 20,000; got 20,001"):
        bg.Graph.from_dict(d)


@pytest.mark.parametrize(
    ("layer", "arguments", "text"),
    [
        (bg.Affine(2, 2), {"sizes": [2**28, 2**28]}, "at most"),
        (bg.Convolution(1, 1, 2, 2), {"sizes": [2**14, 2**14, 2, 2], "groups": 2}, "at most"),
        (bg.Embedding(2, 2), {"n_words": 2**20, "size": 2**20}, "at most"),
        (bg.BatchNormalization(2), {"size": [2**40]}, "at most"),
        (bg.LayerNormalization(2), {"size": [2**40]}, "at most"),
        (bg.Split(2), {"parts": 10**9}, "200,000 values"),
    ],
)
def test_what_would_take_much_memory_is_refused_before_any_is_taken(layer, arguments, text):
    d = one(layer).to_dict()
    d["layers"][0]["arguments"] |= arguments

    def read():
        with pytest.raises(ValueError, match=text):
            bg.Graph.from_dict(d)

    assert peak(read) < 1_000_000


def test_many_parameters_are_refused_in_sum_and_max_params_moves_the_bar():
    x = bg.Input("x")
    d = bg.Graph(x, bg.Affine(10, 10)(bg.Affine(10, 10)(x))).to_dict()
    bg.Graph.from_dict(d, max_params=220)
    with pytest.raises(
        ValueError, match=r"layers\[1\].* all parameters must have at most max_params numbers; got 1 more"
    ):
        bg.Graph.from_dict(d, max_params=219)
    with pytest.raises(ValueError, match="max_params must be a whole number"):
        bg.Graph.from_dict(d, max_params=-1)


def test_no_layer_runs_while_a_description_is_read_and_shapes_are_found_when_asked_for():
    d = one(bg.Sum(axis=0), (3,)).to_dict()
    d["layers"][1]["inputs"][0]["shape"] = [2**31]
    assert peak(lambda: bg.Graph.from_dict(d)) < 1_000_000
    assert bg.Graph.from_dict(one(bg.Affine(3), (4,)).to_dict()).shapes == [(0, 4), (0, 3)]
    wrong = one(bg.Affine(4, 3), (4,)).to_dict()
    wrong["layers"][1]["inputs"][0]["shape"] = [5]
    graph = bg.Graph.from_dict(wrong)
    with pytest.raises(ValueError, match=r"needs \(N, 4\)"):
        graph.summary()
    with pytest.raises(ValueError, match=r"input x must be \(N, 5\)"):
        graph.forward(X)


def test_making_parameters_takes_at_most_32_bytes_for_each_of_their_numbers():
    d = one(bg.Affine(700, 700, dtype=np.float64)).to_dict()
    assert 16 * 700 * 700 < peak(lambda: bg.Graph.from_dict(d)) < 32 * 700 * 700 + 1_000_000


def test_a_name_that_would_not_be_read_is_not_written():
    with pytest.raises(ValueError, match=r"ReLU: its name must be a text that can be printed or null; got 'a.nb'"):
        one(bg.ReLU(name="a\nb")).to_dict()


@pytest.mark.parametrize(
    "place", [('"he"', ""), ("[4, 3]", ""), ('"a"', ""), ("[0]", ""), ('"kind": "Graph"', '"kind": ')]
)
def test_lists_as_deep_as_json_reads_them_are_refused_with_a_short_error(place):
    old, before = place
    text, refused = json.dumps(description()), 0
    assert old in text
    for depth in range(800, 1000):
        try:
            d = json.loads(text.replace(old, f"{before}{'[' * depth}{']' * depth}", 1))
        except RecursionError:  # JSON's own, deeper than it goes
            break
        with pytest.raises(ValueError, match="must"):
            bg.Graph.from_dict(d)
        refused += 1
    assert refused > 10
