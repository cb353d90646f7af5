"""Batch normalization folded into the layer before it: in inference both are one linear map."""

from __future__ import annotations

import copy
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np

from brickgrad.graph import Graph, Input, Node
from brickgrad.graph.node import Constant
from brickgrad.graph.wiring import Step
from brickgrad.layers import Affine, BatchNormalization, Convolution, Layer

if TYPE_CHECKING:
    from .net import Net


def folded(net: Net) -> Net:
    """See Net.folded."""
    from .net import Net

    body = net.body
    pairs = _pairs(body)
    memo: dict[int, Any] = {}
    inputs = [Input(x.name, x.shape, x.dtype, x.grad) for x in body.inputs]
    nodes: dict[int, Node] = dict(zip(body.wiring.inputs, inputs, strict=True))
    nodes |= {slot: Constant(value) for slot, value in body.wiring.constants.items()}
    into = {id(first) for first, _ in pairs.values()}
    for step in body.wiring.steps:
        if id(step) in into:
            continue
        layer, reads = step.layer, step.reads
        if id(step) in pairs:
            first, name = pairs[id(step)]
            layer, reads = _joined(first.layer, step.layer, name), first.reads
        else:
            layer = layer._twin(None, memo, share=False)
        outputs = layer(*[nodes[slot] for slot in reads])
        nodes |= zip(step.writes, outputs if isinstance(outputs, tuple) else (outputs,), strict=True)
    twin = Net(inputs[0], nodes[body.wiring.outputs[0]], net.loss_layer._twin(None, memo, share=False))
    twin.eval()
    return twin


def _pairs(body: Graph) -> dict[int, tuple[Step, str]]:
    """By its identity each step that normalizes what one layer alone gives it, with that layer's step and name."""
    steps, shapes = body.wiring.steps, body.shapes
    reads = Counter(slot for step in steps for slot in step.reads)
    uses = Counter(id(leaf) for step in steps for leaf in step.layer.leaves())
    writers = {slot: step for step in steps for slot in step.writes}
    found = {}
    for step in steps:
        first = writers.get(step.reads[0])
        if not isinstance(step.layer, BatchNormalization) or first is None:
            continue
        shape = shapes[step.reads[0]]
        rows = isinstance(first.layer, Affine) and shape is not None and len(shape) == 2
        alone = reads[step.reads[0]] == 1 and step.reads[0] not in body.wiring.outputs
        once = uses[id(step.layer)] == uses[id(first.layer)] == 1
        if alone and once and (rows or isinstance(first.layer, Convolution)):
            found[id(step)] = first, first.name
    return found


def _joined(first: Layer, norm: Any, name: str) -> Layer:
    """One layer that gives what the two give in inference."""
    joined = copy.deepcopy(first)
    layer: Any = joined
    W = layer.params["W"].astype(np.float64)
    b = layer.params["b"].astype(np.float64) if layer.bias else 0.0
    scale = norm.params["gamma"] / np.sqrt(norm.running_var + norm.eps)
    layer.params["W"] = W * (scale if isinstance(first, Affine) else scale[:, np.newaxis, np.newaxis, np.newaxis])
    shift = (b - norm.running_mean) * scale + norm.params["beta"]
    if layer.bias:
        layer.params["b"] = shift
    else:
        layer.bias = True
        layer.add_param("b", shift.astype(layer.params["W"].dtype))
    layer.name = name
    return joined
