"""Logic gates from perceptrons: AND, NAND and OR take one each, XOR takes two layers of them.

A perceptron fires where w·x + b > 0: on one side of a straight line. The picture shows that line for each gate. For XOR
the two corners to fire on lie across from each other, so no line has both of them, and only them, on one side; the
script also tries all perceptrons of a fine grid and counts those that behave as each gate.

You learn what a layer more can do that one cannot.
"""

import numpy as np

import brickgrad as bg
import common

CORNERS = [(0, 0), (1, 0), (0, 1), (1, 1)]
TEXTS = {"AND": "0 0 0 1", "NAND": "1 1 1 0", "OR": "0 1 1 1", "XOR": "0 1 1 0"}
GATES = {"AND": bg.AND, "NAND": bg.NAND, "OR": bg.OR, "XOR": bg.XOR}


def count_perceptrons():
    """Count, for each gate, the perceptrons with w1, w2, b in -2, -1.9, ..., 2 that behave as it does."""
    w1, w2, b = np.meshgrid(*[np.linspace(-2, 2, 41).round(1)] * 3)
    fires = np.stack([w1 * x1 + w2 * x2 + b > 0 for x1, x2 in CORNERS])
    for name, outputs in TEXTS.items():
        wanted = np.array(outputs.split(), dtype=int).astype(bool).reshape(-1, 1, 1, 1)
        number = np.count_nonzero((fires == wanted).all(axis=0))
        print(f"{number:6,} of {w1.size:,} perceptrons on a grid of weights are {name}")


def draw(plt):
    """Draw where each gate fires, and the lines w·x + b = 0 around that."""
    figure, panels = plt.subplots(1, 4, figsize=(14, 5), layout="constrained")
    figure.get_layout_engine().set(rect=(0, 0.07, 1, 0.9))
    ticks = np.linspace(-0.5, 1.5, 401)
    x1, x2 = np.meshgrid(ticks, ticks)
    points = np.stack([x1, x2], axis=-1)
    for ax, (name, gate) in zip(panels, GATES.items(), strict=True):
        ax.contourf(
            x1, x2, bg.logic_gate(name).forward(points)[..., 0], levels=[-0.5, 0.5, 1.5], colors=["w", "#cfe3f7"]
        )
        for single in ["NAND", "OR"] if name == "XOR" else [name]:
            neuron = bg.logic_gate(single).params
            (w1, w2), b = neuron[f"{single}.W"].ravel(), neuron[f"{single}.b"][0]
            equation = f"{w1:g}·x₁ {w2:+g}·x₂ {b:+g} = 0"
            ax.plot(
                ticks,
                -(w1 * ticks + b) / w2,
                linestyle="--" if single == "NAND" else "-",
                label=f"{single}: {equation}",
            )
        for x, y in CORNERS:
            ax.plot(x, y, "o", markersize=13, color="k", markerfacecolor="k" if gate(x, y) else "w")
        lines = "two lines" if name == "XOR" else "one line"
        ax.set(xlim=(-0.5, 1.5), ylim=(-0.5, 1.5), aspect="equal", xlabel="x₁", ylabel="x₂", title=f"{name}: {lines}")
        ax.set(xticks=[0, 1], yticks=[0, 1])
        ax.legend(loc="upper center", bbox_to_anchor=(0.5, -0.16), fontsize=9, ncols=1)
    figure.suptitle("Blue: the gate fires.  ● output 1   ○ output 0")
    return figure


def main(argv=None):
    arguments = common.parser(__doc__, pictures=True, random=False).parse_args(argv)
    print("inputs                                     (0,0) (1,0) (0,1) (1,1)")
    for name, gate in GATES.items():
        common.say(name, " ".join(str(gate(x1, x2)) for x1, x2 in CORNERS), TEXTS[name])
    print()
    count_perceptrons()
    print("None is XOR: it takes a second layer, AND of NAND and OR.\n")
    common.save(draw(common.pyplot(arguments)), arguments, "logic_gates.png")


if __name__ == "__main__":
    main()
