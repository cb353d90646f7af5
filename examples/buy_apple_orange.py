"""Buying apples and oranges: a graph in which two branches meet in a sum.

Two apples at 100 and three oranges at 150, tax 10 %. Add hands its gradient on to both branches as it is; Mul hands
each input the other one's value times what came in.

You learn how gradients travel through Add and Mul, and that a graph does by itself what you would write line by line.
"""

import brickgrad as bg
import common

APPLE, APPLE_COUNT, ORANGE, ORANGE_COUNT, TAX = 100.0, 2.0, 150.0, 3.0, 1.1


def by_hand():
    """Return the price and the gradients of apple count, apple, orange, orange count, tax, from four layers."""
    mul_apple, mul_orange, add, mul_tax = bg.Mul(), bg.Mul(), bg.Add(), bg.Mul()
    apples = mul_apple.forward(APPLE, APPLE_COUNT)
    oranges = mul_orange.forward(ORANGE, ORANGE_COUNT)
    subtotal = add.forward(apples, oranges)
    price = mul_tax.forward(subtotal, TAX)

    d_subtotal, d_tax = mul_tax.backward(1.0)
    d_apples, d_oranges = add.backward(d_subtotal)
    d_orange, d_orange_count = mul_orange.backward(d_oranges)
    d_apple, d_apple_count = mul_apple.backward(d_apples)
    return price, (d_apple_count, d_apple, d_orange, d_orange_count, d_tax)


def as_graph():
    """Return the same from a graph, in the same order."""
    apple_count, apple = bg.Input("apple count"), bg.Input("apple")
    orange, orange_count, tax = bg.Input("orange"), bg.Input("orange count"), bg.Input("tax")
    price = (apple * apple_count + orange * orange_count) * tax
    graph = bg.Graph([apple_count, apple, orange, orange_count, tax], price)
    return graph.forward(APPLE_COUNT, APPLE, ORANGE, ORANGE_COUNT, TAX), graph.backward(1.0)


def main(argv=None):
    common.parser(__doc__, random=False).parse_args(argv)
    price, gradients = by_hand()
    common.say("price", f"{price:g}", 715)
    names = ("apple count", "apple", "orange", "orange count", "tax")
    for name, gradient, texts in zip(names, gradients, (110, 2.2, 3.3, 165, 650), strict=True):
        common.say(f"gradient of {name}", f"{gradient:g}", texts)
    same = as_graph() == (price, gradients)
    print(f"\nThe graph gives {'the same' if same else 'SOMETHING ELSE'}.")


if __name__ == "__main__":
    main()
