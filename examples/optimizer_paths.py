"""Four optimizers on their way down one valley, step by step.

The valley x²/20 + y² is twenty times as steep across as it is along, so its gradient hardly ever points to the lowest
point, (0, 0). From (-7, 2): SGD zigzags across it, Momentum rolls along and overshoots, AdaGrad shortens the steps
where it is steep, Adam does a little of both.

You learn what each optimizer makes of the same gradients.
"""

import numpy as np

import brickgrad as bg
import common

OPTIMIZERS = {
    "SGD": lambda: bg.SGD(lr=0.95),
    "Momentum": lambda: bg.Momentum(lr=0.1),
    "AdaGrad": lambda: bg.AdaGrad(lr=1.5),
    "Adam": lambda: bg.Adam(lr=0.3),
}
STEPS = 30


def valley(x, y):
    """Return x²/20 + y²."""
    return x**2 / 20 + y**2


def path_of(optimizer):
    """Return the points that an optimizer visits, from (-7, 2) on."""
    params = {"x": np.array(-7.0), "y": np.array(2.0)}
    points = [(-7.0, 2.0)]
    for _ in range(STEPS):
        optimizer.update(params, {"x": params["x"] / 10, "y": 2 * params["y"]})
        points.append((float(params["x"]), float(params["y"])))
    return np.array(points)


def draw(plt, paths):
    """Draw each path over the contour lines of the valley."""
    x, y = np.meshgrid(np.linspace(-10, 10, 201), np.linspace(-5, 5, 101))
    figure, panels = plt.subplots(2, 2, figsize=(11, 6.4), layout="constrained", sharex=True, sharey=True)
    for ax, (name, path) in zip(panels.flat, paths.items(), strict=True):
        ax.contour(x, y, valley(x, y), levels=[0.1, 0.5, 1, 2, 4, 7], colors="0.7", linewidths=0.8)
        ax.plot(*path.T, "o-", color="#1f5fa8", markersize=3.5, linewidth=1)
        ax.plot(*path[0], "o", color="#c2571a", label="start (-7, 2)")
        ax.plot(0, 0, "k+", markersize=12, label="lowest point")
        ax.set(title=f"{name}: {valley(*path[-1]):.2g} after {STEPS} steps", xlim=(-10, 10), ylim=(-5, 5))
    panels[0, 0].legend(loc="lower right", fontsize=8)
    for ax in panels[1]:
        ax.set_xlabel("x")
    for ax in panels[:, 0]:
        ax.set_ylabel("y")
    return figure


def main(argv=None):
    arguments = common.parser(__doc__, pictures=True, random=False).parse_args(argv)
    paths = {name: path_of(make()) for name, make in OPTIMIZERS.items()}
    print(f"x²/20 + y² from (-7, 2), {STEPS} steps           ends at             height")
    for name, path in paths.items():
        print(f"{OPTIMIZERS[name]()!s:<42} ({path[-1, 0]:8.4f}, {path[-1, 1]:8.4f})   {valley(*path[-1]):.5f}")
    print()
    common.save(draw(common.pyplot(arguments), paths), arguments, "optimizer_paths.png")


if __name__ == "__main__":
    main()
