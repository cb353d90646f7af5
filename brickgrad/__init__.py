"""brickgrad: neural networks you can see through.

Layers with forward and backward that snap together into graphs and nets, train by mini-batch gradient descent, and are
proved right by a gradient checker. See the README for a first net.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .checker import (
        ContractError,
        ContractReport,
        GradcheckReport,
        GradcheckRow,
        GradientError,
        Guess,
        RuleResult,
        check_layer,
        contract_tests,
    )
    from .checker.gradcheck import gradcheck

from .datasets import (
    IdxError,
    load_idx,
    load_mnist,
    plot_digits,
    read_idx,
    standardize,
    whiten,
    write_idx,
)
from .graph import (
    Graph,
    Input,
    Node,
    numerical_diff,
    numerical_gradient,
)
from .layers import (
    Add,
    Affine,
    Array,
    ArrayDict,
    Concat,
    Div,
    Exp,
    Flatten,
    Identity,
    Layer,
    Log,
    MeanSquaredLoss,
    Memory,
    Mul,
    Neg,
    Pow,
    ReLU,
    Reshape,
    Sigmoid,
    SigmoidWithLoss,
    Softmax,
    SoftmaxWithLoss,
    Step,
    Sub,
    Tanh,
    cross_entropy_error,
    identity_function,
    initial_values,
    mean_squared_error,
    relu,
    sigmoid,
    softmax,
    step_function,
)
from .nets import (
    AND,
    NAND,
    OR,
    XOR,
    MultiLayerNet,
    Net,
    Sequential,
    TwoLayerNet,
    logic_gate,
    perceptron,
)
from .trainers import (
    SGD,
    AdaGrad,
    Adam,
    AdamW,
    Callback,
    CosineDecay,
    ExponentialDecay,
    History,
    Momentum,
    Nesterov,
    Optimizer,
    RMSprop,
    Schedule,
    StepDecay,
    TrainableNet,
    Trainer,
    WarmUp,
    gradient_descent,
)

__version__ = "0.1.0"

__all__ = [
    "AND",
    "NAND",
    "OR",
    "SGD",
    "XOR",
    "AdaGrad",
    "Adam",
    "AdamW",
    "Add",
    "Affine",
    "Array",
    "ArrayDict",
    "Callback",
    "Concat",
    "ContractError",
    "ContractReport",
    "CosineDecay",
    "Div",
    "Exp",
    "ExponentialDecay",
    "Flatten",
    "GradcheckReport",
    "GradcheckRow",
    "GradientError",
    "Graph",
    "Guess",
    "History",
    "Identity",
    "IdxError",
    "Input",
    "Layer",
    "Log",
    "MeanSquaredLoss",
    "Memory",
    "Momentum",
    "Mul",
    "MultiLayerNet",
    "Neg",
    "Nesterov",
    "Net",
    "Node",
    "Optimizer",
    "Pow",
    "RMSprop",
    "ReLU",
    "Reshape",
    "RuleResult",
    "Schedule",
    "Sequential",
    "Sigmoid",
    "SigmoidWithLoss",
    "Softmax",
    "SoftmaxWithLoss",
    "Step",
    "StepDecay",
    "Sub",
    "Tanh",
    "TrainableNet",
    "Trainer",
    "TwoLayerNet",
    "WarmUp",
    "check_layer",
    "contract_tests",
    "cross_entropy_error",
    "gradcheck",
    "gradient_descent",
    "identity_function",
    "initial_values",
    "load_idx",
    "load_mnist",
    "logic_gate",
    "mean_squared_error",
    "numerical_diff",
    "numerical_gradient",
    "perceptron",
    "plot_digits",
    "read_idx",
    "relu",
    "sigmoid",
    "softmax",
    "standardize",
    "step_function",
    "whiten",
    "write_idx",
]

if not TYPE_CHECKING:

    def __getattr__(name):
        """What is exported but not there yet is the checker's: it is imported when it is first used."""
        if name != "checker" and name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        import importlib

        checker = importlib.import_module(".checker", __name__)
        return checker if name == "checker" else getattr(checker, name)

    def __dir__():
        return sorted({*globals(), *__all__})
