"""The activation functions and their derivatives, the latter as the bricks' own backward gives them.

Step, sigmoid, tanh and ReLU: what each makes of its input, and what it hands back of a gradient of 1. A step hands back
nothing, so a net of steps cannot learn by gradients; sigmoid hands back a quarter at most, and next to nothing far from
0; ReLU hands back all or nothing.

You learn that backward(1) of a brick is its derivative, and why deep nets use ReLU.
"""

import numpy as np

import brickgrad as bg
import common

BRICKS = {"step": bg.Step, "sigmoid": bg.Sigmoid, "tanh": bg.Tanh, "ReLU": bg.ReLU}


def draw(plt):
    """Draw each function, and below it its derivative."""
    x = np.linspace(-5, 5, 1000)  # an even number of points: 0, where two of them have a corner, is not among them
    figure, panels = plt.subplots(2, 4, figsize=(13, 5.6), layout="constrained", sharex=True)
    for (name, kind), (above, below) in zip(BRICKS.items(), panels.T, strict=True):
        brick = kind()
        above.plot(x, brick.forward(x), color="#1f5fa8")
        below.plot(x, brick.backward(np.ones_like(x)), color="#c2571a")
        above.set_title(name)
        below.set_xlabel("x")
        above.set_ylim((-0.3, 5.3) if name == "ReLU" else (-1.15, 1.15))
        below.set_ylim(-0.1, 1.15)
        for ax in (above, below):
            ax.grid(alpha=0.3)
    panels[0, 0].set_ylabel("forward: y")
    panels[1, 0].set_ylabel("backward: dy/dx")
    return figure


def main(argv=None):
    arguments = common.parser(__doc__, pictures=True, random=False).parse_args(argv)
    x = np.array([-5.0, -1.0, 0.5, 1.0, 2.0, 5.0])
    print(f"{'x':<18}", *(f"{value:8.4f}" for value in x))
    for name, kind in BRICKS.items():
        brick = kind()
        print(f"{name:<18}", *(f"{value:8.4f}" for value in brick.forward(x)))
        print(f"{'  its derivative':<18}", *(f"{value:8.4f}" for value in brick.backward(np.ones_like(x))))
    print()
    common.say(
        "sigmoid of -1, 1, 2", bg.sigmoid(np.array([-1.0, 1.0, 2.0])).round(8), "[0.26894142 0.73105858 0.88079708]"
    )
    print()
    common.save(draw(common.pyplot(arguments)), arguments, "activation_functions.png")


if __name__ == "__main__":
    main()
