"""Net: scores and a loss made from nodes, with all that training and looking at it needs."""

from __future__ import annotations

import contextlib
import copy
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np

from brickgrad.graph import Graph, Input, Node, numerical_gradient
from brickgrad.graph.downstream import Downstream
from brickgrad.graph.summary import table
from brickgrad.layers import Array, ArrayDict, Convolution, Layer, Memory, SoftmaxWithLoss
from brickgrad.layers.scalars import is_whole

from .evaluation import Evaluation, accuracy, evaluate, predict_in_batches
from .flat import Flat
from .fold import folded
from .profile import Profile, timed
from .shards import SHARD_SIZE, Shards, why_whole
from .snapshot import live_arrays, write_all, write_translated


class Net:
    """A graph from x to scores, and a loss on top that compares them with t.

    All parameters stand in one vector and all gradients in another; `params`, `grads` and the layers hold views.

    Parameters
        x : Input. The data.
        scores : node. What `predict` gives: before the loss, so before softmax.
        loss : Layer of (scores, t), default SoftmaxWithLoss().
    Shapes       x (N, ...), t labels (N,) or one-hot (N, classes), or what the loss takes
    Dtype        that of x; the gradients are in the parameters'
    Errors       TypeError: a loss that is no layer. ValueError: wiring or shapes that do not fit. RuntimeError:
                 `params` while a lazily sized layer has no size
    Attributes
        body, graph : Graph. From x to the scores, and from x and t to the loss.
    Example
        >>> import brickgrad as bg
        >>> x = bg.Input("x", (4,))
        >>> net = bg.Net(x, bg.Affine(3, name="head", init=0.0)(x))
        >>> x, t = np.ones((2, 4), np.float32), np.array([0, 2])
        >>> print(round(net.loss(x, t), 4), list(net.params))
        1.0986 ['head.W', 'head.b']
    """

    settings: tuple[str, ...] = ()  # attributes, numbers, that belong to the net besides its layers

    def __init__(self, x: Input, scores: Node, loss: Layer | None = None) -> None:
        if loss is not None and not isinstance(loss, Layer):
            raise TypeError(f"{self.title}: loss must be a layer, such as SoftmaxWithLoss(); got {loss!r:.60}.")
        self.loss_layer = SoftmaxWithLoss() if loss is None else loss
        t = Input("t", dtype=int)
        self.graph = Graph([x, t], self.loss_layer(scores, t), keep=False, allow_unused=True, name=self.title)
        self.body = Graph(x, scores, keep=False, allow_unused=True, name=self.title)
        self.graph.memory = Memory(wanted=(False, False))  # neither images nor labels need a gradient
        self._parts = self.body.parts()
        self._flat: Flat | None = None
        self._shards: Shards | None = None
        convolves = any(isinstance(leaf, Convolution) for leaf in self.graph.leaves())
        self._shard_size = SHARD_SIZE if convolves and why_whole(self.graph) is None else None

    @property
    def shard_size(self) -> int | None:
        """How many samples of a batch run at a time, each such shard on one of our threads; None: the batch as a whole.

        So many at most: a batch is cut into shards of one size, or nearly, and with a size of 25 into an even number of
        them. 25 is the size where there is a convolution, and no layer that looks across the batch but by sums over all
        shards, as batch normalization does; else None. It changes results in their last bits, as any other order of
        sums does; the number of threads does not. In training there are 64 shards at most, of more samples where that
        is too few. With fewer threads than shards larger ones take less time: `python -m brickgrad doctor` measures how
        much less.
        """
        return self._shard_size

    @shard_size.setter
    def shard_size(self, size: int | None) -> None:
        if size is not None:
            if not is_whole(size, 1):
                raise ValueError(
                    f"{self.title}.shard_size: must be a whole number of at least 1, or None; got {size!r}."
                )
            why = why_whole(self.graph)
            if why is not None:
                raise ValueError(f"{self.title}.shard_size: its batches cannot be cut: {why}.")
        self._shard_size, self._shards = size, None

    def _shards_for(self, x: Any, t: Any = None) -> Shards | None:
        """What runs a batch in shards, where it is one that is to be cut."""
        size, one = self._shard_size, self.graph.inputs[0].shape
        if size is None or not isinstance(x, np.ndarray) or x.ndim < 2 or len(x) <= size:
            return None
        if one is not None and x.ndim != len(one) + 1:  # a single sample, or what the layers will refuse
            return None
        if t is not None and (not isinstance(t, np.ndarray) or not t.ndim or len(t) != len(x)):
            return None
        if self._shards is None and self.graph.sized:
            self._laid_out()
            self._shards = Shards(self, size)
        return self._shards

    @property
    def title(self) -> str:
        """The net as errors name it."""
        return type(self).__name__

    def predict(self, x: Any, batch_size: int | None = None) -> Any:
        """The scores of a sample or a batch, in inference mode; of any number of samples, `batch_size` at a time."""
        if batch_size is not None:
            return predict_in_batches(f"{self.title}.predict", self.predict, x, batch_size)
        parts = [part for part in self._parts if part.training]
        for part in parts:
            part.training = False
        try:
            shards = None if self._shard_size is None else self._shards_for(x)
            return self._scores(x) if shards is None else shards.predict(x)
        finally:
            for part in parts:
                part.training = True

    def _scores(self, x: Any) -> Any:
        """The scores of what runs in one piece; from the second such input on nothing is kept for a backward."""
        scores = self.body.forward_again(x)
        return self.body.forward(x) if scores is None else scores

    def loss(self, x: Any, t: Any) -> float:
        """The loss of a batch, in the net's mode."""
        return float(self.graph.forward(x, t)) + self._penalty()

    def accuracy(self, x: Any, t: Any, batch_size: int = 1000) -> float:
        """The share of samples whose largest score is at the label; every sample counts, those of the last batch too.

        For a SigmoidWithLoss: the share of samples all of whose outputs are on the right side of one half. For one
        output under another loss there are no classes to be right about: nan.
        """
        return accuracy(f"{self.title}.accuracy", self.predict, self.loss_layer, x, t, batch_size)

    def evaluate(self, x: Any, t: Any, batch_size: int = 1000) -> Evaluation:
        """Loss and accuracy over a whole data set, in inference mode; every sample weighs the same.

        >>> import brickgrad as bg
        >>> net = bg.Sequential(bg.Affine(2, 2, init=0.0))
        >>> found = net.evaluate(np.ones((3, 2), np.float32), np.array([0, 0, 1]), batch_size=2)
        >>> print(f"{found.loss:.4f} {found.accuracy:.4f}")
        0.6931 0.6667
        """
        found = evaluate(f"{self.title}.evaluate", self.predict, self.loss_layer, x, t, batch_size)
        return found._replace(loss=found.loss + self._penalty())

    def loss_and_gradient(self, x: Any, t: Any) -> float:
        """The loss of a batch; its gradient is in `grads` until the next call. What a trainer's step runs."""
        shards = None if self._shard_size is None else self._shards_for(x, t)
        loss = float(self.graph.forward_and_backward(x, t)) if shards is None else shards.loss_and_gradient(x, t)
        return loss + self._penalty(into=self.grads)

    def gradient(self, x: Any, t: Any) -> dict[str, Array]:
        """The gradient of the loss by backpropagation: arrays of your own, by parameter name."""
        self.loss_and_gradient(x, t)
        return {name: gradient.copy() for name, gradient in self.grads.items()}

    def numerical_gradient(self, x: Any, t: Any, h: float = 1e-5) -> dict[str, Array]:
        """The gradient of the loss by central differences, in float64 on a copy: only what a parameter reaches reruns.

        Branches are replayed: a ReLU whose input crosses 0 within ±h does not spoil it.
        """
        if not h > 0:
            raise ValueError(f"{self.title}.numerical_gradient: h must be positive; got {h}.")
        twin = self.replica(np.float64)
        gradients = Downstream(twin.graph, (x, t), h).of_params()
        gradients = {self._public_name(name): gradient for name, gradient in gradients.items()}
        without = twin._penalty()
        for name, param in twin.params.items():
            before = param.copy()
            param += h * np.random.default_rng(0).uniform(0.5, 1.0, param.shape)
            changes = twin._penalty() != without
            param[...] = before
            if changes:
                gradients[name] += numerical_gradient(lambda _: twin._penalty(), param, h)
        return gradients

    def _penalty(self, into: ArrayDict | None = None) -> float:
        """What the net adds to the loss of its layers; with `into`, its gradient is added there."""
        return 0.0

    @property
    def params(self) -> ArrayDict:
        """The parameters by name; writing to an entry writes into the layer. All sizes must be known."""
        return self._laid_out().params

    @property
    def trained(self) -> ArrayDict:
        """The parameters that a trainer moves: those of layers that are trainable.

        >>> import brickgrad as bg
        >>> net = bg.Sequential(bg.Affine(4, 3, name="body"), bg.ReLU(), bg.Affine(3, 2, name="head"))
        >>> net.layers[0].trainable = False
        >>> list(net.trained)
        ['head.W', 'head.b']
        """
        flat = self._laid_out()
        if all(leaf.trainable for leaf in flat.leaves):
            return flat.params
        frozen = {
            self._public_name(f"{name}.{key}")
            for name, leaf in self.graph.named_leaves()
            if not leaf.trainable
            for key in leaf.params
        }
        return ArrayDict.gather(self, "trained", {n: p for n, p in flat.params.items() if n not in frozen})

    @property
    def grads(self) -> ArrayDict:
        """The gradients of the last `loss_and_gradient` by parameter name."""
        return self._laid_out().grads

    @property
    def vector(self) -> Array:
        """All parameters in one vector; `params` are views of it."""
        return self._laid_out().vector

    @property
    def grad_vector(self) -> Array:
        """All gradients in one vector; `grads` are views of it."""
        return self._laid_out().grad_vector

    @property
    def dtype(self) -> np.dtype[Any] | None:
        """The precision of the parameters; None while they have no sizes or where there are none."""
        if self._flat is not None and self._flat.params:
            return self._flat.vector.dtype
        return next((param.dtype for leaf in self.graph.leaves() for param in leaf.params.values()), None)

    def _laid_out(self) -> Flat:
        """The parameters and gradients as two vectors: made when all sizes are known, and anew if a layer has moved.

        A layer moves when it becomes part of a second net, whose vector its parameters then join.
        """
        if self._flat is None or (self._flat.moves != ArrayDict.moves and not self._flat.holds()):
            for name, leaf in self.graph.named_leaves():
                if not leaf.sized:
                    raise RuntimeError(
                        f"{self.title}: {type(leaf).__name__}[{name}] has no size yet. Run a batch through the net "
                        "first, or say how many inputs it has, as in Affine(784, 50)."
                    )
            self._flat = Flat(self.title, self.graph, self._public_name)
        self._flat.moves = ArrayDict.moves
        return self._flat

    def _public_name(self, name: str) -> str:
        """The name under which `params` shows the graph's parameter `name`."""
        return name

    def snapshot(self) -> dict[str, Array]:
        """Copies of all that training changes: the parameters, and as `layer.array` what layers list in `kept`."""
        return {name: array.copy() for name, array in live_arrays(self.params, self.graph).items()}

    def restore(self, snapshot: Mapping[str, Array]) -> None:
        """Put a snapshot back; ValueError, and nothing changed, where one of its names, shapes or dtypes is not ours.

        >>> import brickgrad as bg
        >>> net = bg.Sequential(bg.Affine(2, 1, rng=0))
        >>> before = net.snapshot()
        >>> net.params["affine1.W"] = [[7], [7]]
        >>> net.restore(before)
        >>> net.params["affine1.W"].round(2).ravel(), list(before)
        (array([ 0.13, -0.13], dtype=float32), ['affine1.W', 'affine1.b'])
        """
        write_all(f"{self.title}.restore", live_arrays(self.params, self.graph), snapshot)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write all that training changes, as `snapshot` has it, to a safetensors file: whole, or not at all.

        The file describes the net too, as `to_dict` does, so that `load_net` makes it anew; where it cannot be
        described, it says why.
        """
        from brickgrad.files.tensors import FORMAT, write_tensors

        from .describe import FILE, described

        write_tensors(path, self.snapshot(), {FORMAT: FILE[0], "net": self.title, **described(self)})

    def load(
        self, path: str | os.PathLike[str], names: Mapping[str, str] | None = None, *, ignore: Collection[str] = ()
    ) -> None:
        """Read what `save` wrote into this net, or what another tool wrote; all of it, or nothing on any error.

        Parameters
            path : str or path of a safetensors file.
            names : dict, optional. For a file of another tool: our name for each of its arrays, as
                {"affine1.W": "fc1.weight.T", "affine1.b": "fc1.bias"}; ".T" transposes, as the weight of a PyTorch
                Linear, which is (out, in), must be. float16, bfloat16 and float32 are read into wider ones.
            ignore : names of arrays in such a file that are not wanted, or patterns as "*.num_batches_tracked".
        Errors       FileError: a damaged file, or no such format. ValueError: names that are missing or not expected,
                     shapes or dtypes that do not fit: all of them in one message. OSError: it cannot be read.
        """
        from brickgrad.files.tensors import check_format, read_tensors

        from .describe import FILE

        who = f"{self.title}.load"
        live = live_arrays(self.params, self.graph)
        if names is None:
            found = read_tensors(path, sealed=True)
            check_format(path, found, *FILE)
            write_all(who, live, found.arrays)
        else:
            write_translated(who, live, self.params, read_tensors(path).arrays, names, ignore)

    def to_dict(self) -> dict[str, Any]:
        """Its kind, layers and loss and how they are joined, as values that JSON can hold; no weights: see `save`.

        Errors       TypeError: as `Graph.to_dict`; a class of nets of your own, whose body has a to_dict of its own
        """
        from .describe import net_to_dict

        return net_to_dict(self)

    @classmethod
    def from_dict(cls, description: Any, *, rng: Any = None, max_params: int = 2**27) -> Self:
        """A new net from what `to_dict` gave, with new weights; it need not be trusted. See `Graph.from_dict`.

        >>> import brickgrad as bg
        >>> again = bg.Net.from_dict(bg.TwoLayerNet(4, 3, 2).to_dict(), rng=0)
        >>> type(again).__name__, list(again.params)
        ('TwoLayerNet', ['W1', 'b1', 'W2', 'b2'])
        """
        from .describe import net_from_dict

        net = net_from_dict(f"{cls.__name__}.from_dict", description, rng, max_params)
        if not isinstance(net, cls):
            raise ValueError(f"{cls.__name__}.from_dict: kind must be {cls.__name__}; got {type(net).__name__}.")
        return net

    def train(self) -> None:
        """Put all layers into training mode."""
        self.graph.train()

    def eval(self) -> None:
        """Put all layers into inference mode."""
        self.graph.eval()

    @contextlib.contextmanager
    def workspace(self) -> Iterator[None]:
        """Use large arrays again from step to step, as training does; the results are the same bits."""
        with self.graph.workspace():
            try:
                yield
            finally:
                self._shards = None  # and with them their arrays

    def replica(self, dtype: Any = None) -> Self:
        """A second net on the same parameters (with `dtype`, on copies in that precision), all else its own."""
        if dtype is None:
            self._laid_out()  # before they are shared, the parameters must be there and take their places
        return self._twin(dtype, {}, share=dtype is None)

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        return self._twin(None, memo, share=False)

    def _twin(self, dtype: Any, memo: dict[int, Any], share: bool) -> Self:
        twin = memo[id(self)] = copy.copy(self)
        twin.body, twin.graph = self.body._twin(dtype, memo, share), self.graph._twin(dtype, memo, share)
        twin.graph.memory = Memory(wanted=(False, False))
        twin._parts = twin.body.parts()
        twin.loss_layer = self.loss_layer._twin(dtype, memo, share)
        twin._flat = twin._shards = None
        return twin

    def find_nonfinite(self, x: Any, t: Any) -> str | None:
        """Where a NaN or an infinity first shows in a batch's forward pass; None where it does not."""
        return self.graph.find_nonfinite(x, t)

    def subgraph(self, inputs: Node | str | Sequence[Node | str], outputs: Node | str | Sequence[Node | str]) -> Graph:
        """A part of the net before its loss, on the same layers, as `Graph.subgraph` has it."""
        self._laid_out()  # so that the parameters have taken their places before another graph holds the layers
        return self.body.subgraph(inputs, outputs)

    def summary(self, batch: int = 1) -> str:
        """A table of the layers without the loss, as `Graph.summary` has it.

        >>> import brickgrad as bg
        >>> print(bg.TwoLayerNet(784, 50, 10).summary())
        TwoLayerNet, for a batch of 1
        name     layer   output   parameters  multiply-adds  bytes
        affine1  Affine  (N, 50)      39,250         39,200    200
        relu1    ReLU    (N, 50)           0              0    200
        affine2  Affine  (N, 10)         510            500     40
        total                         39,760         39,700    440
        """
        return table(self.title, self.body, batch)

    def folded(self) -> Net:
        """A net of its own that predicts the same, with batch normalization folded into the layer before it: faster.

        Each BatchNormalization that is fed by one Affine (of rows) or Convolution alone goes into its W and b, by the
        running mean and variance; graphs inside stay as they are. It is meant for inference, and stands in that mode.

        Example
            >>> import brickgrad as bg
            >>> net = bg.Sequential(bg.Affine(4, 3, rng=0), bg.BatchNormalization(3), bg.ReLU(), bg.Affine(3, 2, rng=1))
            >>> x = np.ones((1, 4), np.float32)
            >>> np.allclose(net.folded().predict(x), net.predict(x), atol=1e-6), len(net.folded().graph.leaves())
            (True, 4)
        """
        self._laid_out()  # so that every layer has its size
        return folded(self)

    def profile(self, x: Any, t: Any, steps: int = 10) -> Profile:
        """Where the time of a training step goes: forward and backward of each layer, by the clock.

        The batch runs as a whole, on one of our threads, in training mode and in a workspace, on a replica: nothing of
        the net's own is changed. One step more is run before the clocks start.

        Parameters
            x, t : a batch, as for `loss`.
            steps : int >= 1, default 10.
        Example
            >>> import brickgrad as bg
            >>> net = bg.TwoLayerNet(784, 50, 10, rng=0)
            >>> found = net.profile(np.ones((100, 784), np.float32), np.zeros(100, int), steps=2)
            >>> [row.name for row in found.rows], found.steps
            (['affine1', 'relu1', 'affine2', 'softmaxwithloss1'], 2)
        """
        if not is_whole(steps, 1):
            raise ValueError(f"{self.title}.profile: steps must be a whole number of at least 1; got {steps!r}.")
        self.loss(x, t)  # what does not fit, or has no size yet, shows here
        twin = self.replica()
        twin.train()
        with twin.graph.workspace():
            twin.graph.forward(x, t)
            twin.graph.backward()
            with timed(self.title, [twin.graph]) as profile:
                for _ in range(steps):
                    twin.graph.forward(x, t)
                    twin.graph.backward()
        return profile

    @contextlib.contextmanager
    def timed_steps(self, batch_size: int) -> Iterator[Profile]:
        """A Profile of the training steps inside the block, which a trainer makes: batches of at most `batch_size`.

        What runs in shards is timed there: then the times of all threads are added up.
        """
        if not self.graph.sized:
            raise RuntimeError(
                f"{self.title}: a profile needs a net whose layers know their sizes. Run a batch through it first, or "
                "say how many inputs it has, as in Affine(784, 50)."
            )
        graphs, shards, before = [self.graph], None, 0
        if self._shard_size is not None and batch_size > self._shard_size:
            self._laid_out()
            shards = self._shards = self._shards or Shards(self, self._shard_size)
            graphs += [twin.net.graph for twin in shards.ready_for(batch_size)]
            before = shards.steps
        with timed(self.title, graphs) as profile:
            yield profile
        if shards is not None:
            profile.steps += shards.steps - before

    def draw(self, path: Any, x: Any = None, t: Any = None, **options: Any) -> None:
        """Draw the net with its loss as `Graph.draw` does; with `x` and `t`, with what they leave on every edge.

        The batch runs through a replica, in inference mode: nothing of the net's own is changed.
        """
        twin = self.replica().graph
        twin.eval()
        for part in twin.parts():
            if isinstance(part, Graph):
                part.keep = True
        if x is not None:
            twin.memory = Memory(wanted=(True, False))
            twin.forward(x, t)
            twin.backward()
        twin.draw(path, **options)

    def __repr__(self) -> str:
        return self.summary()
