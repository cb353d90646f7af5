"""Derivatives from function values alone: the slope of a chord that is short, but not too short.

The slope of 0.01x² + 0.1x by the central difference (f(x + h) - f(x - h)) / 2h, with h = 1e-4, and the tangents that it
gives at 5 and 10; why a smaller h is not always better, and why the central difference beats the forward one; partial
derivatives of x0² + x1².

You learn how to get any derivative without calculus, and how far to trust it: this is what the gradient checker uses.
"""

import numpy as np

import brickgrad as bg
import common


def f(x):
    """Return 0.01x² + 0.1x."""
    return 0.01 * x**2 + 0.1 * x


def forward_difference(f, x, h):
    """Return the slope of the chord from x to x + h."""
    return (f(x + h) - f(x)) / h


def print_why_not_smaller():
    """Print what becomes of a step of 1e-50, and the error of both differences for some steps."""
    print("\nWhy not h = 1e-50?")
    common.say("  np.float32(1e-50)", np.float32(1e-50), "0.0")
    common.say("  in float64, 5 + 1e-50 == 5", 5 + 1e-50 == 5)
    common.say("  so the slope at 5 comes out as", bg.numerical_diff(f, 5, h=1e-50))
    print("\nerror of the slope of exp at 1      forward      central")
    for h in (1e-1, 1e-2, 1e-4, 1e-6, 1e-10, 1e-14):
        forward = abs(forward_difference(np.exp, 1.0, h) - np.e)
        central = abs(bg.numerical_diff(np.exp, 1.0, h) - np.e)
        print(f"  h = {h:<28g} {forward:10.1e}   {central:10.1e}")
    print("The forward error shrinks as h, the central one as h², until round-off, about 1e-16 / h, takes over.")


def draw_tangents(plt):
    """Draw f and its tangents at 5 and 10, their slopes taken numerically."""
    figure, panels = plt.subplots(1, 2, figsize=(10, 4), layout="constrained", sharey=True)
    x = np.linspace(0, 20, 201)
    for ax, at in zip(panels, (5, 10), strict=True):
        slope = bg.numerical_diff(f, at)
        ax.plot(x, f(x), label="f(x) = 0.01x² + 0.1x")
        ax.plot(x, f(at) + slope * (x - at), "--", label=f"tangent, slope {slope:.4f}")
        ax.plot(at, f(at), "ko", markersize=5)
        ax.set(xlabel="x", title=f"The tangent at x = {at}")
        ax.grid(alpha=0.3)
        ax.legend(loc="upper left")
    panels[0].set_ylabel("f(x)")
    return figure


def draw_errors(plt):
    """Draw the error of both differences over h."""
    steps = np.logspace(-15, 0, 151)
    figure, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
    kinds = (
        ("forward: (f(x + h) - f(x)) / h", forward_difference),
        ("central: (f(x + h) - f(x - h)) / 2h", bg.numerical_diff),
    )
    for label, difference in kinds:
        error = [abs(difference(np.exp, 1.0, h) - np.e) for h in steps]
        ax.loglog(steps, np.maximum(error, 1e-16), label=label)
    ax.axvline(1e-4, color="k", linewidth=0.8, linestyle=":", label="h = 1e-4, the texts' step")
    ax.set(
        xlabel="step h",
        ylabel="error of the slope",
        title="The slope of exp at 1: too long a step, and too short a one",
    )
    ax.annotate("round-off", (3e-13, 3e-2))
    ax.annotate("the curve bends", (4e-3, 1e-6))
    ax.grid(alpha=0.3)
    ax.legend(loc="lower left")
    return figure


def main(argv=None):
    arguments = common.parser(__doc__, pictures=True, random=False).parse_args(argv)
    texts = {5: "0.1999999999990898", 10: "0.2999999999986347", 15: "0.4000000000026205", -10: "-0.0999999999995449"}
    for at, value in texts.items():
        common.say(f"slope of 0.01x² + 0.1x at {at}", bg.numerical_diff(f, at), value)
    print("\nPartial derivatives of x0² + x1² at (3, 4): one variable moves, the other stands still.")
    common.say("  by x0", bg.numerical_diff(lambda x0: x0 * x0 + 4.0**2.0, 3.0), "6.00000000000378")
    common.say("  by x1", bg.numerical_diff(lambda x1: 3.0**2.0 + x1 * x1, 4.0), "7.999999999999119")
    print_why_not_smaller()
    print()
    plt = common.pyplot(arguments)
    common.save(draw_tangents(plt), arguments, "tangents.png")
    common.save(draw_errors(plt), arguments, "difference_errors.png")


if __name__ == "__main__":
    main()
