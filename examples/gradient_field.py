"""The gradient as a field of arrows: where each point of x0² + x1² would roll.

The gradient holds the partial derivatives. Its negative points to where the function falls most steeply, and is longer
where it is steeper. On the bowl x0² + x1² all arrows point to the lowest point.

You learn what the gradient that training follows looks like, on a function that can be drawn.
"""

import numpy as np

import brickgrad as bg
import common


def f(x):
    """Return x0² + x1²."""
    return np.sum(x**2)


def draw_surface(plt):
    """Draw the bowl."""
    ticks = np.linspace(-3, 3, 61)
    x0, x1 = np.meshgrid(ticks, ticks)
    figure = plt.figure(figsize=(6.5, 5.5), layout="constrained")
    ax = figure.add_subplot(projection="3d")
    ax.plot_surface(x0, x1, x0**2 + x1**2, cmap="viridis", linewidth=0.2, edgecolor="0.4", rcount=30, ccount=30)
    ax.set(xlabel="x₀", ylabel="x₁", zlabel="f", title="f(x₀, x₁) = x₀² + x₁²")
    ax.set_box_aspect(None, zoom=0.88)
    return figure


def draw_arrows(plt):
    """Draw the negative gradient at the points of a grid."""
    ticks = np.arange(-2, 2.01, 0.5)
    points = np.stack(np.meshgrid(ticks, ticks), axis=-1).reshape(-1, 2)
    downhill = np.array([-bg.numerical_gradient(f, point) for point in points])
    figure, ax = plt.subplots(figsize=(6.5, 6), layout="constrained")
    ax.quiver(*points.T, *downhill.T, angles="xy", scale_units="xy", scale=10, color="#1f5fa8", width=0.005)
    ax.plot(0, 0, "k*", markersize=12, label="lowest point")
    ax.set(xlim=(-2.3, 2.3), ylim=(-2.3, 2.3), aspect="equal", xlabel="x₀", ylabel="x₁")
    ax.set_title("The negative gradient of x₀² + x₁²\n(arrows a tenth of their true length)")
    ax.grid(alpha=0.3)
    ax.legend(loc="upper right")
    return figure


def main(argv=None):
    arguments = common.parser(__doc__, pictures=True, random=False).parse_args(argv)
    for at, texts in (((3.0, 4.0), "[6. 8.]"), ((0.0, 2.0), "[0. 4.]"), ((3.0, 0.0), "[6. 0.]")):
        gradient = bg.numerical_gradient(f, np.array(at))
        common.say(f"gradient of x0² + x1² at ({at[0]:g}, {at[1]:g})", gradient.round(9), texts)
    print()
    plt = common.pyplot(arguments)
    common.save(draw_surface(plt), arguments, "surface.png")
    common.save(draw_arrows(plt), arguments, "gradient_field.png")


if __name__ == "__main__":
    main()
