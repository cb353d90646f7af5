"""The layout: every edge onward, nothing over anything else, few crossings, straight lines."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from brickgrad.drawing.layout import Block, Edge, in_order, place


def block(n_in=1, n_out=1, length=50.0, breadth=30.0):
    return Block(length, breadth, [breadth * (i + 1) / (n_in + 1) for i in range(n_in)], [breadth / 2] * n_out)


@st.composite
def wirings(draw):
    """Blocks, each fed by up to three earlier ones."""
    n = draw(st.integers(1, 14))
    blocks, edges = [], []
    for number in range(n):
        feeders = draw(st.lists(st.integers(0, number - 1), max_size=3)) if number else []
        sizes = draw(st.tuples(st.floats(10, 200), st.floats(10, 120)))
        blocks.append(block(len(feeders), 1, *sizes))
        edges += [Edge(feeder, 0, number, port) for port, feeder in enumerate(feeders)]
    return blocks, edges


def overlap(one, other):
    return (
        one.along < other.along + other.length - 1e-6
        and other.along < one.along + one.length - 1e-6
        and one.across < other.across + other.breadth - 1e-6
        and other.across < one.across + one.breadth - 1e-6
    )


@given(wirings())
@settings(max_examples=200, deadline=None)
def test_place_puts_no_block_over_another_and_every_edge_onward_past_all_blocks(wiring):
    blocks, edges = wiring
    placed = place(blocks, edges)
    for one, other in itertools.combinations(placed.blocks, 2):
        assert not overlap(one, other)
    for edge, line in zip(edges, placed.lines, strict=True):
        source, target = placed.blocks[edge.source], placed.blocks[edge.target]
        assert line[0] == (source.along + source.length, source.across + source.out_ports[0])
        assert line[-1] == (target.along, target.across + target.in_ports[edge.in_port])
        assert all(x <= after for (x, _), (after, _) in itertools.pairwise(line))
        for (x, y), (far, _) in list(itertools.pairwise(line))[1::2]:  # where it runs straight through a rank
            for other in placed.blocks:
                inside = other.across < y < other.across + other.breadth
                assert not (inside and other.along < far - 1e-6 and x + 1e-6 < other.along + other.length)
    assert all(b.across >= 0 and b.across + b.breadth <= placed.breadth + 1e-6 for b in placed.blocks)


def test_a_chain_is_a_straight_line():
    placed = place([block(0), block(), block(breadth=90.0)], [Edge(0, 0, 1, 0), Edge(1, 0, 2, 0)])
    assert [y for line in placed.lines for _, y in line] == pytest.approx([45.0] * 4)


def test_a_source_stands_right_before_what_it_feeds():
    blocks = [block(0), block(), block(), block(0), block(2)]
    edges = [Edge(0, 0, 1, 0), Edge(1, 0, 2, 0), Edge(2, 0, 4, 0), Edge(3, 0, 4, 1)]
    placed = place(blocks, edges)
    assert placed.blocks[3].along == placed.blocks[2].along


def test_edges_that_need_not_cross_do_not():
    blocks = [block(0) for _ in range(4)] + [block() for _ in range(4)]
    edges = [Edge(0, 0, 7, 0), Edge(1, 0, 6, 0), Edge(2, 0, 5, 0), Edge(3, 0, 4, 0)]
    placed = place(blocks, edges)
    heights = [(line[0][1], line[-1][1]) for line in placed.lines]
    for (start, end), (other, finish) in itertools.combinations(heights, 2):
        assert (start - other) * (end - finish) > 0


@given(st.lists(st.tuples(st.floats(-100, 100), st.floats(0.1, 5), st.floats(1, 20)), min_size=1, max_size=8))
@settings(deadline=None)
def test_in_order_is_the_least_squares_fit_that_keeps_the_order(rows):
    wanted, weights, sizes = (list(column) for column in zip(*rows, strict=True))
    found = in_order(wanted, weights, sizes)

    def cost(places):
        return sum(w * (p - q) ** 2 for w, p, q in zip(weights, places, wanted, strict=True))

    def allowed(places):
        return all(places[i + 1] >= places[i] + sizes[i] - 1e-9 for i in range(len(places) - 1))

    assert allowed(found)
    for start, end in itertools.combinations(range(len(rows) + 1), 2):
        for step in (-0.5, 0.5):
            moved = [p + step if start <= i < end else p for i, p in enumerate(found)]
            if allowed(moved):
                assert cost(moved) >= cost(found) - 1e-9
