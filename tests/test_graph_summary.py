"""The table of a graph: names, shapes, sizes and costs, against numbers worked out by hand."""

import numpy as np
import pytest

import brickgrad as bg


def rows(graph, batch=1):
    """Each line of the table as its cells, the head left out."""
    return [line.split() for line in graph.summary(batch).splitlines()[2:]]


def test_summary_is_a_table_with_totals():
    x = bg.Input("x", (2,))
    h = bg.Affine(2, 3, rng=0, name="enc")(x)
    graph = bg.Graph(x, bg.Affine(3, 4, rng=0, name="head")(bg.Tanh()(h) + h), name="g")
    assert graph.summary(10) == "\n".join(
        [
            "Graph[g], for a batch of 10",
            "name   layer   output  parameters  multiply-adds  bytes",
            "enc    Affine  (N, 3)           9             60    120",
            "tanh1  Tanh    (N, 3)           0              0    120",
            "add1   Add     (N, 3)           0              0    120",
            "head   Affine  (N, 4)          16            120    160",
            "total                          25            180    520",
        ]
    )


def test_summary_of_deep_conv_net_gives_the_products_worked_out_by_hand():
    found = {row[0]: int(row[-2].replace(",", "")) for row in rows(bg.DeepConvNet(rng=0).body)}
    assert found["conv1"] == 28 * 28 * 16 * 1 * 9
    assert found["conv3"] == 14 * 14 * 32 * 16 * 9
    assert found["conv4"] == 16 * 16 * 32 * 32 * 9  # pad 2
    assert found["conv6"] == 8 * 8 * 64 * 64 * 9
    assert found["affine7"] == 1024 * 50
    assert found["relu1"] == found["maxpooling1"] == 0
    assert found["total"] == sum(count for name, count in found.items() if name != "total")


@pytest.mark.parametrize(
    ("layer", "shape", "products"),
    [
        (bg.Convolution(6, 4, 3, 5, stride=2, groups=2, rng=0), (4, 11, 11), 5 * 4 * 6 * (4 // 2) * 15),
        (bg.Convolution(6, 4, 3, 3, dilation=2, rng=0), (4, 11, 11), 7 * 7 * 6 * 4 * 9),
        (bg.Affine(4, 6, rng=0), (3, 4), 3 * 4 * 6),
        (bg.Softplus(), (4,), 0),
    ],
    ids=["groups and stride", "dilation", "rows of rows", "entry by entry"],
)
def test_multiply_adds_count_products_of_a_batch(layer, shape, products):
    x = bg.Input("x", shape)
    assert int(rows(bg.Graph(x, layer(x)), 2)[0][-2].replace(",", "")) == 2 * products


def test_multiply_adds_of_a_product_of_two_values():
    x, y = bg.Input("x", (3, 4)), bg.Input("y", (4, 5))
    assert rows(bg.Graph([x, y], bg.MatMul()(x, y)), 7)[0][-2] == str(7 * 3 * 4 * 5)


def test_summary_tells_what_shares_what_and_counts_it_once():
    x, u = bg.Input("x", (6,)), bg.Input("u", (6,))
    enc = bg.Affine(6, 6, rng=0, name="enc")
    inside = bg.Graph(u, bg.ReLU()(enc(u)), name="inside")
    text = bg.Graph(x, enc(inside(x))).summary()
    assert "\n  enc    Affine" in text
    assert text.splitlines()[-1] == "enc shares its parameters with inside.enc: it is the same layer"
    assert text.splitlines()[-2].split() == ["total", "42", "72", "72"]


def test_summary_counts_a_graph_that_stands_at_two_places_once():
    x, u = bg.Input("x", (6,)), bg.Input("u", (6,))
    inside = bg.Graph(u, bg.ReLU()(bg.Affine(6, 6, rng=0, name="enc")(u)), name="inside")
    graph = bg.Graph(x, inside(inside(x)))
    text = graph.summary()
    assert text.splitlines()[-1] == "inside (2) shares its parameters with inside: it is the same layer"
    assert text.splitlines()[-2].split() == ["total", "42", "72", "96"]
    assert "it is the same layer" not in "".join(text.splitlines()[:-1])
    assert sum(param.size for param in graph.params.values()) == 42


def test_summary_with_sizes_unknown_says_so():
    shared = bg.Affine(3, 3, name="same")
    x = bg.Input("x")
    graph = bg.Graph(x, bg.Affine(2, name="lazy")(shared(x)))
    assert rows(graph) == [
        ["same", "Affine", "?", "12", "?", "?"],
        ["lazy", "Affine", "?", "0", "?", "?"],
        ["total", "12", "0", "0"],
    ]


def test_summary_counts_bytes_in_the_parameters_precision():
    x = bg.Input("x", (2,))
    graph = bg.Graph(x, bg.Affine(2, 3, dtype=np.float64)(x))
    assert rows(graph, 10)[0][-1] == str(10 * 3 * 8)


def test_summary_of_a_layer_with_several_outputs_counts_them_all():
    x = bg.Input("x", (5,))
    a, b = bg.Split([2, 3])(x)
    assert "split1  Split  2 outputs" in bg.Graph(x, [a, b]).summary()
    assert rows(bg.Graph(x, [a, b]), 3)[0][-1] == str(3 * 5 * 4)


def rows_of(text):
    return {line.split()[0]: line.split()[-3:] for line in text.splitlines()[2:]}


@pytest.mark.parametrize("shape", [(4,), None])
def test_bricks_of_a_graph_inside_are_counted_for_what_flows_here(shape):
    i, x = bg.Input("i", shape), bg.Input("x", (3, 4))
    inner = bg.Graph(i, bg.Affine(4, 4, rng=0)(i), name="n")
    rows = rows_of(bg.Graph(x, inner(x)).summary(2))
    assert rows["affine1"] == rows["total"] == ["20", "96", "96"]
    assert rows["n"][-1] == "96"


def test_a_graph_inside_without_parameters_has_the_precision_of_the_whole():
    i, x = bg.Input("i", (4,)), bg.Input("x", (4,))
    inner = bg.Graph(i, bg.ReLU()(i), name="n")
    rows = rows_of(bg.Graph(x, inner(bg.Affine(4, 4, rng=0, dtype=np.float64)(x))).summary(2))
    assert [rows[name][-1] for name in ("affine1", "n", "relu1", "total")] == ["64", "64", "64", "128"]


def test_a_lone_number_takes_its_bytes_too():
    x, t = bg.Input("x", (3,)), bg.Input("t", (), dtype=int)
    assert rows_of(bg.Graph([x, t], bg.SoftmaxWithLoss()(x, t)).summary(5))["total"][-1] == "4"


@pytest.mark.parametrize("batch", [-1, 2.5, "a", True])
def test_bad_batches_are_refused(batch):
    x = bg.Input("x", (3,))
    with pytest.raises(ValueError, match=r"^Graph\.summary: batch must be a whole number"):
        bg.Graph(x, bg.ReLU()(x)).summary(batch)
