"""What is wrong with a wiring is said when it is built: who, where both parties were written, and what is around."""

import gc

import numpy as np
import pytest

import brickgrad as bg


def message(build, *inputs_and_outputs, **options):
    with pytest.raises(ValueError, match="Graph: ") as caught:
        bg.Graph(*inputs_and_outputs, **options) if build is None else build()
    return str(caught.value)


def test_shapes_that_do_not_fit_name_who_needs_what_and_who_gives_what_with_their_places():
    x = bg.Input("x", (784,))
    h = bg.Affine(784, 50, name="enc")(x)
    y = bg.Affine(64, 10, name="head")(h)
    text = message(None, x, y)
    assert text.splitlines()[0] == (
        f"Graph: Affine[head] ({y.where}) needs (N, 64); Affine[enc] ({h.where}) gives (N, 50)."
    )
    assert f"Input[x] ({x.where}) -> Affine[enc] ({h.where}) -> Affine[head] ({y.where})   <- here" in text
    assert "x must be (N, 64) to match W (64, 10); got (N, 50)" in text


@pytest.mark.parametrize(
    ("layer", "shape", "needs"),
    [
        (lambda: bg.Convolution(4, 3, 3, 3, name="here"), (1, 8, 8), "(N, 3, H, W)"),
        (lambda: bg.BatchNormalization(5, name="here"), (4,), "(N, 5)"),
        (lambda: bg.LayerNormalization(5, name="here"), (4,), "(..., 5)"),
        (lambda: bg.MaxPooling(2, name="here"), (4,), "(N, C, H, W)"),
    ],
    ids=["Convolution", "BatchNormalization", "LayerNormalization", "MaxPooling"],
)
def test_layers_say_what_they_need(layer, shape, needs):
    x = bg.Input("x", shape)
    h = bg.Identity(name="before")(x)
    y = layer()(h)
    text = message(None, x, y)
    assert f"[here] ({y.where}) needs {needs}; Identity[before] ({h.where}) gives " in text


def test_two_values_that_cannot_be_joined_are_both_named():
    x, y = bg.Input("x", (3,)), bg.Input("y", (4,))
    a, b = bg.Tanh(name="a")(x), bg.Tanh(name="b")(y)
    out = bg.Add(name="sum")(a, b)
    text = message(None, [x, y], out)
    assert f"Add[sum] ({out.where}) cannot join them; Tanh[a] ({a.where}) gives (N, 3); Tanh[b] ({b.where}) " in text
    assert "Input[x]" in text.splitlines()[1]


def test_a_circle_names_all_that_are_in_it():
    x = bg.Input("x")
    first = bg.Add(name="first")(x, x)
    second = bg.ReLU(name="second")(first)
    first.call.inputs = (x, second)
    text = message(None, x, second)
    assert f"Add[first] ({first.where})" in text
    assert f"ReLU[second] ({second.where})" in text
    assert "circle" in text


def test_a_value_that_nothing_reads_is_named_with_what_it_is_made_from():
    x = bg.Input("x", (3,))
    h = bg.Tanh(name="hidden")(x)
    spare = bg.ReLU(name="spare")(h)
    out = bg.Affine(3, 2, name="head")(h)
    text = message(None, x, out)
    assert f"ReLU[spare] ({spare.where}), made from Tanh[hidden] ({h.where}), is read by nothing and is no" in text
    assert f"Join it to Affine[head] ({out.where})" in text
    assert "allow_unused=True" in text
    assert f"-> Tanh[hidden] ({h.where}) -> ReLU[spare] ({spare.where})   <- here" in text
    assert bg.Graph(x, out, allow_unused=True).forward(np.zeros((1, 3))).shape == (1, 2)
    assert bg.Graph(x, [out, spare]).n_outputs == 2


def test_an_output_of_several_that_nothing_reads_is_named_by_its_number():
    x = bg.Input("x", (4,))
    a, b = bg.Split(2, name="parts")(x)
    out = bg.Tanh(name="out")(a)
    text = message(None, x, out)
    assert f"output 2 of 2 of Split[parts] ({b.where}), made from Input[x] ({x.where}), is read by nothing" in text
    assert f"Tanh[out] ({out.where})" in text


def test_what_other_graphs_read_or_what_is_gone_dangles_not():
    x, t = bg.Input("x", (3,)), bg.Input("t", dtype=int)
    h = bg.Affine(3, 3, name="enc")(x)
    scores = bg.Affine(3, 2, name="head")(h)
    loss = bg.SoftmaxWithLoss()(scores, t)
    bg.Graph([x, t], loss)
    assert bg.Graph(x, scores).n_outputs == 1  # the loss hangs off it, and needs t
    assert bg.Graph(x, h).n_outputs == 1  # the head hangs off it, and is another graph's output
    del loss
    bg.Tanh()(x)  # was thrown away
    gc.collect()
    assert bg.Graph(x, [h]).n_outputs == 1


def test_training_and_inference_graphs_from_one_definition_share_their_layers():
    x, t = bg.Input("x", (3,)), bg.Input("t", dtype=int)
    scores = bg.Affine(3, 2, name="head", rng=0)(bg.Dropout(0.5, rng=0)(x))
    training, inference = bg.Graph([x, t], bg.SoftmaxWithLoss()(scores, t)), bg.Graph(x, scores)
    assert training.params["head.W"] is inference.params["head.W"]
    before = inference.params["head.W"].copy()
    training.forward(np.ones((2, 3)), np.array([0, 1]))
    training.backward()
    inference.params["head.W"] -= training.grads["head.W"]
    assert not np.array_equal(training.params["head.W"], before)


def test_an_input_given_twice_is_named_with_its_places_and_its_reader():
    x = bg.Input("x")
    out = bg.Tanh(name="out")(x)
    text = message(None, [x, x], out)
    assert f"Input[x] ({x.where}) stands twice among the inputs, at places 1, 2" in text
    assert f"Tanh[out] ({out.where})   <- here" in text


def test_an_input_that_reaches_no_output_is_named_with_the_outputs_there_are():
    x, spare = bg.Input("x"), bg.Input("spare")
    out = bg.Tanh(name="out")(x)
    text = message(None, [x, spare], out)
    assert f"Input[spare] ({spare.where}) reaches no output" in text
    assert f"Tanh[out] ({out.where})" in text
    assert f"Input[x] ({x.where}) -> Tanh[out] ({out.where})   <- here" in text


def test_a_node_that_hangs_on_an_input_not_given_is_named_with_it():
    x, other = bg.Input("x"), bg.Input("other")
    out = bg.Mul(name="out")(x, other)
    text = message(None, x, out)
    assert f"Input[other] ({other.where}) feeds Mul[out] ({out.where}) but is not among the graph's inputs (x)" in text
    assert "<- here" in text


def test_an_output_that_hangs_on_no_input_is_named():
    x, y = bg.Input("x"), bg.Input("y")
    out = bg.Tanh()(x)
    text = message(None, x, [out, y])
    assert f"the output Input[y] ({y.where}) depends on none of the graph's inputs, Input[x] ({x.where}). Join" in text


def test_a_lazily_sized_layer_is_named_with_what_it_gives_and_what_it_was_given():
    x, y = bg.Input("x", (8,)), bg.Input("y", (9,))
    lazy, head = bg.Affine(5, name="lazy"), bg.Affine(6, 3, name="head")
    h = lazy(x)
    out = head(h)
    text = message(None, x, out)
    assert f"Affine[head] ({out.where}) needs (N, 6); Affine[lazy] ({h.where}) gives (N, 5)" in text
    assert not lazy.sized
    again = lazy(y)
    text = message(None, [x, y], bg.Add()(h, again))
    assert f"Affine[lazy] ({again.where}) needs (N, 8); Input[y] ({y.where}) gives (N, 9)" in text
    assert not lazy.sized


def test_what_does_not_fit_in_a_graph_inside_is_named_with_the_places_inside_and_outside():
    u = bg.Input("u")
    inside = bg.Affine(64, 10, name="head")(bg.ReLU()(u))
    inner = bg.Graph(u, inside, name="inner")
    x = bg.Input("x", (784,))
    h = bg.Affine(784, 50, name="enc")(x)
    out = inner(h)
    text = message(None, x, out)
    assert f"Graph[inner] ({out.where}) needs (N, 64); Affine[enc] ({h.where}) gives (N, 50)" in text
    assert f"at Affine[head] ({inside.where}) in Graph[inner]" in text
    assert f"-> Affine[enc] ({h.where}) -> Graph[inner] ({out.where})   <- here" in text


def test_a_circle_through_a_graph_inside_names_its_place_outside():
    u, x = bg.Input("u"), bg.Input("x")
    inner = bg.Graph(u, bg.Tanh()(u), name="inner")
    first = inner(x)
    second = bg.ReLU(name="second")(first)
    first.call.inputs = (second,)
    text = message(None, x, second)
    assert f"Graph[inner] ({first.where}) -> ReLU[second] ({second.where}) -> Graph[inner] ({first.where})" in text


def test_what_cannot_be_brought_into_a_shape_is_not_said_to_need_any():
    x = bg.Input("x", (6,))
    y = bg.Reshape(4, 2, name="here")(x)
    text = message(None, x, y)
    assert f"Reshape[here] ({y.where}) cannot take it; Input[x] ({x.where}) gives (N, 6)." in text
    assert "with samples that fill (4, 2)" in text


def test_two_inputs_and_two_layers_of_one_name_are_named_with_both_places():
    one, two = bg.Input("x"), bg.Input("x")
    text = message(None, [one, two], one + two)
    assert one.where in text
    assert two.where in text
    x = bg.Input("x")
    first = bg.ReLU(name="same")(x)
    second = bg.Tanh(name="same")(first)
    text = message(None, x, second)
    assert f"ReLU at {first.where}" in text
    assert f"Tanh at {second.where}" in text


def test_a_name_with_a_dot_that_is_also_a_layer_of_a_graph_inside_is_refused_with_both_places():
    i, x = bg.Input("i", (4,)), bg.Input("x", (4,))
    enc = bg.Graph(i, bg.Affine(4, 4, rng=0, name="fc")(i), name="enc")
    out = bg.Affine(4, 2, rng=1, name="enc.fc")
    places = r"Affine of Graph\[enc\] \(\S+:\d+\) and Affine of Affine\[enc\.fc\] \(\S+:\d+\)"
    with pytest.raises(ValueError, match=rf"two layers have the name 'enc\.fc': {places}"):
        bg.Graph(x, out(bg.Tanh()(enc(x))))
