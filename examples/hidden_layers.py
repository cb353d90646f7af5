"""What the layers of a convolution net make of one digit, from its pixels to ten scores.

A trained DeepConvNet is shown a digit. After each pair of convolutions with their ReLU and pooling there are more and
smaller pictures: 16 of 14 × 14 pixels, 32 of 8 × 8, 64 of 4 × 4. The first still show strokes and edges; the last hold
answers to questions of which only the net knows the meaning.

You learn to open a net and look at what is inside: every layer's output is an array like any other.
"""

import numpy as np

import brickgrad as bg
import common


def looks(net, x):
    """Return what came out of each layer, by the layer's place and kind."""
    net.eval()
    found = {}
    for number, layer in enumerate(net.layers, start=1):
        x = layer.forward(x)
        found[f"{number}: {type(layer).__name__}"] = x[0]
    return found


def tiles(maps, columns=16):
    """Return pictures side by side as one, with a line between them; each lit up by its own largest value."""
    rows = -(-len(maps) // columns)
    height, width = maps.shape[1:]
    page = np.full((rows * (height + 1) + 1, columns * (width + 1) + 1), np.nan)
    for number, picture in enumerate(maps):
        top, left = (1 + size * at for size, at in zip((height + 1, width + 1), divmod(number, columns), strict=True))
        page[top : top + height, left : left + width] = picture / max(picture.max(), 1e-12)
    return page


def draw(plt, picture, found):
    """Draw the digit, what came out of each pooling, and the chances of the ten classes."""
    pooled = {name: maps for name, maps in found.items() if "Pooling" in name}
    figure = plt.figure(figsize=(12, 7), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=[1, 4])
    digit, scores = left.subplots(2, 1)
    digit.imshow(picture, cmap="gray_r")
    digit.set_title("the digit")
    digit.axis("off")
    chances = bg.softmax(list(found.values())[-1])
    scores.barh(range(len(chances)), chances)
    scores.set(title="what the net says", xlabel="chance", xlim=(0, 1), yticks=range(len(chances)))
    scores.invert_yaxis()
    panels = right.subplots(len(pooled), 1, height_ratios=[-(-len(maps) // 16) for maps in pooled.values()])
    colours = plt.get_cmap("gray_r").with_extremes(bad="#c2571a")
    for ax, (name, maps) in zip(panels, pooled.items(), strict=True):
        ax.imshow(tiles(maps), cmap=colours, aspect="equal", interpolation="nearest")
        ax.set_title(f"after layer {name}: {len(maps)} pictures of {maps.shape[1]} x {maps.shape[2]}")
        ax.axis("off")
    return figure


def main(argv=None):
    parser = common.parser(__doc__, pictures=True)
    common.add_training(parser)
    parser.add_argument(
        "--digit", type=common.whole(0, 9999), default=0, metavar="N", help="of the test set (default: 0)"
    )
    parser.set_defaults(limit=5000, epochs=2)
    arguments = parser.parse_args(argv)
    net, (x, t) = common.train_convolution(arguments, bg.DeepConvNet(rng=arguments.seed, dropout_ratio=0.2))
    number = arguments.digit
    found = looks(net, x[number : number + 1])
    print(f"a {t[number]} on its way through the net")
    for name, values in found.items():
        share = f"{100 * np.mean(values == 0):.0f} % are 0"
        common.say(f"  {name}", f"{values.shape}, {values.min():.2f} to {values.max():.2f}, {share}")
    print()
    common.save(draw(common.pyplot(arguments), x[number, 0], found), arguments, "hidden_layers.png")


if __name__ == "__main__":
    main()
