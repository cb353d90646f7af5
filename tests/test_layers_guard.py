"""What every call of a layer is checked for: errors by their parts (who, which argument, what came), without trace."""

import contextlib

import numpy as np
import pytest
from layer_table import (
    Case,
    bits,
    float_inputs,
    over_cases,
    over_dtypes,
    over_layers,
    rewind,
    run,
    set_up,
    several,
    sized,
)

import brickgrad as bg

NOT_NUMBERS = {
    "text": ("abc", "str 'abc'"),
    "bytes": (b"abc", "bytes b'abc'"),
    "texts": (["a", "b"], "list ['a', 'b']"),
    "array of text": (np.array(["a", "b"]), "an array of <U1 with shape (2,)"),
    "None": (None, "NoneType None"),
    "complex": (np.zeros((4, 2), complex), "an array of complex128 with shape (4, 2)"),
    "complex number": (1j, "complex 1j"),
    "ragged": ([[1.0, 2.0], [3.0]], "list [[1.0, 2.0], [3.0]]"),
    "objects": (np.array([{}, None]), "an array of object with shape (2,)"),
    "dict": ({"a": 1}, "dict {'a': 1}"),
}
over_not_numbers = pytest.mark.parametrize(("value", "shown"), NOT_NUMBERS.values(), ids=NOT_NUMBERS.keys())


@contextlib.contextmanager
def no_trace(layer, d_outputs):
    """The layer is after the block as it was before: parameters, gradients, what is saved, and what backward gives."""

    def state():
        memory = layer.memory
        return bits(layer.params), bits(layer.grads), id(memory.saved), memory.inputs[:], memory.outputs[:]

    results = bits(several(layer.backward(*d_outputs)))
    before = state()
    yield
    assert state() == before
    assert bits(several(layer.backward(*d_outputs))) == results
    assert state() == before


def input_name(layer, index):
    return layer.input_names[index] if index < len(layer.input_names) else f"input {index}"


def ready(entry, case=None):
    """A named layer that has run, its inputs and the gradients of its outputs."""
    case = case or Case(seed=3)
    layer, inputs = set_up(entry, case)
    layer.name = "brick"
    outcome = run(layer, inputs)
    return layer, inputs, outcome.d_outputs


# What no layer can work with ------------------------------------------------------------------------------------------


@over_layers
@over_not_numbers
def test_forward_input_of_no_numbers_is_type_error_without_trace(entry, value, shown):
    layer, inputs, d_outputs = ready(entry)
    for index in range(len(inputs)):
        bad = [value if i == index else x for i, x in enumerate(inputs)]
        with no_trace(layer, d_outputs), pytest.raises(TypeError) as error:
            layer.forward(*bad)
        name = input_name(layer, index)
        assert str(error.value) == f"{type(layer).__name__}[brick].forward: {name} must hold numbers; got {shown}."


@over_layers
@pytest.mark.parametrize("dtype", [np.uint8, np.int64, bool])
def test_forward_array_of_integers_is_type_error_that_says_how_to_convert(entry, dtype):
    layer, inputs, d_outputs = ready(entry)
    for index in float_inputs(entry, inputs):
        bad = [np.ones((2, 1, 28, 28), dtype) if i == index else x for i, x in enumerate(inputs)]
        with no_trace(layer, d_outputs), pytest.raises(TypeError) as error:
            layer.forward(*bad)
        name = input_name(layer, index)
        assert str(error.value) == (
            f"{type(layer).__name__}[brick].forward: {name} must hold floats; got an array of {np.dtype(dtype)} with "
            f"shape (2, 1, 28, 28). Convert it first, for images with {name}.astype(np.float32) / 255."
        )


@over_layers
def test_forward_with_the_wrong_number_of_inputs_is_type_error_that_lists_them(entry):
    layer, inputs, d_outputs = ready(entry)
    who = f"{type(layer).__name__}[brick].forward"
    many = "at least 1 inputs" if isinstance(layer, bg.Concat) else None
    wanted = many or f"{len(inputs)} input{'s' * (len(inputs) > 1)} ({', '.join(layer.input_names)})"
    with no_trace(layer, d_outputs), pytest.raises(TypeError) as error:
        layer.forward()
    assert str(error.value) == f"{who}: takes {wanted}; got 0."
    if not many:
        with no_trace(layer, d_outputs), pytest.raises(TypeError) as error:
            layer.forward(*inputs, inputs[0])
        assert str(error.value) == f"{who}: takes {wanted}; got {len(inputs) + 1}."


def test_forward_long_text_is_cut_in_the_error():
    with pytest.raises(TypeError) as error:
        bg.Identity().forward("a" * 10_000)
    assert str(error.value) == "Identity.forward: x must hold numbers; got str '" + "a" * 36 + "...."


# Numbers and lists ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [2, 2.0, True, np.float64(2)])
@over_dtypes
def test_forward_numbers_take_the_precision_of_the_array_beside_them(dtype, number):
    x = np.array([1.0, 3.0], dtype)
    for add, inputs in [(bg.Add(), (x, number)), (bg.Add(), (number, x))]:
        z = add.forward(*inputs)
        assert z.dtype == dtype
        assert z.tolist() == [1.0 + number, 3.0 + number]
        assert sorted(np.shape(g) for g in add.backward(np.ones(2, dtype))) == [(), (2,)]


def test_forward_numbers_alone_are_float64():
    y = bg.Add().forward(1, True)
    assert (y, y.dtype) == (2.0, np.float64)


def test_forward_numpy_number_of_float32_is_not_promoted_by_float64():
    with pytest.raises(TypeError, match=r"^Add\.forward: x is float64 but y is float32"):
        bg.Add().forward(np.ones(2), np.float32(1))


def test_forward_lists_are_float64_arrays():
    relu = bg.ReLU()
    y = relu.forward([[1, -2], [3, 4]])
    assert (y.dtype, y.tolist()) == (np.float64, [[1.0, 0.0], [3.0, 4.0]])
    assert relu.backward([[5, 6], [7, 8]]).tolist() == [[5.0, 0.0], [7.0, 8.0]]


@over_layers
@over_cases(2)
def test_forward_single_values_come_back_as_numpy_numbers(entry, case):
    layer, inputs = sized(entry, case)
    for y in several(layer.forward(*inputs)):
        assert isinstance(y, np.float64) == (y.shape == ())


def test_backward_without_argument_is_of_one_for_a_lone_number():
    loss = bg.MeanSquaredLoss()
    loss.forward(np.array([3.0]), np.array([1.0]))
    assert loss.backward()[0].tolist() == loss.backward(1.0)[0].tolist() == [2.0]


# Inputs by name -------------------------------------------------------------------------------------------------------


@over_layers
@over_cases(2)
def test_forward_inputs_by_name_give_the_same(entry, case):
    layer, inputs = sized(entry, case)
    names = layer.input_names

    def forward(*given, **named):
        rewind(layer)
        return bits(several(layer.forward(*given, **named)))

    expected = forward(*inputs[: len(names)])
    by_name = dict(zip(names, inputs, strict=False))
    assert forward(**by_name) == expected
    assert forward(**dict(reversed(by_name.items()))) == expected
    assert forward(inputs[0], **{name: by_name[name] for name in names[1:]}) == expected


@pytest.mark.parametrize(
    ("places", "named", "came"),
    [
        ((), {"x": 1.0}, "0 by place and x by name"),
        ((1.0,), {"x": 1.0}, "1 by place and x by name"),
        ((), {"x": 1.0, "z": 1.0}, "0 by place and x, z by name"),
        ((1.0, 2.0), {"y": 1.0}, "2 by place and y by name"),
    ],
)
def test_forward_wrong_names_are_type_error_that_lists_the_right_ones(places, named, came):
    with pytest.raises(TypeError) as error:
        bg.Add(name="sum").forward(*places, **named)
    assert str(error.value) == f"Add[sum].forward: takes the inputs (x, y); got {came}."


class Scale(bg.Layer):
    """A user's layer whose second input may be left out."""

    def forward(self, x, factor=2.0):
        self.saved = factor
        return x * factor

    def backward(self, dy):
        return dy * self.saved


def test_forward_input_with_a_default_may_be_left_out_by_place_and_by_name():
    x = np.array([1.0, 2.0])
    assert Scale().forward(x).tolist() == [2.0, 4.0]
    assert Scale().forward(x=x).tolist() == [2.0, 4.0]
    assert Scale().forward(x, factor=3.0).tolist() == [3.0, 6.0]
    with pytest.raises(TypeError, match=r"Scale\.forward: takes .*; got 0"):
        Scale().forward()


# Backward's arguments -------------------------------------------------------------------------------------------------


@over_layers
@over_cases(2)
def test_backward_gradient_of_another_shape_is_value_error_without_trace(entry, case):
    layer, _, d_outputs = ready(entry, case)
    (dy,) = d_outputs
    for other in (np.ones((*dy.shape, 2)), np.ones((13, *dy.shape)), np.ones(dy.shape[1:]) if dy.ndim else np.ones(1)):
        with no_trace(layer, d_outputs), pytest.raises(ValueError, match="gradient dy must be") as error:
            layer.backward(other)
        assert str(error.value) == (
            f"{type(layer).__name__}[brick].backward: the gradient dy must be {dy.shape}, as the output y; "
            f"got {other.shape}."
        )


@over_layers
def test_backward_with_the_wrong_number_of_gradients_is_type_error_without_trace(entry):
    layer, _, d_outputs = ready(entry)
    (dy,) = d_outputs
    for wrong in ((dy, dy), (dy, dy, dy), *([()] if dy.ndim else [])):
        with no_trace(layer, d_outputs), pytest.raises(TypeError) as error:
            layer.backward(*wrong)
        assert str(error.value) == (
            f"{type(layer).__name__}[brick].backward: takes 1 gradient, one for each output; got {len(wrong)}."
        )


@over_layers
@over_not_numbers
def test_backward_gradient_of_no_numbers_is_type_error_without_trace(entry, value, shown):
    layer, _, d_outputs = ready(entry)
    with no_trace(layer, d_outputs), pytest.raises(TypeError) as error:
        layer.backward(value)
    assert str(error.value).startswith(f"{type(layer).__name__}[brick].backward: the gradient dy must hold numbers; ")
    assert shown in str(error.value)


@over_layers
@over_dtypes
def test_backward_gradient_of_lists_integers_or_other_precision_is_taken_in_the_outputs(entry, dtype):
    layer, inputs = set_up(entry, Case(), dtype)
    (y,) = several(layer.forward(*inputs))
    dy = np.full(y.shape, 3, dtype)
    expected = bits(several(layer.backward(dy)))
    for other in (dy.tolist(), dy.astype(int), dy.astype(np.float32), dy.astype(np.float64)):
        assert bits(several(layer.backward(other))) == expected


# Users' layers that break their half of the contract ------------------------------------------------------------------


class Faulty(bg.Layer):
    """A user's layer: what it gives is set from outside."""

    def __init__(self, give=None, give_back=None):
        self.give, self.give_back = give, give_back

    def forward(self, x):
        self.saved = x * 10
        return self.give(x)

    def backward(self, dy):
        return self.give_back(dy)


def same(x):
    return x.copy()


@pytest.mark.parametrize(
    ("give", "shown"),
    [
        (lambda x: None, "NoneType None"),
        (lambda x: [1.0, 2.0], "list [1.0, 2.0]"),
        (lambda x: "abc", "str 'abc'"),
        (lambda x: (x, None), "NoneType None"),
    ],
)
def test_forward_that_returns_no_array_is_type_error_with_what_it_returned(give, shown):
    with pytest.raises(TypeError) as error:
        Faulty(give).forward(np.ones(3))
    assert str(error.value) == f"Faulty.forward: must return an array; it returned {shown}."


def test_forward_that_promotes_is_type_error_with_both_precisions():
    promotes = Faulty(lambda x: x * np.ones(3))
    with pytest.raises(TypeError) as error:
        promotes.forward(np.ones(3, np.float32))
    assert str(error.value).startswith("Faulty.forward: took float32 and gave float64; ")
    assert "write float(np.sqrt(2))" in str(error.value)


def test_forward_that_demotes_is_type_error_with_both_precisions():
    with pytest.raises(TypeError, match=r"^Faulty\.forward: took float64 and gave float32; "):
        Faulty(lambda x: x.astype(np.float32)).forward(np.ones(3))


def test_forward_promoted_by_a_parameter_is_type_error_that_names_it():
    promotes = Faulty(lambda x: x * promotes.params["W"])
    promotes.params["W"] = np.ones(3)
    with pytest.raises(TypeError, match=r"took float32 and gave float64.* parameter W is float64.*W\.astype\(x\.dtype"):
        promotes.forward(np.ones(3, np.float32))


@pytest.mark.parametrize(("give", "count"), [(lambda x: (x, x), 2), (lambda x: (), 0)])
def test_forward_of_other_outputs_than_it_says_is_type_error_without_trace(give, count):
    faulty = Faulty(same, lambda dy: dy * faulty.saved)
    faulty.forward(np.ones(2))
    faulty.give = give
    with no_trace(faulty, (np.ones(2),)), pytest.raises(TypeError) as error:
        faulty.forward(np.ones(3))
    assert str(error.value) == (
        f"Faulty.forward: must return 1 output, as its n_outputs says; it returned {count}. "
        f"Say n_outputs = {count} in the class."
    )


def test_backward_that_sets_no_gradient_of_a_parameter_is_type_error_that_names_it():
    faulty = Faulty(same, same)
    faulty.params["W"], faulty.params["b"] = np.ones(2), np.ones(2)
    faulty.grads["b"] = np.ones(2)
    faulty.forward(np.ones(2))
    with pytest.raises(TypeError) as error:
        faulty.backward(np.ones(2))
    assert str(error.value) == "Faulty.backward: must set grads of every parameter; it set none of W."


@over_dtypes
def test_forward_that_returns_a_python_number_gives_the_inputs_precision(dtype):
    y = Faulty(lambda x: float(x.sum())).forward(np.ones(3, dtype))
    assert (y, y.dtype) == (3.0, dtype)


def test_forward_of_integers_that_returns_a_python_number_keeps_its_fraction():
    class Share(bg.Layer):
        integer_inputs = ("ids",)

        def forward(self, ids):
            return float(np.mean(ids > 1))

    y = Share().forward(np.array([1, 2]))
    assert (y, y.dtype) == (0.5, np.float64)


def test_forward_may_return_integers():
    y = Faulty(lambda x: x.argmax(axis=-1)).forward(np.array([[1.0, 3.0], [2.0, 0.0]], np.float32))
    assert y.tolist() == [1, 0]
    assert y.dtype.kind == "i"


def test_forward_without_inputs_is_a_source():
    class Source(bg.Layer):
        def forward(self):
            return 3.0

        def backward(self, dy):
            return ()

    source = Source()
    assert source.forward() == 3.0
    assert source.backward(1.0) == ()
    with pytest.raises(TypeError, match=r"^Source\.forward: takes 0 inputs \(\); got 1\.$"):
        source.forward(1.0)


@pytest.mark.parametrize("give", [lambda x: None, lambda x: x.astype(np.float32), lambda x: 1 / 0])
def test_forward_that_fails_late_leaves_no_trace(give):
    faulty = Faulty(same, lambda dy: dy * faulty.saved)
    d_outputs = (np.array([1.0, 2.0]),)
    faulty.forward(np.array([3.0, 4.0]))
    faulty.give = give
    with no_trace(faulty, d_outputs), pytest.raises((TypeError, ZeroDivisionError)):
        faulty.forward(np.array([5.0, 6.0, 7.0]))


def backward_of(give_back, dtype=np.float64):
    faulty = Faulty(same, give_back)
    faulty.forward(np.ones((2, 3), dtype))
    return faulty.backward(np.ones((2, 3), dtype))


def test_backward_gradient_returned_in_another_shape_is_value_error_with_both():
    with pytest.raises(ValueError, match="must be") as error:
        backward_of(lambda dy: dy.T)
    assert str(error.value) == "Faulty.backward: the gradient of x must be (2, 3), as x; it returned (3, 2)."


def test_backward_gradient_returned_in_another_precision_is_type_error_with_both():
    with pytest.raises(TypeError) as error:
        backward_of(lambda dy: dy.astype(np.float64), np.float32)
    assert str(error.value) == "Faulty.backward: the gradient of x must be float32, as x; it returned float64."


def test_backward_none_returned_for_a_float_input_is_type_error():
    with pytest.raises(TypeError) as error:
        backward_of(lambda dy: None)
    assert str(error.value) == (
        "Faulty.backward: returned None for the gradient of x; it must be an array of shape (2, 3)."
    )


def test_backward_none_returned_for_an_unwanted_input_is_right():
    faulty = Faulty(same, lambda dy: None)
    faulty.memory = bg.Memory(wanted=(False,))
    faulty.forward(np.ones(3))
    assert faulty.backward(np.ones(3)) is None


@pytest.mark.parametrize(("give_back", "count"), [(lambda dy: (dy, dy), 2), (lambda dy: (), 0)])
def test_backward_too_many_or_few_gradients_returned_is_type_error(give_back, count):
    with pytest.raises(TypeError) as error:
        backward_of(give_back)
    assert str(error.value) == (
        f"Faulty.backward: must return one gradient for each of its 1 inputs; it returned {count}."
    )


def test_backward_python_numbers_and_lists_returned_take_the_inputs_precision():
    faulty = Faulty(lambda x: x.sum(), lambda dy: [1.0, 2.0])
    faulty.forward(np.ones(2, np.float32))
    dx = faulty.backward(1.0)
    assert (dx.dtype, dx.tolist()) == (np.float32, [1.0, 2.0])

    faulty = Faulty(same, lambda dy: 2.0)
    faulty.forward(np.float32(3))
    dx = faulty.backward(1.0)
    assert (dx, dx.dtype) == (2.0, np.float32)


# Several outputs, and layers made from layers -------------------------------------------------------------------------


class Halves(bg.Layer):
    """A user's layer with two outputs."""

    n_outputs = 2

    def forward(self, x):
        self.saved = x.shape
        return x[:1].copy(), x[1:].copy()

    def backward(self, d_first, d_rest):
        return np.concatenate([d_first, d_rest])


def test_layer_of_two_outputs_takes_a_gradient_for_each():
    halves = Halves()
    first, rest = halves.forward(np.array([1.0, 2.0, 3.0]))
    assert (first.tolist(), rest.tolist()) == ([1.0], [2.0, 3.0])
    assert halves.backward([10.0], [20.0, 30.0]).tolist() == [10.0, 20.0, 30.0]
    with pytest.raises(TypeError, match=r"^Halves\.backward: takes 2 gradients, one for each output; got 1\.$"):
        halves.backward(np.array([10.0]))
    with pytest.raises(TypeError, match=r"^Halves\.backward: takes 2 gradients, one for each output; got 0\.$"):
        halves.backward()
    assert bg.gradcheck(halves, np.array([1.0, 2.0, 3.0])).passed


class ImageAffine(bg.Affine):
    """A user's layer that flattens its input and unfolds its output around Affine's own forward and backward."""

    def forward(self, x):
        self.shape = x.shape
        return super().forward(x.reshape(len(x), -1)).reshape(len(x), 2, -1)

    def backward(self, dy):
        return super().backward(dy.reshape(len(dy), -1)).reshape(self.shape)


def test_layer_that_wraps_its_parents_forward_in_other_shapes_works():
    wrapped, plain = ImageAffine(6, 4, rng=0, dtype=np.float64), bg.Affine(6, 4, rng=0, dtype=np.float64)
    x, dy = np.arange(18.0).reshape(3, 2, 3), np.arange(12.0).reshape(3, 2, 2)
    assert wrapped.forward(x).tolist() == plain.forward(x.reshape(3, 6)).reshape(3, 2, 2).tolist()
    assert wrapped.backward(dy).tolist() == plain.backward(dy.reshape(3, 4)).reshape(3, 2, 3).tolist()
    assert bits(wrapped.grads) == bits(plain.grads)


class Doubled(bg.Affine):
    """A user's layer that doubles its parent's output."""

    def forward(self, x):
        return 2.0 * super().forward(x)

    def backward(self, dy):
        return super().backward(2.0 * dy)


def test_layer_that_wraps_its_parents_forward_passes_gradcheck():
    doubled = Doubled(3, 2, rng=0)
    assert bg.gradcheck(doubled, np.arange(6.0).reshape(2, 3)).passed
    with pytest.raises(TypeError, match=r"^Doubled\.forward: x must hold floats"):
        doubled.forward(np.ones((2, 3), int))


class Scaled(bg.Affine):
    """A user's layer with one input more than its parent."""

    def forward(self, x, factor):
        self.y, self.factor = super().forward(x), factor
        return self.y * factor

    def backward(self, dy):
        return super().backward(dy * self.factor), np.sum(dy * self.y)


def test_layer_with_other_inputs_than_its_parent_works():
    scaled = Scaled(3, 2, rng=0)
    assert bg.gradcheck(scaled, np.arange(6.0).reshape(2, 3), 1.5).passed
    with pytest.raises(TypeError, match=r"^Scaled\.forward: takes 2 inputs \(x, factor\); got 1\.$"):
        scaled.forward(np.ones((2, 3)))


def test_layer_that_fails_after_its_parents_forward_leaves_no_trace():
    class Late(bg.Affine):
        broken = False

        def forward(self, x):
            y = super().forward(x)
            return None if self.broken else y

        def backward(self, dy):
            return super().backward(dy)

    late = Late(3, 2, rng=0, dtype=np.float64)
    late.forward(np.ones((4, 3)))
    late.broken = True
    with no_trace(late, (np.ones((4, 2)),)), pytest.raises(TypeError, match=r"^Late\.forward: must return an array"):
        late.forward(np.ones((5, 3)))


def test_after_inputs_that_were_accepted_those_of_another_kind_are_still_refused():
    layer, floats = bg.Add(), np.ones((2, 3), np.float32)
    layer.forward(floats, floats)
    for other in (np.ones((2, 3), int), np.ones((2, 3)), "text", None):
        with pytest.raises(TypeError, match=r"Add\.forward"):
            layer.forward(floats, other)
    with pytest.raises(TypeError, match="takes 2 inputs"):
        layer.forward(floats)
    assert layer.forward(floats, 1).dtype == np.float32
