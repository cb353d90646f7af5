"""Layer: the contract of a brick, and what the base class does so that a brick stays short.

A layer computes `y = forward(x)`, keeps in `self.saved` what it needs to go back, and computes `dx = backward(dy)`,
filling `self.grads` on the way. Nothing else is asked of it: see docs/architecture.md for the rules.
"""

from __future__ import annotations

import contextlib
import copy
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Literal, Self, TypeVar

import numpy as np

from .guard import guard_backward, guard_forward, read_signature
from .memory import Array, ArrayDict, Memory

T = TypeVar("T")


class Layer:
    """The base of all bricks: subclass it and write `forward` and `backward`.

    Parameters
        name : str, optional. Shown in errors; names the parameters in a graph (`enc.W`).
    Attributes
        params, grads : dict of arrays by name. The parameters, and their gradients after `backward`.
        training : bool. Whether the layer is being trained, for layers to which that makes a difference.
        trainable : bool, True at first. Whether a trainer moves its parameters; False freezes them. They have gradients
            either way.
        saved : what `forward` keeps for `backward`. Reading it before a forward raises RuntimeError.
        integer_inputs : names of the inputs that may be integers (labels, indices) and then have no gradient.
        n_outputs : how many arrays `forward` returns.
        may_give_none : whether `backward` may return None for the gradient of a float input.
        vetted : whether it is a brick of this package, and no subclass of one: a graph may leave its guards out.
        sample_wise : whether what comes out for a sample, and goes back to it, depends on no other one of a batch; of
            a loss, whether it is the mean over the samples. Where all layers are, a net may cut a batch up. A subclass
            with a forward or backward of its own must say so again.
        sums_over_shards : whether all that it takes of other samples are sums, made by `sum_over_shards`. Then
            a batch may be cut up as well, and it sees the whole of it. Of a subclass, as sample_wise.
        hands_over : of "y" and "dx", what forward and backward return as arrays of the layer's own that it never reads
            again. The layer that gets one may write over it. Of a subclass, as sample_wise.
        kept : names of the attributes, besides parameters, that training changes and that belong to the layer, such as
            running statistics.
    Example
        >>> class Square(Layer):
        ...     def forward(self, x):
        ...         self.saved = x
        ...         return x * x
        ...     def backward(self, dy):
        ...         return dy * 2 * self.saved
        >>> square = Square()
        >>> square.forward(np.array([1.0, 3.0])), square.backward(np.array([1.0, 1.0]))
        (array([1., 9.]), array([2., 6.]))
    """

    integer_inputs: tuple[str, ...] = ()
    n_outputs: int = 1
    may_give_none: bool = False
    kept: tuple[str, ...] = ()
    trainable: bool = True
    vetted: bool = False
    sample_wise: bool = False
    sums_over_shards: bool = False
    hands_over: tuple[str, ...] = ()
    input_names: tuple[str, ...] = ()
    arity: tuple[int, int] = (0, 0)
    name: str | None
    memory: Memory
    training: bool
    _frozen: bool
    _all_reduce: Callable[[Array], Array] | None = None  # set while shards of a batch run side by side
    _params: ArrayDict
    _grads: ArrayDict

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        guarded = hasattr(cls.forward, "is_guard") and hasattr(cls.backward, "is_guard")  # no mixin's that is new here
        if not guarded or {"forward", "backward"} & vars(cls).keys():
            cls.sample_wise = vars(cls).get("sample_wise", False)
            cls.sums_over_shards = vars(cls).get("sums_over_shards", False)
            cls.hands_over = vars(cls).get("hands_over", ())
        cls.vetted = cls.__module__.startswith(__name__.rpartition(".")[0] + ".")
        if not hasattr(cls.forward, "is_guard"):
            cls.input_names, cls.arity = read_signature(cls.forward)
            cls.forward = guard_forward(cls.forward)  # type: ignore[method-assign]  # the guard is the point
        if not hasattr(cls.backward, "is_guard"):
            cls.backward = guard_backward(cls.backward)  # type: ignore[method-assign]  # as above

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Set the attributes up here, so that a layer of yours needs no super().__init__()."""
        self = super().__new__(cls)
        self.name = None
        self.training = True
        self.memory = Memory()
        self._frozen = False
        self._params = ArrayDict(self, "params")
        self._grads = ArrayDict(self, "grads", like=self._params)
        return self

    def __init__(self, name: str | None = None) -> None:
        self.name = name

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the outputs: one array, or a tuple where the layer has several. Keeps `self.saved` for backward."""
        raise TypeError(f"{self.title}.forward: the class {type(self).__name__} defines no forward(self, x).")

    def backward(self, *args: Any, **kwargs: Any) -> Any:
        """Compute one gradient per input from one per output; sets `self.grads`. None for integer inputs."""
        raise TypeError(f"{self.title}.backward: the class {type(self).__name__} defines no backward(self, dy).")

    def __call__(self, *inputs: Any) -> Any:
        """Run the layer on arrays; on the nodes of a graph, join it to them."""
        for x in inputs:
            if hasattr(x, "join_layer"):
                return x.join_layer(self, inputs)
        return self.forward(*inputs)

    @property
    def title(self) -> str:
        """The layer as errors name it: `Affine[hidden]`."""
        return f"{type(self).__name__}[{self.name}]" if self.name else type(self).__name__

    @property
    def params(self) -> ArrayDict:
        """The parameters by name. Assigning to an entry writes into it."""
        return self._params

    @params.setter
    def params(self, arrays: dict[str, Array]) -> None:
        for key, value in arrays.items():
            self._params[key] = value

    @property
    def grads(self) -> ArrayDict:
        """The parameters' gradients by name, of their shapes and dtypes."""
        return self._grads

    @grads.setter
    def grads(self, arrays: dict[str, Array]) -> None:
        for key, value in arrays.items():
            self._grads[key] = value

    def add_param(self, key: str, value: Array) -> None:
        """Make a parameter, and its gradient filled with zeros."""
        self._params[key] = value
        self._grads[key] = np.zeros_like(value)

    @property
    def sized(self) -> bool:
        """Whether all parameters exist; False for a lazily sized layer before its first forward."""
        return True

    @property
    def saved(self) -> Any:
        """What the last forward kept for backward."""
        if self.memory.saved is None:
            raise RuntimeError(f"{self.title}: nothing is saved yet. Call forward first, then backward.")
        return self.memory.saved

    @saved.setter
    def saved(self, value: Any) -> None:
        self.memory.saved = value

    def multiply_adds(self, inputs: Sequence[tuple[int, ...]], outputs: Sequence[tuple[int, ...]]) -> int:
        """How many products, each added to a sum, a forward takes for inputs and outputs of these shapes.

        Only matrix products and convolutions count; 0, the default, is for all that goes entry by entry.
        """
        return 0

    def wants(self, index: int) -> bool:
        """Whether the gradient of input `index` is needed; where it is not, backward may return None for it."""
        wanted = self.memory.wanted
        return wanted is None or wanted[index]

    def buffer(self, name: str, shape: tuple[int, ...], dtype: Any, order: Literal["C", "F"] = "C") -> Array:
        """An uninitialised array for this layer to fill: a new one, unless a workspace is active, which keeps it."""
        arrays = self.memory.arrays
        if arrays is None:
            return np.empty(shape, dtype, order)
        array: Array | None = arrays.get(name)
        if array is None or array.shape != shape or (array.dtype is not dtype and array.dtype != dtype):
            array = arrays[name] = np.empty(shape, dtype, order)
        return array

    def over(self, array: Array, name: str) -> Array:
        """Room for what is made of `array`, entry by entry: the array itself where a graph knows that nobody else reads
        it again, or else a buffer; always that in a subclass of a brick, which may read it after `super().forward`."""
        return array if self.memory.may_overwrite and self.vetted else self.buffer(name, array.shape, array.dtype)

    def sum_over_shards(self, part: Array) -> Array:
        """The sum of an array over all shards of the batch; the array itself where the batch is in one piece."""
        return part if self._all_reduce is None else self._all_reduce(part)

    def fresh(self, array: Array) -> Array:
        """`array`, or a copy that the caller may keep where no workspace is active."""
        return array.copy() if self.memory.arrays is None else array

    def branch(self, choose: Callable[[], T]) -> T:
        """The branches this forward takes (ReLU's mask, say): chosen anew, or those of the last forward when frozen."""
        if not self._frozen:
            self.memory.branch = choose()
        elif self.memory.outputs is None:
            raise RuntimeError(f"{self.title}: it is frozen, but has no forward of its own to replay here.")
        chosen: T = self.memory.branch
        return chosen

    @contextlib.contextmanager
    def frozen(self) -> Iterator[None]:
        """Replay the branches of the last forward, which makes forward smooth: the gradient checker rests on it.

        >>> from brickgrad import ReLU
        >>> relu = ReLU()
        >>> relu.forward(np.array([-1.0, 2.0]))
        array([0., 2.])
        >>> with relu.frozen():
        ...     relu.forward(np.array([3.0, -5.0]))
        array([ 0., -5.])
        """
        if self.memory.outputs is None:
            raise RuntimeError(f"{self.title}.frozen: there are no branches to replay. Call forward first.")
        layers = self.parts()
        before = [layer._frozen for layer in layers]
        for layer in layers:
            layer._frozen = True
        try:
            yield
        finally:
            for layer, was in zip(layers, before, strict=True):
                layer._frozen = was

    def leaves(self) -> list[Layer]:
        """The layers in it that hold parameters of their own: itself; a graph gives all of its layers."""
        return [self]

    def parts(self) -> list[Layer]:
        """Itself and all that is in it: a graph gives the graphs inside too."""
        return [self]

    def train(self) -> None:
        """Put it into training mode."""
        self._set_training(True)

    def eval(self) -> None:
        """Put it into inference mode."""
        self._set_training(False)

    def _set_training(self, training: bool) -> None:
        for layer in self.parts():
            layer.training = training

    def replica(self, dtype: Any = None) -> Self:
        """A second layer on the same parameters, with gradients, memory and generators of its own.

        With `dtype` the parameters and all other float arrays are copies in that precision instead, so that a float32
        layer can be looked at in float64.

        >>> from brickgrad import Affine
        >>> a = Affine(3, 2, rng=0)
        >>> a.replica().params["W"] is a.params["W"], a.replica(np.float64).params["W"].dtype
        (True, dtype('float64'))
        """
        return self._twin(dtype, {}, share=dtype is None)

    def _twin(self, dtype: Any, memo: dict[int, Any], share: bool) -> Self:
        """The replica itself; `memo` holds what is copied already, so that what layers share, their replicas share."""
        if id(self) in memo:
            twin: Self = memo[id(self)]
            return twin
        memo[id(self.memory)] = Memory()
        if share:
            memo[id(self._params)] = self._params
        twin = copy.deepcopy(self, memo)
        without_clocks(twin)
        if dtype is not None:
            _convert(twin, np.dtype(dtype))
        return twin


def without_clocks(twin: Layer) -> None:
    """Take a profile's clocks off a copy: they belong to the layer that is timed, and would run that one."""
    for way in ("forward", "backward"):
        if hasattr(vars(twin).get(way), "is_clock"):
            del vars(twin)[way]


def _convert(layer: Layer, dtype: np.dtype[Any]) -> None:
    """Give a layer's float arrays another precision: its parameters, its gradients and what else it holds."""
    for arrays in (layer.params, layer.grads):
        for key, array in arrays.items():
            dict.__setitem__(arrays, key, array.astype(dtype))
    for attribute, value in vars(layer).items():
        if isinstance(value, np.ndarray) and value.dtype.kind == "f":
            setattr(layer, attribute, value.astype(dtype))
        elif isinstance(value, np.dtype) and value.kind == "f":
            setattr(layer, attribute, dtype)
