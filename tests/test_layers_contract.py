"""The contract of a layer, rule by rule, over every layer of the table."""

import pkgutil
from importlib import import_module

import numpy as np
import pytest
import references
from layer_table import (
    LAYERS,
    Case,
    Outcome,
    arrays_of,
    assert_close,
    bits,
    float_inputs,
    is_float_array,
    over_cases,
    over_dtypes,
    over_layers,
    rewind,
    run,
    set_up,
    several,
    sized,
    upstream,
)

import brickgrad as bg
import brickgrad.layers

RTOL, ATOL = 1e-12, 1e-14  # float64 against loops
WITH_PARAMS = (bg.Affine, bg.Convolution, bg.BatchNormalization, bg.LayerNormalization, bg.Embedding)


def params_in_float64(layer):
    return {key: param.astype(np.float64) for key, param in layer.params.items()}


def read_only(*groups):
    for array in arrays_of(*groups):
        array.flags.writeable = False


# The table itself, and what each layer computes -----------------------------------------------------------------------


def test_table_public_layers_all_stand_in_it():
    modules = [import_module(m.name) for m in pkgutil.iter_modules(brickgrad.layers.__path__, "brickgrad.layers.")]
    public = [value for module in modules for name, value in vars(module).items() if not name.startswith("_")]
    public += [getattr(bg.layers, name) for name in bg.layers.__all__]
    bricks = {value for value in public if isinstance(value, type) and issubclass(value, bg.Layer)} - {bg.Layer}
    several_outputs = {bg.Split}  # the table is of one output each; check_layer holds these to the same rules
    assert {entry.layer for entry in LAYERS} == bricks - several_outputs
    assert len({entry.name for entry in LAYERS}) == len(LAYERS)


@over_layers
@over_cases(20)
def test_layer_forward_equals_loop_reference(entry, case):
    layer, inputs = set_up(entry, case)
    y = layer.forward(*inputs)
    expected = entry.reference.forward(params_in_float64(layer), *map(np.asarray, inputs), **entry.options(case))
    tolerance = (0, 0) if entry.exact else (RTOL, ATOL)
    assert_close(y, expected, *tolerance)


@over_layers
@over_cases(20)
def test_layer_backward_equals_loop_reference(entry, case):
    layer, inputs = set_up(entry, case)
    outcome = run(layer, inputs, case.seed)
    gradients, grads = entry.reference.backward(
        params_in_float64(layer), *outcome.d_outputs, *map(np.asarray, inputs), **entry.options(case)
    )
    tolerance = (0, 0) if entry.exact else (RTOL, ATOL)
    assert len(outcome.gradients) == len(gradients)
    for dx, expected in zip(outcome.gradients, gradients, strict=True):
        assert_close(dx, expected, *tolerance)
    assert outcome.grads.keys() == grads.keys() == layer.params.keys()
    for key, grad in grads.items():
        assert_close(outcome.grads[key], grad, *tolerance)


@over_layers
@over_dtypes
@over_cases(3)
def test_layer_backward_passes_gradcheck(entry, dtype, case):
    layer, inputs = set_up(entry, case, dtype, extreme=False)
    layer.forward(*inputs)
    report = bg.gradcheck(layer, *inputs, rng=case.seed)
    names = [row.name for row in report.rows]
    n_checked = sum(dx is not None for dx in several(layer.backward(*upstream(several(layer.forward(*inputs))))))
    assert names[: len(layer.params)] == list(layer.params)
    assert len(names) == len(layer.params) + n_checked


# Rule 1: nothing handed in is changed ---------------------------------------------------------------------------------


@over_layers
@pytest.mark.parametrize("workspace", [False, True], ids=["alone", "workspace"])
@over_cases()
def test_layer_forward_and_backward_leave_arguments_untouched(entry, workspace, case):
    layer, inputs = sized(entry, case)
    if workspace:
        layer.memory = bg.Memory(arrays={})
    read_only(inputs, layer.params)
    before = bits(inputs), bits(layer.params)
    outputs = several(layer.forward(*inputs))
    d_outputs = upstream(outputs)
    read_only(d_outputs)
    given = bits(d_outputs)
    layer.backward(*d_outputs)
    assert (bits(inputs), bits(layer.params)) == before
    assert bits(d_outputs) == given


# Rule 2: all that backward needs stands in the memory -----------------------------------------------------------------


@over_layers
@over_cases()
def test_layer_two_memories_keep_two_uses_apart(entry, case):
    layer, first = sized(entry, case)
    other_batch = Case(case.seed + 12, 3, case.inner, case.variant)  # + 12: the same form of input, other numbers
    second = entry.inputs(np.random.default_rng(other_batch.seed), np.float64, other_batch, True)
    expected = [run(layer, inputs).bits() for inputs in (first, second)]

    memories = [bg.Memory(), bg.Memory()]
    outputs, results = [], []
    for memory, inputs in zip(memories, (first, second), strict=True):
        layer.memory = memory
        rewind(layer)
        outputs.append(several(layer.forward(*inputs)))
    for memory, y in zip(memories, outputs, strict=True):
        layer.memory = memory
        gradients = several(layer.backward(*upstream(y)))
        results.append(bits(y) + bits(gradients) + bits(layer.grads))
    assert results == expected


@over_layers
@over_cases()
def test_layer_run_changes_no_attribute_but_memory(entry, case):
    layer, inputs = sized(entry, case)
    before = {key: value for key, value in vars(layer).items() if key != "memory"}
    run(layer, inputs)
    after = {key: value for key, value in vars(layer).items() if key != "memory"}
    assert after.keys() == before.keys()
    assert all(after[key] is before[key] for key in before)


@over_layers
@over_cases()
def test_layer_forward_at_another_x_leaves_nothing_behind(entry, case):
    layer, inputs = sized(entry, case)
    expected = run(layer, inputs).bits()
    other = Case(case.seed + 12, case.batch, case.inner, case.variant)
    run(layer, entry.inputs(np.random.default_rng(other.seed), np.float64, other, True))
    assert run(layer, inputs).bits() == expected


# Rule 3: the order of calls -------------------------------------------------------------------------------------------


@over_layers
def test_layer_backward_before_forward_is_runtime_error_with_its_name(entry):
    layer, _ = sized(entry, Case())
    layer.name = "brick"
    with pytest.raises(RuntimeError, match=rf"^{type(layer).__name__}\[brick\]\.backward: .*Call forward first"):
        layer.backward(1.0)
    with pytest.raises(RuntimeError, match=rf"^{type(layer).__name__}\[brick\]: .*Call forward first"):
        _ = layer.saved


@over_layers
@pytest.mark.parametrize("workspace", [False, True], ids=["alone", "workspace"])
@over_cases()
def test_layer_backward_twice_gives_the_same_bits(entry, workspace, case):
    layer, inputs = sized(entry, case)
    if workspace:
        layer.memory = bg.Memory(arrays={})
    d_outputs = upstream(several(layer.forward(*inputs)))
    results = [bits(several(layer.backward(*d_outputs))) + bits(layer.grads) for _ in range(2)]
    assert results[0] == results[1]


# Rule 4: backward is linear -------------------------------------------------------------------------------------------


@over_layers
@over_cases()
def test_layer_backward_is_linear_in_upstream(entry, case):
    layer, inputs = sized(entry, case)
    outputs = several(layer.forward(*inputs))

    def backward(d_outputs):
        gradients = several(layer.backward(*d_outputs))
        return [np.array(g) for g in gradients if g is not None] + [g.copy() for g in layer.grads.values()]

    v, w = upstream(outputs, 1), upstream(outputs, 2)
    of_v, of_w = backward(v), backward(w)
    of_sum = backward(tuple(a + 2 * b for a, b in zip(v, w, strict=True)))
    for together, one, two in zip(of_sum, of_v, of_w, strict=True):
        size = max(np.max(np.abs(one), initial=0), np.max(np.abs(two), initial=0))
        assert_close(together, one + 2 * two, 1e-11, 1e-11 * size)
    for gradient in backward(tuple(np.zeros_like(a) for a in v)):
        assert not gradient.any()


# Rule 5: grads are set, not added to ----------------------------------------------------------------------------------


@over_layers
@over_cases()
def test_layer_gradients_are_set_not_accumulated(entry, case):
    layer, inputs = sized(entry, case)
    first = run(layer, inputs)
    for grad in layer.grads.values():
        grad[...] = np.nan
    assert run(layer, inputs).bits() == first.bits()


# Rule 6: one precision all the way ------------------------------------------------------------------------------------


@over_layers
@over_dtypes
@over_cases()
def test_layer_results_have_the_inputs_precision(entry, dtype, case):
    layer, inputs = set_up(entry, case, dtype)
    outcome = run(layer, inputs)
    assert all(y.dtype == dtype for y in outcome.outputs)
    for x, dx in zip(inputs, outcome.gradients, strict=True):
        assert dx is None or dx.dtype == x.dtype == dtype
    assert all(grad.dtype == dtype for grad in outcome.grads.values())
    assert all(param.dtype == dtype for param in layer.params.values())


@over_layers
@over_cases()
def test_layer_float32_results_are_close_to_float64(entry, case):
    single, inputs = set_up(entry, case, np.float32)
    outcome = run(single, inputs)
    double, inputs = set_up(entry, case, np.float64)
    expected = run(double, inputs)
    pairs = [
        *zip(outcome.outputs, expected.outputs, strict=True),
        *zip(outcome.gradients, expected.gradients, strict=True),
        *((outcome.grads[key], expected.grads[key]) for key in expected.grads),
    ]
    for actual, reference in pairs:
        largest = 0 if reference is None else np.max(np.abs(reference), initial=0)
        assert_close(actual, reference, 1e-5, 1e-5 * largest)


@over_layers
@over_cases()
def test_layer_mixed_precision_is_type_error_with_both_dtypes(entry, case):
    layer, inputs = sized(entry, case)
    together = float_inputs(entry, inputs)
    for odd in together if len(together) > 1 else []:
        mixed = [x.astype(np.float32) if i == odd else x for i, x in enumerate(inputs)]
        with pytest.raises(
            TypeError, match=rf"^{type(layer).__name__}\.forward: .*float.*float.*\.astype\(\)"
        ) as error:
            layer.forward(*mixed)
        assert "float32" in str(error.value)
        assert "float64" in str(error.value)


# Rule 7: randomness ---------------------------------------------------------------------------------------------------


@over_layers
@over_cases()
def test_layer_global_random_state_is_neither_read_nor_moved(entry, case):
    legacy = np.random.mtrand._rand  # the generator behind np.random.*, which must stay out of it
    before = legacy.get_state(legacy=False)["state"]
    layer, inputs = set_up(entry, case)
    first = run(layer, inputs)
    after = legacy.get_state(legacy=False)["state"]
    assert after["pos"] == before["pos"]
    assert np.array_equal(after["key"], before["key"])

    try:
        legacy.seed(case.seed)
        layer, inputs = set_up(entry, case)
        assert run(layer, inputs).bits() == first.bits()
    finally:
        legacy.set_state({"bit_generator": "MT19937", "state": before})


# Rule 8: layouts and sizes --------------------------------------------------------------------------------------------


LAYOUTS = ("F", "T", "strided", "backwards", "big-endian")


def laid_out(x, layout):
    """The same numbers, laid out otherwise in memory."""
    if x.ndim == 0 or layout == "big-endian":
        return x.astype(x.dtype.newbyteorder(">"))
    if layout == "F":
        return np.asfortranarray(x)
    if layout == "T":
        return x.T.copy().T
    if layout == "backwards":
        return np.flip(np.flip(x).copy())
    wide = np.full((*x.shape[:-1], 2 * x.shape[-1]), 7, x.dtype)
    wide[..., ::2] = x
    return wide[..., ::2]


def assert_alike(actual, expected, exact):
    """To the last bit where nothing is rounded; else to 1e-12, for BLAS and sums may add in another order."""
    assert actual.outputs[0].shape == expected.outputs[0].shape
    if exact:
        assert actual.bits() == expected.bits()
    for a, e in zip(actual.outputs + actual.gradients, expected.outputs + expected.gradients, strict=True):
        assert_close(a, e, RTOL, RTOL)
    for key in expected.grads:
        assert_close(actual.grads[key], expected.grads[key], RTOL, RTOL)


@over_layers
@over_cases()
def test_layer_inputs_of_any_layout_give_the_same(entry, case):
    layer, inputs = sized(entry, case)
    expected = run(layer, inputs)
    for layout in LAYOUTS:
        others = [laid_out(x, layout) if isinstance(x, np.ndarray) else x for x in inputs]
        assert_alike(run(layer, others), expected, entry.exact)


@over_layers
@over_cases()
def test_layer_inputs_repeated_without_copies_give_the_same(entry, case):
    layer, inputs = sized(entry, case)
    inputs = [
        np.broadcast_to(x[:1], x.shape) if is_float_array(x) and x.ndim and i in float_inputs(entry, inputs) else x
        for i, x in enumerate(inputs)
    ]
    expected = run(layer, [np.array(x) if isinstance(x, np.ndarray) else x for x in inputs])
    assert_alike(run(layer, inputs), expected, entry.exact)


@over_layers
@over_cases()
def test_layer_upstream_of_any_layout_gives_the_same(entry, case):
    layer, inputs = sized(entry, case)
    expected = run(layer, inputs)

    def backward(*d_outputs):
        gradients = several(layer.backward(*d_outputs))
        return [g if g is None else np.array(g) for g in gradients] + [g.copy() for g in layer.grads.values()]

    (dy,) = expected.d_outputs
    for layout in LAYOUTS:
        for a, e in zip(backward(laid_out(dy, layout)), [*expected.gradients, *expected.grads.values()], strict=True):
            assert_close(a, e, *((0, 0) if entry.exact else (RTOL, RTOL)))
    same = np.full(dy.shape, 1.25)
    repeated = np.broadcast_to(np.array(1.25), dy.shape)
    for a, e in zip(backward(repeated), backward(same), strict=True):
        assert_close(a, e, *((0, 0) if entry.exact else (RTOL, RTOL)))


@over_layers
@over_dtypes
def test_layer_batch_of_none_gives_finite_results_of_its_shapes(entry, dtype):
    for variant in range(4):
        layer, inputs = set_up(entry, Case(batch=0, variant=variant), dtype)
        outcome = run(layer, inputs)
        for x, dx in zip(inputs, outcome.gradients, strict=True):
            assert dx is None or dx.shape == x.shape
        for result in arrays_of(outcome.outputs, outcome.gradients, outcome.grads):
            assert np.isfinite(result).all()


# Rule 9: silence ------------------------------------------------------------------------------------------------------


@over_layers
def test_layer_run_prints_nothing(entry, capsys):
    layer, inputs = set_up(entry, Case())
    run(layer, inputs)
    assert capsys.readouterr() == ("", "")


# Rule 10: fresh results, and buffers only on request ------------------------------------------------------------------


@over_layers
@over_cases()
def test_layer_results_share_memory_with_nothing(entry, case):
    layer, inputs = sized(entry, case)
    first = run(layer, inputs)
    kept = bits(first.outputs + first.gradients)
    second = run(layer, inputs)
    others = arrays_of(inputs, layer.params, layer.grads)
    for outcome in (first, second):
        others += arrays_of(outcome.d_outputs)
    results = arrays_of(first.outputs, first.gradients, second.outputs, second.gradients)
    for i, result in enumerate(results):
        assert result.flags.writeable
        assert not any(np.shares_memory(result, other) for other in results[i + 1 :] + others)
    for result in arrays_of(second.outputs, second.gradients):
        result[...] = 7  # whoever was given an array may write into it
    assert bits(first.outputs + first.gradients) == kept


@over_layers
@pytest.mark.parametrize("workspace", [False, True], ids=["alone", "workspace"])
@over_cases()
def test_layer_never_reads_again_what_it_hands_over(entry, workspace, case):
    layer, inputs = sized(entry, case)
    if workspace:
        layer.memory = bg.Memory(arrays={})
    expected = run(layer, inputs).bits()
    rewind(layer)
    outputs = several(layer.forward(*inputs))
    d_outputs = upstream(outputs)
    made = [y.copy() for y in outputs]
    if "y" in layer.hands_over:
        for y in arrays_of(outputs):
            assert not any(np.shares_memory(y, x) for x in arrays_of(inputs, layer.params))
            y[...] = 77
    for _ in range(2):  # the second time from gradients that were written over too
        gradients = several(layer.backward(*d_outputs))
        found = Outcome(made, d_outputs, [None if g is None else g.copy() for g in gradients], dict(layer.grads))
        assert found.bits() == expected
        if "dx" in layer.hands_over:
            for dx in arrays_of(gradients):
                assert not any(np.shares_memory(dx, other) for other in arrays_of(d_outputs, layer.params, layer.grads))
                dx[...] = 77


@over_layers
@over_cases()
def test_layer_that_may_write_over_what_it_gets_gives_the_same_bits(entry, case):
    layer, inputs = sized(entry, case)
    expected = run(layer, inputs).bits()
    layer.memory = bg.Memory(arrays={})
    rewind(layer)
    layer.memory.may_overwrite = True
    outputs = several(layer.forward(*[x.copy() if isinstance(x, np.ndarray) else x for x in inputs]))
    made, d_outputs = [y.copy() for y in outputs], upstream(outputs)
    gradients = several(layer.backward(*[dy.copy() for dy in d_outputs]))
    assert Outcome(made, d_outputs, gradients, dict(layer.grads)).bits() == expected


@over_layers
@over_cases()
def test_layer_workspace_gives_the_same_bits_from_the_same_buffers(entry, case):
    layer, inputs = sized(entry, case)
    # + 12: the same form of input, other numbers
    other = Case(case.seed + 12, case.batch, case.inner, case.variant)
    again = entry.inputs(np.random.default_rng(other.seed), np.float64, other, True)
    expected = [run(layer, x).bits() for x in (inputs, again)]

    layer.memory = bg.Memory(arrays={})
    first = run(layer, inputs)
    assert first.bits() == expected[0]
    buffers = dict(layer.memory.arrays)
    second = run(layer, again)
    assert second.bits() == expected[1]
    assert layer.memory.arrays.keys() == buffers.keys()
    assert all(layer.memory.arrays[key] is buffers[key] for key in buffers)
    for kind, one, two in [("y", first.outputs[0], second.outputs[0]), ("dx", first.gradients[0], second.gradients[0])]:
        if kind in entry.reuses and isinstance(one, np.ndarray) and one.size:
            assert np.shares_memory(one, two), kind


@over_layers
@over_cases()
def test_layer_workspace_follows_the_batch_size(entry, case):
    layer, inputs = sized(entry, case)
    rng = np.random.default_rng(case.seed)
    layer.memory = bg.Memory(arrays={})
    run(layer, inputs)
    for batch in (11, 4):
        other = Case(case.seed, batch, case.inner, case.variant)
        inputs = entry.inputs(rng, np.float64, other, True)
        in_workspace = run(layer, inputs).bits()
        workspace, layer.memory = layer.memory, bg.Memory()
        assert run(layer, inputs).bits() == in_workspace
        layer.memory = workspace


@over_layers
@over_cases()
def test_layer_unwanted_gradients_leave_the_wanted_as_they_are(entry, case):
    layer, inputs = sized(entry, case)
    expected = run(layer, inputs)
    for unwanted in range(len(inputs)):
        layer.memory = bg.Memory(wanted=tuple(i != unwanted for i in range(len(inputs))))
        outcome = run(layer, inputs)
        assert bits(outcome.grads) == bits(expected.grads)
        for i, (dx, whole) in enumerate(zip(outcome.gradients, expected.gradients, strict=True)):
            assert (i == unwanted and dx is None) or bits([dx]) == bits([whole])


# Rule 11: the branches of the last forward ----------------------------------------------------------------------------


@over_layers
@over_cases()
def test_layer_frozen_at_the_same_x_gives_the_same_bits(entry, case):
    layer, inputs = sized(entry, case)
    expected = run(layer, inputs)
    with layer.frozen():
        assert run(layer, inputs).bits() == expected.bits()
        with layer.frozen():
            assert run(layer, inputs).bits() == expected.bits()
        assert run(layer, inputs).bits() == expected.bits()


@over_layers
@over_cases()
def test_layer_frozen_at_another_x_replays_its_branches(entry, case):
    layer, then = sized(entry, case)
    other = Case(case.seed + 12, case.batch, case.inner, case.variant)
    now = entry.inputs(np.random.default_rng(other.seed), np.float64, other, True)
    without = run(layer, now)
    layer.forward(*then)
    mask = layer.memory.branch
    with layer.frozen():
        outcome = run(layer, now)
    if not entry.branches:
        assert outcome.bits() == without.bits()
    elif entry.reference is references.relu:
        assert bits(outcome.outputs) == bits([np.where(then[0] > 0, now[0], 0.0)[()]])
        assert bits(outcome.gradients) == bits([np.where(then[0] > 0, outcome.d_outputs[0], 0.0)[()]])
    elif entry.layer is bg.Dropout:
        scale = entry.options(case)["scale"]
        assert_close(outcome.outputs[0], now[0] * mask * scale, RTOL, ATOL)
        assert_close(outcome.gradients[0], outcome.d_outputs[0] * mask * scale, RTOL, ATOL)
    elif entry.layer is bg.MaxPooling:  # the entries that were the largest then
        assert_close(outcome.outputs[0], references.max_pooling_at(then[0], now[0], **entry.options(case)), 0, 0)
    elif entry.reference is references.leaky_relu:
        assert bits(outcome.outputs) == bits([np.where(then[0] > 0, now[0], 0.2 * now[0])[()]])
        assert bits(outcome.gradients) == bits([outcome.d_outputs[0] * np.where(then[0] > 0, 1.0, 0.2)])
    elif entry.reference is references.elu:
        assert_close(outcome.outputs[0], np.where(then[0] > 0, now[0], 0.7 * np.expm1(now[0])), RTOL, ATOL)
        slope = np.where(then[0] > 0, 1.0, 0.7 * np.exp(now[0]))
        assert_close(outcome.gradients[0], outcome.d_outputs[0] * slope, RTOL, ATOL)
    else:
        assert entry.reference is references.step, "say here what the branches of this layer are"
        assert bits(outcome.outputs) == bits([(then[0] > 0).astype(float)])
    assert run(layer, now).bits() == without.bits()  # thawed


@over_layers
def test_layer_frozen_left_by_an_exception_is_thawed(entry):
    layer, then = sized(entry, Case())
    now = entry.inputs(np.random.default_rng(5), np.float64, Case(5), True)
    expected = run(layer, now).bits()
    layer.forward(*then)
    with pytest.raises(KeyError), layer.frozen():
        raise KeyError
    assert run(layer, now).bits() == expected


@over_layers
def test_layer_frozen_before_the_first_forward_is_runtime_error(entry):
    layer, _ = sized(entry, Case())
    layer.name = "brick"
    with (
        pytest.raises(RuntimeError, match=rf"^{type(layer).__name__}\[brick\]\.frozen: .*Call forward first"),
        layer.frozen(),
    ):
        pass


# Rule 12: sizes taken from the first input ----------------------------------------------------------------------------


@over_layers
@over_cases()
def test_layer_sized_says_whether_all_parameters_are_there(entry, case):
    layer, inputs = set_up(entry, case)
    assert layer.sized == (not entry.lazy)
    assert bool(layer.params) == (not entry.lazy and entry.layer in WITH_PARAMS)
    layer.forward(*inputs)
    assert layer.sized
    assert layer.grads.keys() == layer.params.keys()
    for key, param in layer.params.items():
        assert (layer.grads[key].shape, layer.grads[key].dtype) == (param.shape, param.dtype)
        assert not layer.grads[key].any()
        assert not np.shares_memory(layer.grads[key], param)


@pytest.mark.parametrize(
    "entry", [entry for entry in LAYERS if entry.reference is references.affine], ids=lambda entry: entry.name
)
@over_cases()
def test_layer_sized_once_refuses_other_widths_and_stays(entry, case):
    layer, inputs = sized(entry, case)
    expected = run(layer, inputs)
    before = bits(layer.params)
    with pytest.raises(ValueError, match=rf"{inputs[0].shape[-1]}.*got \(4, {inputs[0].shape[-1] + 1}\)"):
        layer.forward(np.ones((4, inputs[0].shape[-1] + 1)))
    assert bits(layer.params) == before
    assert bits(several(layer.backward(*expected.d_outputs))) == bits(expected.gradients)


# Replicas -------------------------------------------------------------------------------------------------------------


@over_layers
@over_cases()
def test_layer_replica_runs_alike_and_leaves_the_layer_alone(entry, case):
    layer, inputs = sized(entry, case)
    first = run(layer, inputs)
    twin = layer.replica()
    assert type(twin) is type(layer)
    assert twin.memory is not layer.memory
    with pytest.raises(RuntimeError):
        twin.backward(1.0)
    assert all(twin.params[key] is layer.params[key] for key in layer.params)
    assert not any(np.shares_memory(twin.grads[key], layer.grads[key]) for key in layer.grads)
    assert run(twin, inputs, seed=0).bits() == first.bits()

    grads = bits(layer.grads)
    run(twin, inputs, seed=1)
    assert bits(layer.grads) == grads
    assert bits(several(layer.backward(*first.d_outputs))) == bits(first.gradients)
