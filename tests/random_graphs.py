"""Random wirings, to be built of bricks and written on a tape: fan-out, sharing, nesting, broadcasting."""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
from reverse_reference import Tape

import brickgrad as bg

SHAPES = [(), (3,), (2, 1), (2, 3)]
JOINS = {"add": bg.Add, "sub": bg.Sub, "mul": bg.Mul}
FLAT = ("affine", "other", "split")  # what takes (2, 3) alone
HIGHEST = 6  # degree: products of products of products overflow


@dataclass
class Wiring:
    """A graph on paper. Values are numbered: the inputs, then what each call gives.

    A call is an operation, the numbers it reads, and for a graph inside its own Wiring. `degrees` are those of the
    values as polynomials in the inputs.
    """

    shapes: list
    calls: list = field(default_factory=list)
    known: list = field(default_factory=list)
    degrees: list = field(default_factory=list)
    outputs: list = field(default_factory=list)

    @property
    def nodes(self):
        """How many inputs and bricks there are, a graph inside counted as one."""
        return len(self.shapes) + len(self.calls)

    @property
    def reads(self):
        """How often each value is read."""
        return Counter(k for _, read, _ in self.calls for k in read)

    def walk(self):
        """Itself and the wirings of all graphs inside, each use once."""
        yield self
        for _, _, inner in self.calls:
            if inner is not None:
                yield from inner.walk()


def draw(rng, n_nodes, fan_out, shapes=None, depth=2, pool=None):
    """A wiring of so many nodes, none of which is read more than `fan_out` times; hubs are read that often.

    Graphs inside go `depth` deep. They stand in `pool`, from where one may be put into another place.
    """
    if shapes is None:
        shapes = [SHAPES[rng.integers(4)] for _ in range(rng.integers(0, min(4, n_nodes - 1)))] + [(2, 3)]
    wiring = Wiring(shapes, known=list(shapes), degrees=[1] * len(shapes))
    pool = [] if pool is None else pool
    reads = Counter()

    def pick(wanted=None):
        fitting = [k for k, shape in enumerate(wiring.known) if wanted in (None, shape) and reads[k] < fan_out]
        hubs = [k for k in fitting if reads[k] > 1]
        if not fitting:
            return None
        chosen = int(rng.choice(hubs if hubs and rng.random() < 0.5 else fitting))
        reads[chosen] += 1
        return chosen

    def join(operation, *read, inner=None):
        wiring.calls.append((operation, read, inner))
        degree = max(wiring.degrees[k] for k in read)
        if inner is not None:
            wiring.known += [inner.known[k] for k in inner.outputs]
            wiring.degrees += [degree * max(inner.degrees)] * len(inner.outputs)
        elif operation == "split":
            wiring.known += [(2, 1)] * 3
            wiring.degrees += [degree] * 3
        else:
            wiring.known.append(np.broadcast_shapes(*(wiring.known[k] for k in read)))
            multiplied = sum(wiring.degrees[k] for k in read)
            wiring.degrees.append({"tanh": 1, "mul": multiplied}.get(operation, degree))

    def nest():
        again = [inner for inner in pool if rng.random() < 0.5]
        wanted = again[-1].shapes if again else [None] * int(rng.integers(1, 3))
        read = [pick(shape) for shape in wanted]
        if None in read:
            reads.subtract([k for k in read if k is not None])
            return False
        given = [wiring.known[k] for k in read]
        n_inner = len(given) + int(rng.integers(1, 6))
        inner = again[-1] if again else draw(rng, n_inner, fan_out, given, depth - 1, pool)
        if max(inner.degrees) * max(wiring.degrees[k] for k in read) > HIGHEST:
            reads.subtract(read)
            return False
        pool.extend([] if again else [inner])
        join("graph", *read, inner=inner)
        return True

    while wiring.nodes < n_nodes:
        operation = str(rng.choice([*JOINS, *FLAT, "tanh", "graph"]))
        if operation == "graph" and depth and nest():
            continue
        i = pick((2, 3)) if operation in FLAT else None
        if i is not None:
            join(operation, i)
            continue
        i = pick()  # there always is one: what was made last is not read yet
        j = pick() if operation in JOINS else None
        if j is None:
            join("tanh", i)
        else:
            high = wiring.degrees[i] + wiring.degrees[j] > HIGHEST
            join("add" if operation == "mul" and high else operation, i, j)
    ends = [k for k in range(len(wiring.known)) if not reads[k]]
    wiring.outputs = ends + [int(k) for k in rng.choice(len(wiring.known), rng.integers(0, 3))]
    return wiring


def layers():
    """Bricks with parameters, each of which stands at many nodes, in graphs inside as well."""
    return {name: bg.Affine(3, 3, rng=seed, dtype=np.float64) for seed, name in enumerate(("affine", "other"))}


def on_tape(wiring, inputs, params):
    """A tape, the numbers of all values on it, and those of the parameters."""
    tape = Tape()
    own = {name: tape.new(value) for name, value in params.items()}
    return tape, _write(tape, wiring, [tape.new(x) for x in inputs], own), own


def _write(tape, wiring, nodes, own):
    """Write a wiring on the tape behind its inputs; the numbers of all its values."""
    for operation, read, inner in wiring.calls:
        given = [nodes[k] for k in read]
        if inner is not None:
            inside = _write(tape, inner, given, own)
            nodes = nodes + [inside[k] for k in inner.outputs]
        elif operation == "split":
            nodes = nodes + tape.columns(*given)
        elif operation in FLAT:
            nodes = [*nodes, tape.affine(*given, own[f"{operation}.W"], own[f"{operation}.b"])]
        else:
            nodes = [*nodes, getattr(tape, operation)(*given)]
    return nodes


def in_brickgrad(wiring, bricks, rng=None, keep=True, graphs=None):
    """The same of bricks; with `rng` they are made in another order, which only respects what each one needs."""
    graphs = {} if graphs is None else graphs
    xs = [bg.Input(f"x{k}") for k in range(len(wiring.shapes))]
    nodes, firsts, count = dict(enumerate(xs)), [], len(xs)
    for operation, _, inner in wiring.calls:
        firsts.append(count)
        count += 3 if operation == "split" else 1 if inner is None else len(inner.outputs)
    todo = list(range(len(wiring.calls)) if rng is None else rng.permutation(len(wiring.calls)))
    while todo:
        k = next(k for k in todo if all(read in nodes for read in wiring.calls[k][1]))
        todo.remove(k)
        operation, read, inner = wiring.calls[k]
        if inner is not None and id(inner) not in graphs:
            graphs[id(inner)] = in_brickgrad(inner, bricks, rng, keep, graphs)
        makers = {**JOINS, "tanh": bg.Tanh, "split": lambda: bg.Split(3)}
        brick = graphs[id(inner)] if inner is not None else bricks.get(operation) or makers[operation]()
        given = brick(*(nodes[k] for k in read))
        nodes |= enumerate(given if isinstance(given, tuple) else (given,), firsts[k])
    return bg.Graph(xs, [nodes[k] for k in wiring.outputs], keep=keep)
