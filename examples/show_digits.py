"""MNIST to look at: a page of its digits with their labels, and one digit as the numbers it is made of.

60,000 images to train on and 10,000 to test on, each 28 by 28 pixels from 0, paper, to 255, ink. All are in the
package: nothing is downloaded.

You learn what goes into the net that train_mnist.py trains.
"""

import numpy as np

import brickgrad as bg
import common


def as_text(image):
    """Return an image of 0..255 as lines of characters, darker ones for more ink."""
    ink = np.array(list(" .:+#"))[image.astype(int) * 5 // 256]
    return "\n".join("".join(row).rstrip() for row in ink if "".join(row).strip())


def main(argv=None):
    parser = common.parser(__doc__, pictures=True)
    parser.add_argument("--count", type=common.whole(1), default=100, metavar="N", help="digits to draw (default: 100)")
    parser.add_argument("--test", action="store_true", help="take the test set instead of the training set")
    parser.add_argument("--random", action="store_true", help="draw digits by lot, with --seed, instead of the first")
    arguments = parser.parse_args(argv)
    if arguments.count > 1000:
        parser.error(f"argument --count: must be at most 1000, a page; got {arguments.count}")

    train, test = bg.load_mnist(normalize=False, flatten=False)
    images, labels = test if arguments.test else train
    which = "test" if arguments.test else "training"
    common.say("training images, test images", f"{len(train[0])} {len(test[0])}", "60000 10000")
    common.say("shape of an image, smallest, largest value", f"{images.shape[1:]} {images.min()} {images.max()}")
    common.say("first training label", train[1][0], 5)
    print(f"\nThe first {which} image:\n{as_text(images[0, 0])}\n")

    numbers = np.arange(arguments.count)
    if arguments.random:
        numbers = np.random.default_rng(arguments.seed).choice(len(images), arguments.count, replace=False)
    chosen = f"by lot, seed {arguments.seed}" if arguments.random else "from the first on"
    common.pyplot(arguments)
    page = bg.plot_digits(images[numbers], labels[numbers], title=f"{arguments.count} {which} digits, {chosen}")
    common.save(page, arguments, "digits.png")


if __name__ == "__main__":
    main()
