"""Nets as plain values and from them, and a net with its weights from one file.

    {"version": 1, "kind": "TwoLayerNet", "layers": [...], "graph": 3, "loss": 4, "shard_size": null, "settings": {...}}

`graph` is the place of the body in `layers`, `loss` that of the loss; all else is as graph/describe.py has it.
"""

from __future__ import annotations

import json
import math
import os
from typing import Any

from brickgrad.graph.describe import VERSION, Reader, Writer
from brickgrad.graph.plain import brief, whole

from .convolutional import DeepConvNet, SimpleConvNet
from .multi_layer import MultiLayerNet, TwoLayerNet
from .net import Net
from .residual import ResNet
from .sequential import Sequential
from .snapshot import live_arrays, write_all

NETS: dict[str, type[Net]] = {
    cls.__name__: cls for cls in (Net, Sequential, MultiLayerNet, TwoLayerNet, SimpleConvNet, DeepConvNet, ResNet)
}
FILE = "net 1", "file of net.save"  # the form of a file, as it says itself, and what it is
MOST_TEXT = 8 << 20  # bytes of a description in a file


def net_to_dict(net: Net) -> dict[str, Any]:
    """See Net.to_dict."""
    kind = type(net)
    if NETS.get(kind.__name__) is not kind:
        raise TypeError(
            f"{net.title}: nets of {', '.join(NETS)} can be described. Describe its graph: net.body.to_dict()."
        )
    writer = Writer(net.title)
    return {
        "version": VERSION,
        "kind": kind.__name__,
        "graph": writer.add(net.body),
        "loss": writer.add(net.loss_layer),
        "shard_size": None if net.shard_size is None else int(net.shard_size),
        "settings": {name: float(getattr(net, name)) for name in kind.settings},
        "layers": writer.layers,
    }


def net_from_dict(owner: str, description: Any, rng: Any, max_params: int) -> Net:
    """See Net.from_dict."""
    reader = Reader(owner, description, {"graph", "loss", "shard_size", "settings"}, rng, max_params)
    if type(reader.kind) is not str or reader.kind not in NETS:
        raise ValueError(f"{owner}: kind must be one of {', '.join(NETS)}; got {brief(reader.kind)}.")
    cls, body, loss = NETS[reader.kind], reader.graph("graph"), reader.layer("loss")
    settings, size = description["settings"], description["shard_size"]
    if type(settings) is not dict or settings.keys() != set(cls.settings):
        raise ValueError(f"{owner}: settings must be {', '.join(cls.settings) or 'none'}; got {brief(settings)}.")
    if len(body.inputs) != 1 or body._many or loss.n_outputs != 1:
        raise ValueError(f"{owner}: the graph must have one input and one output, and the loss one output.")
    if body.name != reader.kind or body.keep:
        raise ValueError(
            f"{owner}: the graph's name must be {reader.kind} and its keep false; got {brief(body.name)}, {body.keep}."
        )
    net = cls.__new__(cls)
    for name, value in settings.items():
        if type(value) not in (int, float) or not 0 <= value < math.inf:
            raise ValueError(f"{owner}: {name} must be a number of 0 or more; got {brief(value)}.")
        setattr(net, name, float(value))
    try:
        Net.__init__(net, body.inputs[0], body.outputs[0], loss)
        net.shard_size = None if size is None else whole(f"{owner}: shard_size", size, 1)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{owner}: {error}") from error
    reader.finish(body, net.body, net.graph)
    names = [net._public_name(f"{name}.{key}") for name, leaf in net.graph.named_leaves() for key in leaf.params]
    if len(set(names)) != len(names):
        raise ValueError(f"{owner}: each parameter must have a name of its own; two of {len(names)} share one.")
    return net


def described(net: Net) -> dict[str, str]:
    """What a file says of the net besides its arrays: its description, or why there is none."""
    try:
        text = json.dumps(net_to_dict(net), allow_nan=False)
    except (TypeError, ValueError) as error:
        return {"undescribed": str(error)}
    return {"description": text} if len(text) <= MOST_TEXT else {"undescribed": f"it takes {len(text):,} bytes."}


def load_net(path: str | os.PathLike[str], *, rng: Any = None) -> Net:
    """The net that `net.save` wrote, made anew from its file: its layers, its weights and its running statistics.

    The file need not be trusted: nothing in it is imported or run, and the layers' parameters may have no more numbers
    than the file holds. Layers of your own must have been given to `register_layer`.

    Parameters
        path : str or path of a file of `net.save`.
        rng : numpy.random.Generator or seed, for what its layers will draw in training.
    Errors       FileError: a damaged file, one without a description or with a wrong one. OSError: it cannot be read.
    Example
        >>> import tempfile, numpy as np, brickgrad as bg
        >>> net = bg.TwoLayerNet(4, 3, 2, rng=0)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     net.save(f"{folder}/net.safetensors")
        ...     again = bg.load_net(f"{folder}/net.safetensors")
        >>> type(again).__name__, np.array_equal(again.vector, net.vector)
        ('TwoLayerNet', True)
    """
    from brickgrad.files.tensors import read_tensors

    return _net_of(os.fspath(path), read_tensors(path, sealed=True), rng)


def _net_of(path: str, found: Any, rng: Any) -> Net:
    """The net of a file's arrays and texts."""
    from brickgrad.files.errors import FileError
    from brickgrad.files.tensors import check_format, parse

    check_format(path, found, *FILE)
    if "description" not in found.metadata:
        why = found.metadata.get("undescribed", "it was written without one")
        raise FileError(
            f"{path}: must describe the net; it holds weights alone: {why:.300} Make the net and call its load(path)."
        )
    description = parse(path, found.metadata["description"].encode("utf-8", "replace"), "its description")
    most = sum(array.size for array in found.arrays.values() if array.dtype.kind == "f")
    try:
        net = net_from_dict("load_net", description, rng, most)
        write_all("load_net", live_arrays(net.params, net.graph), found.arrays)
    except (TypeError, ValueError, RuntimeError) as error:
        raise FileError(f"{path}: must describe a net that its arrays fit. {error}") from error
    return net
