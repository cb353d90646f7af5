"""Is backward right? The gradient by backpropagation beside the numerical one, parameter by parameter.

Backpropagation is fast and easy to get wrong; the numerical gradient is slow and hard to get wrong. Here both are
taken of TwoLayerNet on three real digits, and their mean absolute difference is printed: below 1e-9 is right. Then
bg.gradcheck, which asks for no tolerance, checks the same net, and a brick whose backward is wrong.
"""

import time

import numpy as np

import brickgrad as bg
import common


class WrongSquare(bg.Layer):
    """y = x², with a backward that forgot the 2."""

    def forward(self, x):
        """Return x²."""
        self.saved = x
        return x**2

    def backward(self, dy):
        """Return dy · x; it should be dy · 2x."""
        return dy * self.saved


def main(argv=None):
    made = common.parser(__doc__, pictures=True)
    made.add_argument("--hidden", type=common.whole(1), default=50, help="hidden nodes; fewer are faster (default: 50)")
    arguments = made.parse_args(argv)

    (x_train, t_train), _ = bg.load_mnist()
    x, t = x_train[:3].astype(np.float64), t_train[:3]
    net = bg.TwoLayerNet(784, arguments.hidden, 10, rng=arguments.seed, dtype=np.float64)
    print(f"TwoLayerNet(784, {arguments.hidden}, 10), {net.vector.size:,} parameters, a batch of 3")
    start = time.perf_counter()
    by_backprop = net.gradient(x, t)
    middle = time.perf_counter()
    by_differences = net.numerical_gradient(x, t)
    end = time.perf_counter()
    for name, gradient in by_backprop.items():
        difference = np.abs(gradient - by_differences[name]).mean()
        common.say(f"{name} mean absolute difference", f"{difference:.3g}  {'right' if difference < 1e-9 else 'WRONG'}")
    print(f"backpropagation took {1000 * (middle - start):.1f} ms, differences {end - middle:.1f} s\n")

    start = time.perf_counter()
    print(bg.gradcheck(net, x, t, rng=arguments.seed))
    print(f"bg.gradcheck took {time.perf_counter() - start:.1f} s")

    print("\nAnd of a brick whose backward forgot a factor:")
    report = bg.gradcheck(WrongSquare(), np.random.default_rng(arguments.seed).normal(size=(5, 3)))
    print(report)
    common.pyplot(arguments)
    common.save(report.plot().figure, arguments, "gradient_check.png")


if __name__ == "__main__":
    main()
