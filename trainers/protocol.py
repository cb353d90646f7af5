"""What a trainer asks of a net: nothing about how it is made."""

from __future__ import annotations

from typing import Any, Protocol

from brickgrad.graph import Graph
from brickgrad.layers import Array, Layer


class TrainableNet(Protocol):
    """A net that can be trained. A net of yours needs these six; it need not come from this library.

    `loss(x, t)`, `workspace()`, `find_nonfinite(x, t)`, `grad_vector`, `dtype` and `trained`, the parameters that are
    not frozen, are used where there are any; so are `evaluate(x, t)`, of `.loss` and `.accuracy`, for the validation
    loss, and `snapshot()`, `restore(snapshot)`, `predict(x)`, `graph`, a Graph of its layers, and for a profile
    `timed_steps(batch_size)`.
    """

    @property
    def params(self) -> dict[str, Array]:
        """The parameters by name; the optimizer changes them in place."""
        ...

    @property
    def grads(self) -> dict[str, Array]:
        """The gradients of the last `loss_and_gradient`, under the same names."""
        ...

    def loss_and_gradient(self, x: Any, t: Any) -> float:
        """The loss of a batch; leaves its gradient in `grads`."""
        ...

    def accuracy(self, x: Any, t: Any) -> float:
        """The share of samples that are right."""
        ...

    def train(self) -> None:
        """Go into training mode."""
        ...

    def eval(self) -> None:
        """Go into inference mode."""
        ...


def leaves(net: Any) -> list[tuple[str, Layer]]:
    """The layers of a net, each once, with its name; none of a net that shows no `graph` of ours."""
    graph = getattr(net, "graph", None)
    return list(graph.named_leaves()) if isinstance(graph, Graph) else []
