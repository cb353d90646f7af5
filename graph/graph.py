"""Graph: layers joined into one, which is itself a layer."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import functools
from collections.abc import Iterator, Sequence
from typing import Any, Self

import numpy as np

from brickgrad.layers import Array, ArrayDict, Layer, Memory
from brickgrad.layers.base import without_clocks
from brickgrad.layers.scalars import is_number

from .again import Again, once_more
from .cut import cut
from .inside import find_place
from .node import Input, Node
from .nonfinite import where_not_finite
from .run import Kept, Plan, Run, SharedTotals, Sums
from .shapes import check_shapes, infer_shapes, unsized_again_after_errors
from .spare import has_own_way, spare_gradients, spare_values
from .summary import table
from .turns import Proven, say_where
from .wiring import Step, wire


class Graph(Layer):
    """Layers joined by their nodes, run in order forward and backward. It is a layer, so graphs nest.

    Gradients that reach a node from several layers are summed; so are those of a layer that stands at several nodes.
    The wiring is checked when the graph is built; so are the shapes, as far as the inputs' are given.

    Parameters
        inputs : Input, or a list of them.
        outputs : node, or a list of them: then forward gives a tuple.
        keep : bool, default True. Whether every edge's value and gradient is kept for `value` and `grad`.
        allow_unused : bool, default False. Whether values that are made of this graph's may be read by nothing.
        name : str, optional.
    Errors       ValueError: an input is missing, stands twice or reaches no output, a circle, a name twice, a value
                 that nothing reads, shapes that do not fit: each with the names, the places and the graph around it
    Example
        >>> import brickgrad as bg
        >>> apple, count, tax = bg.Input("apple"), bg.Input("count"), bg.Input("tax")
        >>> total = apple * count
        >>> g = bg.Graph([apple, count, tax], total * tax)
        >>> print(round(g.forward(100.0, 2.0, 1.1), 10))
        220.0
        >>> print(*g.backward(1.0), g.grad(total))
        2.2 110.00000000000001 200.0 1.1
    """

    may_give_none = True  # where all layers that take an input give it none, as a loss does for its targets

    def __init__(
        self,
        inputs: Input | Sequence[Input],
        outputs: Node | Sequence[Node],
        *,
        keep: bool = True,
        allow_unused: bool = False,
        name: str | None = None,
    ) -> None:
        super().__init__(name)
        self._many = isinstance(outputs, list | tuple)
        self.inputs = tuple(inputs) if isinstance(inputs, list | tuple) else (inputs,)
        self.outputs = tuple(outputs) if isinstance(outputs, list | tuple) else (outputs,)
        self.keep = keep
        self.n_outputs = len(self.outputs)
        self.wiring = wire(self.title, self.inputs, self.outputs, allow_unused)
        self.input_names = tuple(x.name for x in self.inputs)
        self.arity = (len(self.inputs), len(self.inputs))
        self.integer_inputs = tuple(x.name for x in self.inputs if x.takes_integers)
        self._plans: dict[Any, Plan] = {}
        self._proven = Proven(self.wiring.steps)
        self.spare_values, self.spare_gradients = spare_values(self.wiring), spare_gradients(self.wiring)
        self._again: Again | None = None  # for predictions
        _ = self.shapes  # what does not fit shows here
        self._was_sized = self.sized

    @functools.cached_property
    def shapes(self) -> list[tuple[int, ...] | None]:
        """The shape of each value for a batch of no samples; None where it is not known. Finding them sizes layers."""
        with unsized_again_after_errors(self):
            return infer_shapes(self.title, self.wiring, self.inputs)

    def forward(self, *inputs: Array) -> Any:
        """Run the layers in order; return the output, or a tuple of them."""
        specs = tuple([(x.shape, x.dtype) for x in inputs])
        proven = self._proven.find(specs)
        if proven is None:
            check_shapes(self.title, self.inputs, inputs)
        values = self._first_values(inputs)
        run = Run(self._memories())
        last: Run | None = self.memory.saved
        if last is not None:
            last.overwritten = last.memories is run.memories
        if self._was_sized:
            self._run_steps(run.memories, values, proven)
        else:
            with unsized_again_after_errors(self):
                self._run_steps(run.memories, values, proven)
            self._was_sized = True
        if proven is None:
            self._proven.add(specs, run.memories)
        if self.keep:
            run.values = values
        self.saved = run
        return self._results(values)

    def forward_again(self, *inputs: Any) -> Any:
        """What `forward` gives, with nothing left behind for a backward: quicker, where all layers ran on such inputs.

        None where they did not, or where one is no brick of this package, whose guards no run may leave out.
        """
        again = self._again
        if again is None or not again.serves(inputs):
            if any(type(x) is not np.ndarray for x in inputs):
                return None
            specs = tuple([(x.shape, x.dtype) for x in inputs])
            proven = self._proven.find(specs)
            if proven is None or False in proven:
                return None
            again = self._again = Again(self, specs, proven)
            if not again.serves(inputs):
                return None
        return None if self._frozen or self.keep else self._results(again.forward(inputs))

    def forward_and_backward(self, *inputs: Any, dy: float = 1.0) -> Any:
        """`forward`, and `backward(dy)` of the one number that it gives, which is returned.

        In a workspace all but the first of such runs on inputs of one kind are quicker than the two calls.
        """
        if not is_number(dy):
            raise TypeError(
                f"{self.title}.forward_and_backward: dy must be a number; got {type(dy).__name__} {dy!r:.60}."
            )
        arrays = self.memory.arrays
        again = None if arrays is None else arrays.pop("again", None)  # not put back after an error
        if again is not None and again.serves(inputs) and not (self.keep or self._frozen or has_own_way(self)):
            result = again.forward_and_backward(inputs, self.memory.saved, dy)
        else:
            result = self.forward(*inputs)
            if dy == 1.0:  # then an error says that the output is no number, where it is none
                self.backward()
            else:
                self.backward(np.asarray(dy))
            again = once_more(self, inputs)
        if arrays is not None:
            arrays["again"] = again
        return result

    def _overwrites(self) -> bool:
        """Whether layers may write over what is spare: not where somebody looks at the values, now or later."""
        return not self.keep and not any(has_own_way(step.layer) for step in self.wiring.steps)

    def _first_values(self, inputs: Sequence[Array]) -> list[Any]:
        """What there is before any layer ran: the inputs and the constants, each in its slot."""
        values = self.wiring.first_values()
        for slot, x in zip(self.wiring.inputs, inputs, strict=True):
            values[slot] = x
        return values

    def _results(self, values: list[Any]) -> Any:
        """The outputs; an input that is an output too, as a copy."""
        inputs, outputs = self.wiring.inputs, self.wiring.outputs
        if not self._many and outputs[0] not in inputs:
            return values[outputs[0]]
        results = tuple([values[s].copy() if s in inputs else values[s] for s in outputs])
        return results if self._many else results[0]

    def _run_steps(self, memories: list[Memory], values: list[Any], proven: list[bool] | None) -> None:
        """Run every layer's forward on the values that it reads, and put those that it gives beside them."""
        steps = self.wiring.steps
        all_guarded, overwrites = [False] * len(steps), self._overwrites()
        for step, memory, unguarded, spare in zip(
            steps, memories, proven or all_guarded, self.spare_values, strict=True
        ):
            layer, reads = step.layer, step.reads
            memory.running = unguarded  # then the guards stand aside
            memory.may_overwrite = spare and overwrites
            own, layer.memory = layer.memory, memory
            try:  # one input and one output, as most layers have, are written out: a turn costs half as much
                result = (
                    layer.forward(values[reads[0]])
                    if len(reads) == 1
                    else layer.forward(*[values[slot] for slot in reads])
                )
            except Exception as error:
                say_where(error, self.title, step)
                raise
            finally:
                layer.memory = own
            if type(result) is not tuple:
                values[step.writes[0]] = result
                if unguarded:
                    memory.outputs = [(result.shape, result.dtype)]
            else:
                for slot, value in zip(step.writes, result, strict=True):
                    values[slot] = value
                if unguarded:
                    memory.outputs = [(y.shape, y.dtype) for y in result]
            if not self.keep:
                for slot in step.last_reads:
                    values[slot] = None

    def backward(self, *d_outputs: Array) -> Any:
        """Run the layers' backward in reverse order; return the inputs' gradients and fill the layers' `grads`."""
        run = self._last_run()
        plan = self._plan(self.memory.wanted)
        grads = Sums(self.wiring.n_slots)
        for slot, dy in zip(self.wiring.outputs, d_outputs, strict=True):
            if dy.dtype.kind == "f":
                grads.add(slot, dy.copy())
        totals = SharedTotals()
        kept = Kept(len(self.wiring.steps)) if self.keep else None
        overwrites = self._overwrites()
        for index, step, wanted in plan.turns:
            run.memories[index].may_overwrite = self.spare_gradients[index] and overwrites
            handed = self._step_back(step, run.memories[index], grads, wanted)
            if kept is not None:
                kept.add(index, step.layer, handed)
            if step.shared:
                totals.add(step.layer)
        totals.write()
        run.keep(kept, grads)
        results = tuple([grads.sums[slot] if plan.needed[slot] else None for slot in self.wiring.inputs])
        return results if len(results) > 1 else results[0]

    def _step_back(self, step: Step, memory: Memory, grads: Sums, wanted: tuple[bool, ...]) -> tuple[Any, ...]:
        """One layer's backward: take the gradients of what it wrote, hand on those of what it read, and return them."""
        assert memory.outputs is not None
        layer, sums, writes = step.layer, grads.sums, step.writes
        dys = [sums[writes[0]]] if len(writes) == 1 else [sums[slot] for slot in writes]
        for place, slot in enumerate(writes):
            if dys[place] is None:  # an output that nothing reads
                dys[place] = np.zeros(*memory.outputs[place])
            if not self.keep:
                sums[slot] = None
        memory.wanted = wanted
        own, layer.memory = layer.memory, memory
        try:
            result = layer.backward(*dys)
        except Exception as error:
            say_where(error, self.title, step)
            raise
        finally:
            layer.memory = own
        handed: tuple[Any, ...] = result if type(result) is tuple else (result,)
        if not all(wanted):
            handed = tuple([dx if want else None for dx, want in zip(handed, wanted, strict=True)])
        for slot, dx in zip(step.reads, handed, strict=True):
            if dx is not None:
                grads.add(slot, dx)
        return handed

    def _last_run(self) -> Run:
        run: Run = self.saved
        if run.overwritten:
            raise RuntimeError(
                f"{self.title}: there is nothing to go back from: the last forward failed half-way, in a workspace or "
                "frozen, and what was there before it is overwritten. Call forward again."
            )
        return run

    def _memories(self) -> list[Memory]:
        """A memory for each step: new, or those of the last run when frozen, or those of an active workspace."""
        arrays = self.memory.arrays
        if arrays is not None:
            arrays.pop("again", None)
        if self._frozen:
            run: Run = self.saved
            return run.memories
        if arrays is None:
            return [Memory() for _ in self.wiring.steps]
        memories: list[Memory] = arrays.setdefault("memories", [])
        if not memories:
            memories.extend(Memory(arrays={}) for _ in self.wiring.steps)
        return memories

    def _plan(self, wanted: tuple[bool, ...] | None) -> Plan:
        """The way back for a caller who wants these inputs' gradients."""
        key = wanted, *[x.grad for x in self.inputs]
        if key not in self._plans:
            needed = [False] * self.wiring.n_slots
            for index, slot in enumerate(self.wiring.inputs):
                needed[slot] = self.wants(index)
            self._plans[key] = Plan.make(self.wiring.steps, needed)
        return self._plans[key]

    def wants(self, index: int) -> bool:
        """Whether the gradient of input `index` is needed: not if its Input says so."""
        return self.inputs[index].grad and super().wants(index)

    def value(self, node: Node) -> Any:
        """The value of a node of this graph, or of one inside, in the last forward."""
        graph, run, slot = self._place(node, "value")
        if run.values is None:
            raise RuntimeError(f"{graph.title}.value: this graph keeps no values; build it with keep=True.")
        return run.values[slot]

    def grad(self, node: Node) -> Any:
        """The gradient of a node in the last backward, summed over all layers that use it; None if none is needed."""
        graph, run, slot = self._place(node, "grad")
        if not graph.keep:
            raise RuntimeError(f"{graph.title}.grad: this graph keeps no gradients; build it with keep=True.")
        if run.grads is None:
            raise RuntimeError(f"{graph.title}.grad: there are no gradients yet. Call backward first.")
        return run.grads[slot]

    def _place(self, node: Node, what: str) -> tuple[Graph, Run, int]:
        graph, run, slot = find_place(self, self._last_run(), node, what)
        assert run is not None
        return graph, run, slot

    def subgraph(self, inputs: Node | str | Sequence[Node | str], outputs: Node | str | Sequence[Node | str]) -> Graph:
        """A part of this graph as a graph of its own, on the same layers, so that both share all parameters.

        Inputs may be any values in the graph: what leads to them is left out. Layers keep their names.

        Parameters
            inputs, outputs : nodes of this graph, or names of its inputs and layers, one or a list of them.
        Errors       ValueError: no such node or name; an input that is needed and was not given, or reaches no output
        Example
            >>> import brickgrad as bg
            >>> x = bg.Input("x", (4,))
            >>> code = bg.Affine(4, 2, name="encoder", rng=0)(x)
            >>> whole = bg.Graph(x, bg.Affine(2, 4, name="decoder", rng=1)(code))
            >>> decoder = whole.subgraph("encoder", "decoder")
            >>> decoder.forward(np.zeros((1, 2))).shape, list(decoder.params)
            ((1, 4), ['decoder.W', 'decoder.b'])
        """
        return cut(self, inputs, outputs)

    def to_dict(self) -> dict[str, Any]:
        """Its layers and how they are joined, as values that JSON can hold; no weights. See docs/files.md.

        Not in it: parameters and running statistics, gradients, generators, and whether it is in training mode.

        Errors       TypeError: a layer of a class that is not registered (see `register_layer`), a function as `init`.
                     ValueError: too large to be read again, a name that cannot be printed
        """
        from .describe import graph_to_dict

        return graph_to_dict(self)

    @staticmethod
    def from_dict(description: Any, *, rng: Any = None, max_params: int = 2**27) -> Graph:
        """A new graph from what `to_dict` gave, with new weights; the description need not be trusted.

        Nothing in it is imported or run. Shapes are found when first asked for, or when the graph first runs.

        Parameters
            description : dict, of layers of the package and those given to `register_layer`.
            rng : numpy.random.Generator or seed, for all layers: their first values and their masks.
            max_params : int, default 2**27. How many numbers the parameters may have in all.
        Errors       ValueError: anything in it that is not as it must be; it says where, what it must be, what it is
        Example
            >>> import json, brickgrad as bg
            >>> x = bg.Input("x", (4,))
            >>> text = json.dumps(bg.Graph(x, bg.Affine(2, name="head")(x) * 2).to_dict())
            >>> bg.Graph.from_dict(json.loads(text), rng=0).forward(np.ones((1, 4))).shape
            (1, 2)
        """
        from .describe import graph_from_dict

        return graph_from_dict(description, rng, max_params)

    def summary(self, batch: int = 1) -> str:
        """A table of the layers: name, kind, output, parameters, multiply-adds and bytes of the outputs for a batch.

        Multiply-adds are those of matrix products and convolutions in one forward; what goes entry by entry counts
        none. Shapes that are not known before a run are "?", and count for nothing in the totals. Layers that stand at
        several places have their parameters counted once.
        """
        return table(self.title, self, batch)

    def draw(
        self,
        path: Any,
        *,
        values: bool = True,
        grads: bool = True,
        nested: bool = True,
        to_right: bool | None = None,
    ) -> None:
        """Draw the graph to a file: .svg, .png (with matplotlib), or .html, a page to step through it.

        Above each edge (or left of it) stands its value in the last forward, below it (or right of it) its gradient in
        the last backward; where an edge goes on to several layers, its gradient is the sum of what they hand back.

        Parameters
            path : str or path. Its suffix says the kind. The file is written whole or not at all.
            values, grads : bool, default True. Whether to show them; a page to step through shows both.
            nested : bool, default True. Whether graphs in this graph are drawn open.
            to_right : bool, optional. Edges run to the right, or down the page; by default as it fits a page.
        Errors       ValueError: another suffix. ImportError: a PNG without matplotlib.
        """
        from brickgrad.drawing.draw import draw

        draw(self, path, values, grads, nested, to_right)

    def explain(self, node: Node, latex: bool = False) -> str:
        """The chain rule for one edge, with the numbers of the last run: where its value and its gradient come from.

        With `latex` the formulas are LaTeX's mathematics.

        >>> import brickgrad as bg
        >>> apple, count, tax = bg.Input("apple"), bg.Input("count"), bg.Input("tax")
        >>> total = apple * count
        >>> g = bg.Graph([apple, count, tax], total * tax)
        >>> value, gradients = g.forward(100.0, 2.0, 1.1), g.backward(1.0)
        >>> print(g.explain(total).split("chain rule: ")[1])
        ∂L/∂mul1 = ∂L/∂mul2 · ∂mul2/∂mul1 = 1 · 1.1 = 1.1
        """
        from brickgrad.drawing.explain import explain

        return explain(*find_place(self, self.memory.saved, node, "explain"), node, latex)

    def _repr_html_(self) -> str:
        from brickgrad.drawing.draw import inline

        return inline(self)

    @property
    def params(self) -> ArrayDict:
        """The parameters of all layers, as `layer.parameter`; writing to an entry writes into the layer."""
        return ArrayDict.gather(self, "params", {name: leaf.params[key] for name, leaf, key in self._named()})

    @params.setter
    def params(self, arrays: dict[str, Array]) -> None:
        for name, value in arrays.items():
            self.params[name] = value

    @property
    def grads(self) -> ArrayDict:
        """The gradients of all parameters, as `layer.parameter`."""
        named = [(name, leaf.grads, key) for name, leaf, key in self._named()]
        return ArrayDict.gather(self, "grads", {name: grads[key] for name, grads, key in named if key in grads})

    @grads.setter
    def grads(self, arrays: dict[str, Array]) -> None:
        for name, value in arrays.items():
            self.grads[name] = value

    def _named(self) -> Iterator[tuple[str, Layer, str]]:
        """Each parameter once: its name in the graph, its layer and its name there."""
        for name, leaf in self.named_leaves():
            for key in leaf.params:
                yield f"{name}.{key}", leaf, key

    def named_leaves(self) -> Iterator[tuple[str, Layer]]:
        """Each layer once, with its name; those of a graph inside as `inner.layer`."""
        seen: set[int] = set()
        for step in self.wiring.steps:
            inner = step.layer.named_leaves() if isinstance(step.layer, Graph) else [("", step.layer)]
            for name, leaf in inner:
                if id(leaf) not in seen:
                    seen.add(id(leaf))
                    yield f"{step.name}.{name}" if name else step.name, leaf

    def leaves(self) -> list[Layer]:
        """All layers in it that are no graphs, each once."""
        inside = [leaf for step in self.wiring.steps for leaf in step.layer.leaves()]
        return list({id(leaf): leaf for leaf in inside}.values())

    def parts(self) -> list[Layer]:
        """Itself, its layers, and the graphs inside with theirs, each once."""
        inside = {id(part): part for step in self.wiring.steps for part in step.layer.parts()}
        return [self, *inside.values()]

    @property
    def trainable(self) -> bool:
        """Whether all of its layers are; setting it sets them all."""
        return all(leaf.trainable for leaf in self.leaves())

    @trainable.setter
    def trainable(self, value: bool) -> None:
        for leaf in self.leaves():
            leaf.trainable = value

    @property
    def sized(self) -> bool:
        """Whether every layer knows its size."""
        return all(leaf.sized for leaf in self.leaves())

    @contextlib.contextmanager
    def workspace(self) -> Iterator[None]:
        """Use all large arrays again from run to run: faster, but what a run returns is overwritten by the next."""
        before, self.memory = self.memory, Memory(self.memory.wanted, {})
        try:
            yield
        finally:
            self.memory = before

    def find_nonfinite(self, *inputs: Any) -> str | None:
        """Where a NaN or an infinity first shows when the graph runs on `inputs`; None where it does not.

        >>> from brickgrad import Graph, Input, Log
        >>> x = Input("x")
        >>> Graph(x, Log(name="first")(x)).find_nonfinite(np.array([1.0, 0.0])).split(" (")[0]
        'the output of Log[first]'
        """
        twin = self.replica()
        twin.keep = True
        with np.errstate(all="ignore"):
            twin.forward(*inputs)
        return where_not_finite(self.wiring, twin.saved.values)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self._twin(None, memo, share=False)

    def _twin(self, dtype: Any, memo: dict[int, Any], share: bool) -> Self:
        """A replica on replicas of its layers; a layer that stands at two nodes has one."""
        if id(self) in memo:
            known: Self = memo[id(self)]
            return known
        twin = memo[id(self)] = copy.copy(self)
        without_clocks(twin)
        twin.memory, twin._plans = Memory(), {}
        twin.wiring = copy.copy(self.wiring)
        if dtype is not None:
            twin.wiring.constants = {slot: _as_dtype(value, dtype) for slot, value in self.wiring.constants.items()}
        twin.wiring.steps = [
            dataclasses.replace(step, layer=step.layer._twin(dtype, memo, share)) for step in self.wiring.steps
        ]
        twin._proven, twin._again = Proven(twin.wiring.steps), None
        return twin


def _as_dtype(constant: Any, dtype: Any) -> Any:
    """A constant in another precision, if it is an array of floats."""
    return constant.astype(dtype) if isinstance(constant, np.ndarray) and constant.dtype.kind == "f" else constant
