"""What a layer computes, in words of mathematics: read from its docstring, filled in with live numbers, set in LaTeX.

The formulas stand in one place, the class's docstring: its first indented block holds equations, several spaces apart.
So a layer of one's own that has such a block is explained like any other, and one without is shown by its name.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from brickgrad.layers import Layer

from .numbers import describe, number, shape_text

NAME = re.compile(r"[A-Za-z_]+")
EQUATION = re.compile(r"^((?:[A-Za-z_]+[²ᵢⱼ]?(?:\[[^\]]*\])?)(?:, [A-Za-z_]+)*)(?: = |: )(.*)$")
WORDS = {"where", "else", "max", "min", "mean", "of", "over", "ln", "tanh", "exp", "the", "and"}
RAISED = "ʸˣᵢⱼ⁻∂"  # what makes another quantity of the letter beside it
SUBSCRIPTS = "₀₁₂₃₄₅₆₇₈₉"
INDICES = {"ᵢ": "i", "ⱼ": "j", "ₙ": "n", "ₖ": "k"} | {sign: str(digit) for digit, sign in enumerate(SUBSCRIPTS)}


@dataclass(frozen=True)
class Formulas:
    """A layer's equations.

    Attributes
        forward : the lines that lead to the output, each "name = ...".
        output : what they call it.
        backward : for "dx", "dW" and so on the right-hand side.
    """

    forward: tuple[str, ...]
    output: str
    backward: dict[str, str]


def formulas(layer: Layer) -> Formulas:
    """The equations of a layer's docstring; where there are none, one that says its name.

    >>> from brickgrad import Mul
    >>> formulas(Mul())
    Formulas(forward=('z = x · y',), output='z', backward={'dx': 'dz · y', 'dy': 'dz · x'})
    """
    forward: list[str] = []
    backward: dict[str, str] = {}
    last: list[str] = []
    notes = ""
    own = {"d" + name for name in (*(layer.input_names or ("x",)), *_param_names(layer))}
    for piece in _pieces(type(layer)):
        found = EQUATION.match(piece)
        names = NAME.findall(re.sub(r"\[.*?\]", "", found[1])) if found else []
        if found and set(names) <= own:
            backward |= dict.fromkeys(names, found[2])
            last = names
        elif found and any(name.startswith("d") and name[1:] == _output(forward) for name in NAME.findall(found[2])):
            notes += f", {piece}"  # a name for a part of the gradient
        elif found and not last:
            forward.append(piece)
        elif last:
            joint = ", " if " = " in piece else " "
            backward |= {name: f"{backward[name]}{joint}{piece}" for name in last}
        elif forward:
            forward[-1] = f"{forward[-1]} {piece}"
    backward = {name: right + (notes if name == "dx" else "") for name, right in backward.items()}
    if not forward:
        return Formulas((f"y = {type(layer).__name__}({', '.join(input_names(layer))})",), "y", backward)
    return Formulas(tuple(forward), _output(forward), backward)


def _output(forward: list[str]) -> str:
    """What the last of the equations calls its left-hand side."""
    found = NAME.match(forward[-1]) if forward else None
    return found[0] if found else "y"


def input_names(layer: Layer, n: int = 1) -> tuple[str, ...]:
    """The names of a layer's inputs; of one that takes any number, as many: x₀, x₁, …"""
    if layer.arity[1] > max(len(layer.input_names), 1):
        return tuple("x" + "".join(SUBSCRIPTS[int(digit)] for digit in str(place)) for place in range(n))
    return layer.input_names or ("x",) * n


def _param_names(layer: Layer) -> list[str]:
    return [] if hasattr(layer, "wiring") else [*layer.params, "W", "b", "gamma", "beta"]


def _pieces(kind: type[Layer]) -> list[str]:
    """The pieces of the formula block: the first indented lines of the docstring, cut where several spaces stand."""
    text = inspect.cleandoc(vars(kind).get("__doc__") or "")
    block: list[str] = []
    for line in text.splitlines()[1:]:
        if line.startswith("    ") or (" = " in line and EQUATION.match(line)):  # alone, they count as not indented
            block.append(line)
        elif (line.strip() and block) or re.match(r"(Parameters|Shapes|Example|Attributes)\b", line):
            break
    return [piece for line in block for piece in re.split(r" {3,}", line.strip()) if piece]


def backward_of(layer: Layer, name: str) -> str:
    """The equation of one gradient; where the docstring has none, the chain rule itself."""
    known = formulas(layer)
    out = known.output
    return f"d{name} = {known.backward.get(f'd{name.rstrip(SUBSCRIPTS)}', f'd{out} · ∂{out}/∂{name}')}"


def live(equation: str, names: Mapping[str, Any]) -> str:
    """An equation with its values put in, and what it comes to.

    Numbers are put in for what is one number, shapes for products of matrices. What is more involved stays as it is.

    >>> live("z = x · y", {"x": 100.0, "y": 2.0, "z": 200.0})
    'z = x · y = 100 · 2 = 200'
    >>> live("y = x · W + b", {"x": np.ones((3, 4)), "W": np.ones((4, 2)), "b": np.ones(2), "y": np.full((3, 2), 5.0)})
    'y = x · W + b = (3, 4) · (4, 2) + (2,) = (3, 2)  5 … 5'
    """
    left, _, right = equation.partition(" = ")
    name = re.match(f"{NAME.pattern}[{SUBSCRIPTS}]*", left)
    result = names.get(name[0]) if name else None
    filled = _filled(right, names)
    parts = [equation, *([filled] if filled and filled != right else [])]
    if result is not None and (not filled or describe(result) != filled):
        parts.append(describe(result))
    return " = ".join(parts)


def _filled(right: str, names: Mapping[str, Any]) -> str | None:
    """The right-hand side with values in place of names; None where it has other names or needs more than that."""
    used = [found[0] for found in NAME.finditer(right) if found[0] not in WORDS]
    if not used or not set(used) <= names.keys() or any(mark in right for mark in RAISED):
        return None
    single = all(np.size(names[name]) == 1 for name in used)
    if not single and (set(NAME.findall(right)) & WORDS or "·" not in right):
        return None

    def value(found: re.Match[str]) -> str:
        name, raised = found[1], found[2]
        if name in WORDS:
            return found[0]
        if single:
            text = number(np.ravel(names[name])[0])
            return f"({text}){raised}" if raised or text.startswith("-") else text
        return shape_text(np.transpose(names[name])) if raised == "ᵀ" else shape_text(names[name]) + raised

    return re.sub(r"([A-Za-z_]+)([ᵀ²]?)", value, right)


LATEX = {
    "·": r" \cdot ", "Σ": r"\sum ", "√": r"\sqrt ", "∂": r"\partial ", "ᵀ": r"^{\top}", "²": r"^{2}", "⁻ˣ": r"^{-x}",
    "ʸ⁻¹": r"^{y-1}", "ʸ": r"^{y}", "ˣ": r"^{x}", "½": r"\frac{1}{2}", "≤": r"\leq ",
    "≥": r"\geq ", "σ": r"\sigma ", "…": r"\ldots ", "×": r"\times ", "Π": r"\prod ", "α": r"\alpha ", "Φ": r"\Phi ",
    "φ": r"\varphi ",
    "π": r"\pi ", "⌊": r"\lfloor ", "⌋": r"\rfloor ", "∞": r"\infty ", "−": "-", "#": r"\#", "%": r"\%",
}  # fmt: skip


def _in_braces(text: str, opener: str, braced: str) -> str:
    """What stands in brackets after the opener's sign put in braces: √(2π) as √{2π}."""
    while (start := text.find(opener)) >= 0:
        depth, end = 1, start + len(opener)
        while end < len(text) and depth:
            depth += {"(": 1, ")": -1}.get(text[end], 0)
            end += 1
        text = f"{text[:start]}{braced}{text[start + len(opener) : end - (not depth)]}}}{text[end:]}"
    return text


def latex(equation: str) -> str:
    """An equation in LaTeX's mathematics, without the dollar signs.

    >>> print(latex("dx = dy · Wᵀ"))
    dx = dy  \\cdot  W^{\\top}
    >>> print(latex("∂L/∂mul2 · ∂mul2/∂x"))
    \\frac{\\partial L}{\\partial \\mathrm{mul2}}  \\cdot  \\frac{\\partial \\mathrm{mul2}}{\\partial x}
    """
    text = equation.replace("{", r"\{").replace("}", r"\}").replace("_", r"\_")
    text = re.sub(r"√(\w+)", r"√{\1}", text)
    text = _in_braces(_in_braces(text, "√(", "√{"), "^(", "^{")
    text = re.sub(r"∂([\w.\\]+)/∂([\w.\\]+)", r"\\frac{∂\1}{∂\2}", text)
    text = re.sub(r"[A-Za-z]+(?: [A-Za-z]{2,})+", lambda words: words[0].replace(" ", "\\ "), text)
    text = re.sub(r"(?<!\\)\b([A-Za-z]+(?:\\ [A-Za-z]+)+|[A-Za-z][A-Za-z0-9]{2,})\b", r"\\mathrm{\1}", text)
    text = re.sub(f"[{''.join(INDICES)}]+", lambda run: f"_{{{''.join(INDICES[sign] for sign in run[0])}}}", text)
    text = re.sub(r"\^(\w_\{\w+\})", r"^{\1}", text)  # the index is that of the exponent
    for plain, command in LATEX.items():
        text = text.replace(plain, command)
    return text
