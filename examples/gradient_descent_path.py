"""Gradient descent: walking downhill by the gradient, step by step, with steps too long and too short as well.

From (-3, 4) down the bowl x0² + x1², drawn on its contour lines; the same with a learning rate that is far too large
and one that is far too small; and in one variable, down 0.01x² + 0.1x, whose lowest point is at -5.

You learn what the learning rate does: the same thing, in many more dimensions, trains a net.
"""

import numpy as np

import brickgrad as bg
import common


def bowl(x):
    """Return x0² + x1²."""
    return np.sum(x**2)


def valley(x):
    """Return 0.01x² + 0.1x."""
    return 0.01 * x**2 + 0.1 * x


def draw(plt, path):
    """Draw the path over the contour lines of the bowl."""
    figure, ax = plt.subplots(figsize=(7, 6.2), layout="constrained")
    x0, x1 = np.meshgrid(np.linspace(-4, 4, 161), np.linspace(-4.8, 4.8, 193))
    lines = ax.contour(x0, x1, x0**2 + x1**2, levels=[0.5, 2, 5, 10, 17, 25], colors="0.6", linewidths=0.9)
    ax.clabel(lines, fmt="%g", fontsize=8)
    ax.plot(
        *path.T, "o-", color="#1f5fa8", markersize=5, linewidth=1, label=f"{len(path) - 1} steps, learning rate 0.1"
    )
    ax.annotate("start (-3, 4)", path[0], textcoords="offset points", xytext=(8, 4))
    ax.plot(0, 0, "k*", markersize=12, label="lowest point")
    ax.set(aspect="equal", xlabel="x₀", ylabel="x₁", title="Gradient descent on f = x₀² + x₁² (grey: lines of equal f)")
    ax.legend(loc="lower right")
    return figure


def main(argv=None):
    arguments = common.parser(__doc__, pictures=True, random=False).parse_args(argv)
    start = np.array([-3.0, 4.0])
    print("x0² + x1² from (-3, 4), 100 steps; learning rate")
    for lr, texts in (
        (0.1, "[-6.1e-10 8.1e-10]"),
        (10.0, "too large, it diverges"),
        (1e-10, "too small, hardly moves"),
    ):
        end = bg.gradient_descent(bowl, start, lr=lr, step_num=100)
        common.say(f"  {lr:g}", f"[{end[0]:.9g} {end[1]:.9g}]", texts)
    print("\n0.01x² + 0.1x from 0, learning rate 0.002, on the way to -5; steps")
    for steps, texts in ((10_000, "-1.648426583231277"), (20_000, "-2.753391126403293")):
        common.say(f"  {steps:,}", bg.gradient_descent(valley, 0.0, lr=0.002, step_num=steps), texts)
    print()
    _, path = bg.gradient_descent(bowl, start, lr=0.1, step_num=20, path=True)
    common.save(draw(common.pyplot(arguments), path), arguments, "gradient_descent_path.png")


if __name__ == "__main__":
    main()
