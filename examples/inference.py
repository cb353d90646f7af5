"""Inference: what a trained net makes of the 10,000 test digits, one at a time and in batches.

The predictions are the same; the time is not. A batch turns many small products into one large one, which NumPy's
matrix product does far faster, and pays for Python once instead of a thousand times. The pixels are standardized
first: shifted and scaled to mean 0 and deviation 1 as measured on the training set, the test set by the same numbers.
"""

import time

import numpy as np

import brickgrad as bg
import common


def main(argv=None):
    made = common.parser(__doc__)
    made.add_argument("--epochs", type=common.whole(0), default=2, help="of training before (default: 2)")
    made.add_argument("--limit", type=common.whole(1), default=10_000, help="test digits to predict (default: 10000)")
    arguments = made.parse_args(argv)

    (x_train, t_train), (x_test, t_test) = bg.load_mnist()
    print(f"pixels        mean {x_train.mean():.3f}, deviation {x_train.std():.3f}")
    x_train, x_test = bg.standardize(x_train, x_test)
    print(
        f"standardized  mean {abs(x_train.mean()):.3f}, deviation {x_train.std():.3f}; pixels that never vary are 0\n"
    )
    x_test, t_test = x_test[: arguments.limit], t_test[: arguments.limit]
    net = bg.TwoLayerNet(784, 50, 10, "he", rng=arguments.seed)
    trainer = bg.Trainer(net, bg.SGD(lr=0.05), epochs=arguments.epochs, seed=arguments.seed, progress=False)
    trainer.fit(x_train, t_train)

    print("batch   accuracy   seconds   times faster")
    first = None
    for batch_size in (1, 10, 100, 1000):
        start = time.perf_counter()
        parts = [net.predict(x_test[i : i + batch_size]) for i in range(0, len(x_test), batch_size)]
        seconds = time.perf_counter() - start
        found = np.concatenate(parts).argmax(axis=1)
        first = first or (seconds, found)
        accuracy = 100 * np.mean(found == t_test)
        same = "" if np.array_equal(found, first[1]) else f"   {np.sum(found != first[1])} predictions differ"
        print(f"{batch_size:5}   {accuracy:6.2f} %   {seconds:7.3f}   {first[0] / seconds:12.1f}{same}")


if __name__ == "__main__":
    main()
