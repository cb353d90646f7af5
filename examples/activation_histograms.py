"""What the first weights do to the values inside a deep net, layer by layer.

1,000 samples run through five layers of 100 nodes. With a deviation of 1, sigmoids sit at 0 and 1, where they have no
slope; with 0.01 all nodes say the same; Xavier's deviation keeps the values spread for sigmoid and tanh, and He's does
for ReLU.

You learn why initial values are chosen by the number of inputs, and by the activation.
"""

import numpy as np

import brickgrad as bg
import common

ACTIVATIONS = {"sigmoid": bg.Sigmoid, "tanh": bg.Tanh, "ReLU": bg.ReLU}
INITIAL = {"deviation 1": 1.0, "deviation 0.01": 0.01, "Xavier": "xavier", "He": "he"}
LAYERS, NODES = 5, 100


def activations(kind, init, seed):
    """Return the outputs of each of the layers."""
    rng = np.random.default_rng(seed)
    values, found = rng.standard_normal((1000, NODES)), []
    for _ in range(LAYERS):
        values = kind().forward(bg.Affine(NODES, NODES, init=init, rng=rng, dtype=np.float64).forward(values))
        found.append(values)
    return found


def draw(plt, name, by_init):
    """Draw a histogram for each layer and each way of drawing the weights."""
    figure, panels = plt.subplots(len(INITIAL), LAYERS, figsize=(12, 8), layout="constrained", sharex=True)
    low, high = (-1, 1) if name == "tanh" else (0, 1)
    for row, (init, layers) in zip(panels, by_init.items(), strict=True):
        for number, (ax, values) in enumerate(zip(row, layers, strict=True), start=1):
            shown = values[values > 0] if name == "ReLU" else values.ravel()
            ax.stairs(*np.histogram(shown, bins=30, range=(low, high)), fill=True, color="#1f5fa8")
            ax.set_ylim(0, None)
            ax.set_yticks([])
            spread = values.std()
            title = (
                f"layer {number}, deviation {spread:.0f}" if spread > 10 else f"layer {number}, deviation {spread:.2g}"
            )
            if name == "ReLU":
                title += f"\n{np.mean(values == 0):.0%} are 0, {np.mean(values > 1):.0%} above 1"
            ax.set_title(title, fontsize=9)
        row[0].set_ylabel(init)
    left_out = " (drawn: those above 0 and up to 1)" if name == "ReLU" else ""
    figure.suptitle(f"{name}: outputs of each layer, by initial weights{left_out}")
    figure.supxlabel("output of a node; the height of a bar: how many outputs are so")
    return figure


def main(argv=None):
    arguments = common.parser(__doc__, pictures=True).parse_args(argv)
    found = {
        name: {init: activations(kind, value, arguments.seed) for init, value in INITIAL.items()}
        for name, kind in ACTIVATIONS.items()
    }
    for name, by_init in found.items():
        print(f"{name:<18} deviation of the outputs of layers 1 to {LAYERS}")
        for init, layers in by_init.items():
            print(f"  {init:<16}", *(f"{values.std():9.4f}" for values in layers))
    print()
    plt = common.pyplot(arguments)
    for name, by_init in found.items():
        common.save(draw(plt, name, by_init), arguments, f"activation_histograms_{name.lower()}.png")


if __name__ == "__main__":
    main()
