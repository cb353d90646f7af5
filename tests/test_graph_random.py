"""Random graphs of 2 to 40 bricks against reverse mode on a tape: fan-out, sharing, nesting, several outputs.

GRAPHS=10000 in the environment takes so many.
"""

import os
from collections import Counter

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from reverse_reference import Tape

import brickgrad as bg

N = int(os.environ.get("GRAPHS", "150"))
SHAPES = [(), (3,), (2, 1), (2, 3)]
seen = Counter()


def draw_spec(rng, n_calls, fan_out):
    """Shapes of inputs, and calls (operation, node, node); hubs make some nodes be read up to `fan_out` times."""
    shapes = [SHAPES[rng.integers(4)] for _ in range(rng.integers(1, 4))] + [(2, 3)]
    known, calls = list(shapes), []
    reads = Counter()

    def pick(wanted=None):
        fitting = [k for k, shape in enumerate(known) if wanted in (None, shape) and reads[k] < fan_out]
        hubs = [k for k in fitting if reads[k] > 1]
        chosen = int(rng.choice(hubs if hubs and rng.random() < 0.5 else fitting)) if fitting else None
        if chosen is not None:
            reads[chosen] += 1
        return chosen

    for _ in range(n_calls):
        operation = rng.choice(["add", "sub", "mul", "tanh", "affine", "other", "nest", "deep", "split"])
        i = pick((2, 3) if operation in ("affine", "other", "nest", "deep", "split") else None)
        if i is None:
            operation, i = "tanh", pick()
        j = pick() if operation in ("add", "sub", "mul") else i
        i, j = (0 if k is None else k for k in (i, j))
        calls.append((operation, i, j))
        known.append(np.broadcast_shapes(known[i], known[j]) if operation in ("add", "sub", "mul") else known[i])
        if operation == "split":
            known[-1:] = [(2, 1)] * 3
    return shapes, calls, known


def layers():
    """Bricks that stand at many nodes: two affine ones, of which the second stands in the inner graphs as well."""
    affine, other, tanh = bg.Affine(3, 3, rng=0, dtype=np.float64), bg.Affine(3, 3, rng=1, dtype=np.float64), bg.Tanh()
    u, v = bg.Input("u"), bg.Input("v")
    nest = bg.Graph(u, tanh(other(u)) + u)
    deep = bg.Graph(v, nest(nest(v)) - other(v))
    return {"affine": affine, "other": other, "tanh": tanh, "nest": nest, "deep": deep}


def on_tape(spec, inputs, params):
    """The values of all nodes, their numbers on a tape, and the numbers of the parameters."""
    _, calls, _ = spec
    tape = Tape()
    nodes = [tape.new(x) for x in inputs]
    own = {name: tape.new(value) for name, value in params.items()}

    def affine(i, name):
        return tape.affine(i, own[f"{name}.W"], own[f"{name}.b"])

    def nest(i):
        return tape.add(tape.tanh(affine(i, "other")), i)

    for operation, i, j in calls:
        a, b = nodes[i], nodes[j]
        if operation in ("add", "sub", "mul"):
            nodes.append(getattr(tape, operation)(a, b))
        elif operation == "split":
            nodes += tape.columns(a)
        else:
            make = {
                "tanh": tape.tanh,
                "affine": lambda i: affine(i, "affine"),
                "other": lambda i: affine(i, "other"),
                "nest": nest,
                "deep": lambda i: tape.sub(nest(nest(i)), affine(i, "other")),
            }
            nodes.append(make[operation](a))
    return tape, nodes, own


def in_brickgrad(spec, order):
    """The same graph's inputs and nodes, its calls made in an order that only respects what each one needs."""
    shapes, calls, _ = spec
    bricks = layers()
    xs = [bg.Input(f"x{k}") for k in range(len(shapes))]
    nodes, firsts, count = dict(enumerate(xs)), [], len(xs)
    for operation, _, _ in calls:
        firsts.append(count)
        count += 3 if operation == "split" else 1
    todo = list(order)
    while todo:
        k = next(k for k in todo if calls[k][1] in nodes and calls[k][2] in nodes)
        todo.remove(k)
        operation, i, j = calls[k]
        a, b = nodes[i], nodes[j]
        if operation == "split":
            nodes |= zip(range(firsts[k], firsts[k] + 3), bg.Split(3)(a), strict=True)
        elif operation in bricks:
            nodes[firsts[k]] = bricks[operation](a)
        else:
            nodes[firsts[k]] = {"add": bg.Add, "sub": bg.Sub, "mul": bg.Mul}[operation]()(a, b)
    return xs, nodes, bricks


@settings(max_examples=N, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**32 - 1), st.integers(1, 38), st.integers(1, 8))
def test_random_graph_gives_the_tapes_values_and_gradients_in_any_order_of_making(seed, n_calls, fan_out):
    rng = np.random.default_rng(seed)
    spec = draw_spec(rng, n_calls, fan_out)
    shapes, calls, known = spec
    inputs = [rng.normal(size=shape) for shape in shapes]
    read = {k for _, i, j in calls for k in (i, j)}
    outputs = [k for k in range(len(known)) if k not in read]
    outputs += [int(k) for k in rng.choice(len(known), rng.integers(0, 3))]
    d_outputs = [rng.normal(size=known[k]) for k in outputs]
    params = {f"{name}.{key}": layers()[name].params[key] for name in ("affine", "other") for key in ("W", "b")}
    tape, nodes, own = on_tape(spec, inputs, params)
    expected = tape.gradients([(nodes[k], dy) for k, dy in zip(outputs, d_outputs, strict=True)])
    found = []
    for order in (range(len(calls)), rng.permutation(len(calls))):
        xs, made, bricks = in_brickgrad(spec, order)
        graph = bg.Graph(xs, [made[k] for k in outputs])
        values = graph.forward(*inputs)
        dxs = graph.backward(*d_outputs)
        dxs = dxs if isinstance(dxs, tuple) else (dxs,)
        for k, value in zip(outputs, values, strict=True):
            np.testing.assert_allclose(value, tape.values[nodes[k]], rtol=1e-10, atol=1e-10)
        scale = max(float(np.abs(gradient).max()) for gradient in expected if gradient.size) + 1
        for number, dx in enumerate(dxs):
            np.testing.assert_allclose(dx, expected[number], rtol=1e-10, atol=1e-12 * scale)
        used = {id(leaf) for leaf in graph.leaves()}
        for name in ("affine", "other"):
            if id(bricks[name]) in used:
                for key in ("W", "b"):
                    gradient = expected[own[f"{name}.{key}"]]
                    np.testing.assert_allclose(bricks[name].grads[key], gradient, rtol=1e-10, atol=1e-12 * scale)
        found.append([np.asarray(array).tobytes() for array in (*values, *dxs)])
    assert found[0] == found[1]
    seen["graphs"] += 1
    seen["bricks"] += len(calls)
    seen["most read"] = max(seen["most read"], max(Counter(k for _, i, j in calls for k in {i, j}).values()))


@settings(max_examples=max(N // 20, 5), deadline=None, suppress_health_check=list(HealthCheck))
@given(st.integers(0, 2**32 - 1), st.integers(1, 12))
def test_random_graph_passes_the_gradient_checker(seed, n_calls):
    rng = np.random.default_rng(seed)
    spec = draw_spec(rng, n_calls, 8)
    shapes, calls, known = spec
    xs, made, _ = in_brickgrad(spec, range(len(calls)))
    read = {k for _, i, j in calls for k in (i, j)}
    graph = bg.Graph(xs, [made[k] for k in range(len(known)) if k not in read])
    bg.gradcheck(graph, *(rng.normal(size=shape) for shape in shapes), rng=seed).raise_if_bad()
