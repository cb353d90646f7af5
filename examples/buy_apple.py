"""Buying two apples: a first computational graph, forward and backward.

An apple costs 100, you buy 2, the tax is 10 %. Forward gives the price. Backward gives, for each of the three inputs,
how much the price grows when that input grows by one: a gradient. It is done twice, with two Mul layers called by hand
and with the same layers joined to a graph, which then calls them in order.

You learn what forward and backward of a layer are, and that backward runs the same way in reverse.
"""

import brickgrad as bg
import common

APPLE, COUNT, TAX = 100.0, 2.0, 1.1


def by_hand():
    """Return the price and the three gradients, from two layers."""
    mul_apple, mul_tax = bg.Mul(), bg.Mul()
    subtotal = mul_apple.forward(APPLE, COUNT)
    price = mul_tax.forward(subtotal, TAX)

    d_price = 1.0
    d_subtotal, d_tax = mul_tax.backward(d_price)
    d_apple, d_count = mul_apple.backward(d_subtotal)
    return price, (d_apple, d_count, d_tax)


def as_graph():
    """Return the same from a graph, and print what flows along each of its edges."""
    apple, count, tax = bg.Input("apple"), bg.Input("count"), bg.Input("tax")
    subtotal = apple * count
    price = subtotal * tax
    graph = bg.Graph([apple, count, tax], price)
    value = graph.forward(APPLE, COUNT, TAX)
    gradients = graph.backward(1.0)

    print("\nedge         value   gradient")
    for name, node in (("apple", apple), ("count", count), ("subtotal", subtotal), ("tax", tax), ("price", price)):
        print(f"{name:<10} {graph.value(node):7g} {graph.grad(node):10g}")
    return value, gradients


def main(argv=None):
    common.parser(__doc__, random=False).parse_args(argv)
    price, gradients = by_hand()
    common.say("price", f"{price:g}", 220)
    common.say("gradients of apple, count, tax", " ".join(f"{gradient:g}" for gradient in gradients), "2.2 110 200")
    same = as_graph() == (price, gradients)
    print(f"\nThe graph gives {'the same' if same else 'SOMETHING ELSE'}.")
    print(f"An apple at 101 makes the price {101 * COUNT * TAX:g}: {gradients[0]:g} more, as its gradient says.")


if __name__ == "__main__":
    main()
