"""Whether a layer keeps its promises: the gradient checker and the contract of a layer."""

from .contract import ContractError, ContractReport, RuleResult, check_layer, contract_tests
from .gradcheck import gradcheck
from .report import GradcheckReport, GradcheckRow, GradientError, Guess

__all__ = [
    "ContractError",
    "ContractReport",
    "GradcheckReport",
    "GradcheckRow",
    "GradientError",
    "Guess",
    "RuleResult",
    "check_layer",
    "contract_tests",
    "gradcheck",
]
