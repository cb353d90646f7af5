"""What is checked, behind one face: a private float64 copy of a layer, a graph, a net or any object with backward."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from brickgrad.layers import Array, Layer, Memory

from .randomness import Dice
from .results import several


@dataclass
class Block:
    """A float array that forward depends on: a parameter or an input. Moved in place, and put back."""

    name: str
    is_input: bool
    array: Array


class Subject:
    """A copy of what is checked, with its inputs; runs forward and backward on it and counts the runs.

    Values go in and out as one flat vector: all float outputs side by side, in float64. `blocks` are the parameters and
    then the float inputs; `backward` gives a gradient for each, None where there is none to give.
    """

    title: str
    names: tuple[str, ...] = ()  # of the inputs
    freezes = False  # whether forward can replay the branches of its last run

    def __init__(self, inputs: Sequence[Array]) -> None:
        self.inputs = list(inputs)
        self.blocks: list[Block] = []
        self.shapes: list[tuple[int, ...]] = []
        self.forwards = 0
        self.last_weights = np.zeros(0)
        self.away = False  # whether the last forward ran at a moved block: what it saved is not of x
        self.astray = False  # whether the branches are of a moved block too
        self.replaced: set[str] = set()  # parameters that a run has put other arrays in place of
        self.dice = Dice([])

    def forward(self, *, frozen: bool = False) -> Array:
        """Run forward on the inputs as they are now; return the outputs as one vector."""
        self.away, self.astray = False, self.astray and frozen
        outputs = self.raw_forward(frozen=frozen)
        self.shapes = [np.shape(y) for y in outputs]
        flat = [np.ravel(np.asarray(y, np.float64)) for y in outputs]
        return flat[0].copy() if len(flat) == 1 else np.concatenate(flat)

    def raw_forward(self, *, frozen: bool = False) -> tuple[Any, ...]:
        """Run forward; return the outputs themselves."""
        self.forwards += 1
        self.dice.replay()
        with np.errstate(all="ignore"):
            if frozen and self.freezes:
                with self.frozen():
                    return several(self.run(self.views()))
            return several(self.run(self.views()))

    def backward(self, weights: Array, *, writeable: bool = True) -> list[Array | None]:
        """Run backward on `weights`, laid out as forward's vector; return copies of the gradients, one for each block.

        They come as backward gives them, whatever their shape and dtype: judging that is the caller's.
        """
        self.last_weights = weights
        d_outputs = self.split(weights)
        for dy in d_outputs:
            if isinstance(dy, np.ndarray):
                dy.flags.writeable = writeable
        return [None if g is None else np.array(g) for g in self.raw_backward(d_outputs)]

    def return_to_x(self) -> None:
        """Run the real forward again if the last one was of a moved block, so that backward and replays are of x."""
        if self.away:
            self.forward()

    def raw_backward(self, d_outputs: Sequence[Any]) -> list[Any]:
        """Run backward; return the gradients themselves, one for each block."""
        self.return_to_x()
        with np.errstate(all="ignore"):
            d_inputs = several(self.run_back(d_outputs))
        self.put_back()
        if len(d_inputs) > len(self.inputs):
            raise TypeError(f"backward gives {len(d_inputs)} gradients for {len(self.inputs)} inputs")
        if len(d_inputs) < len(self.inputs):  # many a loss gives one gradient for its scores, and none for the targets
            d_inputs = (*d_inputs, *[None] * (len(self.inputs) - len(d_inputs)))
        gradients = self.param_gradients()
        by_name = dict(zip((id(x) for x in self.inputs), d_inputs, strict=False))
        return [by_name.get(id(block.array)) if block.is_input else gradients.get(block.name) for block in self.blocks]

    def split(self, weights: Array) -> list[Any]:
        """A flat vector as arrays of the outputs' shapes; single values as NumPy's scalars."""
        parts, start = [], 0
        for shape in self.shapes:
            size = int(np.prod(shape))
            part = weights[start : start + size].reshape(shape)
            parts.append(part.copy() if shape else part[()])
            start += size
        return parts

    def views(self) -> list[Array]:
        """The inputs as they are handed to forward: what is done to a view's shape does not reach the next run."""
        return [x.view() for x in self.inputs]

    def add_input_blocks(self, exempt: Sequence[int] = ()) -> None:
        """Make a block of each float input that is not exempt."""
        for index, x in enumerate(self.inputs):
            if x.dtype.kind == "f" and index not in exempt:
                self.blocks.append(Block(self.input_name(index), True, x))

    def input_name(self, index: int) -> str:
        """The name of an input."""
        return self.names[index] if index < len(self.names) else f"input {index}"

    def branches(self) -> bool:
        """Whether the last forward chose any branches."""
        return False

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Replay the branches of the last forward."""
        yield

    @contextlib.contextmanager
    def read_only(self) -> Iterator[None]:
        """Let nothing be written to the inputs and the parameters."""
        arrays = [*self.inputs, *(block.array for block in self.blocks)]
        before = [array.flags.writeable for array in arrays]
        for array in arrays:
            array.flags.writeable = False
        try:
            yield
        finally:
            for array, writeable in zip(arrays, before, strict=True):
                array.flags.writeable = writeable

    def unchecked(self) -> list[str]:
        """What forward depends on and has no gradient, by name."""
        return []

    def put_back(self) -> None:
        """Undo what a run has done to where the parameters stand; note it in `replaced`."""

    def run(self, inputs: list[Array]) -> Any:
        """Call forward."""
        raise NotImplementedError

    def run_back(self, d_outputs: Sequence[Any]) -> Any:
        """Call backward."""
        raise NotImplementedError

    def param_gradients(self) -> dict[str, Any]:
        """The parameters' gradients after backward, by name."""
        raise NotImplementedError


class LayerSubject(Subject):
    """A layer or a graph."""

    freezes = True

    def __init__(self, layer: Layer, inputs: Sequence[Array], title: str | None = None) -> None:
        super().__init__(inputs)
        self.layer = layer.replica(np.float64)
        self.title = title or layer.title
        self.names = self.layer.input_names
        self.dice = Dice(self.layer.leaves())
        if not self.layer.sized:
            self.layer.forward(*self.views())
            self.dice = Dice(self.layer.leaves())
        self.blocks = [Block(name, False, param) for name, param in self.layer.params.items()]
        self.add_input_blocks()

    def run(self, inputs: list[Array]) -> Any:
        """Call forward."""
        return self.layer.forward(*inputs)

    def run_back(self, d_outputs: Sequence[Any]) -> Any:
        """Call backward."""
        return self.layer.backward(*d_outputs)

    def branches(self) -> bool:
        """Whether the layer, or one in the graph, chose any branches."""
        return _branches(self.layer.memory)

    def param_gradients(self) -> dict[str, Any]:
        """The layer's grads."""
        return dict(self.layer.grads)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Replay the branches of the last forward."""
        with self.layer.frozen():
            yield


class NetSubject(Subject):
    """A net: its loss, any penalty on the parameters included, as a function of the parameters."""

    freezes = True

    def __init__(self, net: Any, inputs: Sequence[Array]) -> None:
        super().__init__(inputs)
        self.net = net.replica(np.float64)
        self.title = net.title
        self.names = ("x", "t")
        self.dice = Dice(self.net.graph.leaves())
        if not self.net.graph.sized:
            self.net.graph.forward(*self.views())
            self.dice = Dice(self.net.graph.leaves())
        self.blocks = [Block(name, False, param) for name, param in self.net.params.items()]

    def run(self, inputs: list[Array]) -> Any:
        """Take the loss."""
        return self.net.loss(*inputs)

    def run_back(self, d_outputs: Sequence[Any]) -> Any:
        """Take the gradient: a net gives that of its loss, for an upstream gradient of 1, so it is scaled."""
        with self.frozen():
            self.net.loss_and_gradient(*self.views())
        self._scale = float(d_outputs[0])
        return ()

    def branches(self) -> bool:
        """Whether a layer of the net chose any branches."""
        return _branches(self.net.graph.memory)

    def param_gradients(self) -> dict[str, Any]:
        """The net's grads."""
        return {name: self._scale * gradient for name, gradient in self.net.grads.items()}

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Replay the branches of the last forward."""
        with self.net.graph.frozen():
            yield


def _branches(memory: Memory) -> bool:
    """Whether a memory, or one of those that a graph's run keeps, holds branches."""
    inner = getattr(memory.saved, "memories", ())
    return memory.branch is not None or any(_branches(held) for held in inner)
