"""onnxruntime: the net written as an ONNX graph, run by its CPU provider. For inference alone."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

import brickgrad as bg

from .graphs import operations

VERSION = f"onnxruntime {onnxruntime.__version__}"


def predictor(net: bg.Net, threads: int) -> Callable[[np.ndarray], np.ndarray] | None:
    """The net in onnxruntime; None for layers that are not done here."""
    found, x_place, y_place = operations(net)
    nodes: list[Any] = []
    weights: list[Any] = []

    def weight(name: str, array: np.ndarray) -> str:
        weights.append(numpy_helper.from_array(np.ascontiguousarray(array), name))
        return name

    for number, op in enumerate(found):
        layer: Any = op.layer
        reads, writes = [f"v{place}" for place in op.reads], f"v{op.writes}"
        if op.kind == "Affine":
            own = [weight(f"W{number}", layer.params["W"]), weight(f"b{number}", layer.params["b"])]
            nodes.append(helper.make_node("Gemm", [*reads, *own], [writes]))
        elif op.kind == "Convolution":
            own = [weight(f"W{number}", layer.params["W"]), weight(f"b{number}", layer.params["b"])]
            pads = [pad[side] for side in (0, 1) for pad in layer.windows.pad]
            nodes.append(
                helper.make_node("Conv", [*reads, *own], [writes], strides=list(layer.windows.stride), pads=pads)
            )
        elif op.kind == "MaxPooling":
            nodes.append(helper.make_node("MaxPool", reads, [writes], kernel_shape=[2, 2], strides=[2, 2]))
        elif op.kind in ("ReLU", "Flatten"):
            nodes.append(helper.make_node({"ReLU": "Relu"}.get(op.kind, op.kind), reads, [writes]))
        elif op.kind != "Dropout":
            return None
        else:
            nodes.append(helper.make_node("Identity", reads, [writes]))
    one = net.body.inputs[0].shape or (784,)
    graph = helper.make_graph(
        nodes,
        "net",
        [helper.make_tensor_value_info(f"v{x_place}", TensorProto.FLOAT, ["N", *one])],
        [helper.make_tensor_value_info(f"v{y_place}", TensorProto.FLOAT, ["N", 10])],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    return lambda x: np.asarray(session.run(None, {f"v{x_place}": x})[0])
