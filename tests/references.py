"""What every layer must give, in plain Python loops over float64 numbers: slow, and written from the formulas alone.

A reference has `forward(params, *inputs, **options)`, which gives one array, and
`backward(params, dy, *inputs, **options)`, which gives the inputs' gradients (None for an input that has none) and a
dict of the parameters'. Sums are exact (`math.fsum`), so that all rounding is the layer's.
"""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

Index = tuple[int, ...]


class Reference(NamedTuple):
    forward: Callable[..., np.ndarray]
    backward: Callable[..., tuple[tuple[np.ndarray | None, ...], dict[str, np.ndarray]]]


class Terms:
    """An array of sums, each kept as the list of its terms."""

    def __init__(self, shape: Index) -> None:
        self.shape = shape
        self.terms: dict[Index, list[float]] = {index: [] for index in np.ndindex(shape)}

    def add(self, index: Index, term: float) -> None:
        self.terms[index].append(float(term))

    def sums(self) -> np.ndarray:
        total = np.zeros(self.shape)
        for index, terms in self.terms.items():
            total[index] = math.fsum(terms)
        return total


# Arithmetic -----------------------------------------------------------------------------------------------------------


def common_shape(a: Index, b: Index) -> Index:
    """The shape that two shapes broadcast to."""
    longest = max(len(a), len(b))
    a, b = (1,) * (longest - len(a)) + a, (1,) * (longest - len(b)) + b
    return tuple(n if m == 1 else m for m, n in zip(a, b, strict=True))


def source(index: Index, shape: Index) -> Index:
    """The entry of an array of `shape` that stands at `index` once it is broadcast."""
    tail = index[len(index) - len(shape) :]
    return tuple(0 if size == 1 else i for i, size in zip(tail, shape, strict=True))


def pair(
    value: Callable[[float, float], float],
    slope_x: Callable[[float, float], float],
    slope_y: Callable[[float, float], float],
) -> Reference:
    """Two inputs, entry by entry, with broadcasting."""

    def forward(params: dict[str, Any], x: np.ndarray, y: np.ndarray) -> np.ndarray:
        z = np.zeros(common_shape(x.shape, y.shape))
        for index in np.ndindex(z.shape):
            z[index] = value(float(x[source(index, x.shape)]), float(y[source(index, y.shape)]))
        return z

    def backward(params: dict[str, Any], dz: np.ndarray, x: np.ndarray, y: np.ndarray) -> Any:
        dx, dy = Terms(x.shape), Terms(y.shape)
        for index in np.ndindex(dz.shape):
            at_x, at_y = source(index, x.shape), source(index, y.shape)
            dx.add(at_x, dz[index] * slope_x(float(x[at_x]), float(y[at_y])))
            dy.add(at_y, dz[index] * slope_y(float(x[at_x]), float(y[at_y])))
        return (dx.sums(), dy.sums() if y.dtype.kind == "f" else None), {}

    return Reference(forward, backward)


def entrywise(value: Callable[[float], float], slope: Callable[[float], float]) -> Reference:
    """One input, entry by entry."""

    def forward(params: dict[str, Any], x: np.ndarray) -> np.ndarray:
        y = np.zeros(x.shape)
        for index in np.ndindex(x.shape):
            y[index] = value(float(x[index]))
        return y

    def backward(params: dict[str, Any], dy: np.ndarray, x: np.ndarray) -> Any:
        dx = np.zeros(x.shape)
        for index in np.ndindex(x.shape):
            dx[index] = dy[index] * slope(float(x[index]))
        return (dx,), {}

    return Reference(forward, backward)


def power_slope_x(x: float, y: float) -> float:
    return 0.0 if y == 0 else y * x ** (y - 1)


def power_slope_y(x: float, y: float) -> float:
    return 0.0 if x == 0 else math.nan if x < 0 else x**y * math.log(x)


def logistic(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def tanh_slope(x: float) -> float:
    """1 / cosh² x, written so that cosh does not overflow."""
    small = math.exp(-2 * abs(x))
    return 4 * small / (1 + small) ** 2


add = pair(lambda x, y: x + y, lambda x, y: 1.0, lambda x, y: 1.0)
sub = pair(lambda x, y: x - y, lambda x, y: 1.0, lambda x, y: -1.0)
mul = pair(lambda x, y: x * y, lambda x, y: y, lambda x, y: x)
div = pair(lambda x, y: x / y, lambda x, y: 1 / y, lambda x, y: -x / y**2)
pow = pair(lambda x, y: x**y, power_slope_x, power_slope_y)
neg = entrywise(lambda x: -x, lambda x: -1.0)
exp = entrywise(math.exp, math.exp)
log = entrywise(math.log, lambda x: 1 / x)
step = entrywise(lambda x: 1.0 if x > 0 else 0.0, lambda x: 0.0)
identity = entrywise(lambda x: x, lambda x: 1.0)
sigmoid = entrywise(logistic, lambda x: logistic(x) * logistic(-x))
tanh = entrywise(math.tanh, tanh_slope)
relu = entrywise(lambda x: max(x, 0.0), lambda x: 1.0 if x > 0 else 0.0)
leaky_relu = entrywise(lambda x: x if x > 0 else 0.2 * x, lambda x: 1.0 if x > 0 else 0.2)
elu = entrywise(lambda x: x if x > 0 else 0.7 * math.expm1(x), lambda x: 1.0 if x > 0 else 0.7 * math.exp(x))
smooth_relu = entrywise(lambda x: softplus(x), logistic)  # softplus is the function of the losses below
swish = entrywise(lambda x: x * logistic(x), lambda x: logistic(x) + x * logistic(x) * logistic(-x))
gelu = entrywise(
    lambda x: x * math.erfc(-x / math.sqrt(2)) / 2,
    lambda x: math.erfc(-x / math.sqrt(2)) / 2 + x * math.exp(-x * x / 2) / math.sqrt(2 * math.pi),
)


# Softmax --------------------------------------------------------------------------------------------------------------


def softmax_row(row: list[float]) -> list[float]:
    powers = [math.exp(x - max(row)) for x in row]
    return [power / math.fsum(powers) for power in powers]


def log_softmax_row(row: list[float]) -> list[float]:
    log_total = math.log(math.fsum(math.exp(x - max(row)) for x in row))
    return [x - max(row) - log_total for x in row]


def _softmax_forward(params: dict[str, Any], x: np.ndarray, axis: int) -> np.ndarray:
    y = np.zeros(x.shape)
    rows_x, rows_y = np.moveaxis(x, axis, -1), np.moveaxis(y, axis, -1)
    for index in np.ndindex(rows_x.shape[:-1]):
        rows_y[index] = softmax_row([float(value) for value in rows_x[index]])
    return y


def _softmax_backward(params: dict[str, Any], dy: np.ndarray, x: np.ndarray, axis: int) -> Any:
    """dxᵢ = Σⱼ dyⱼ · ∂yⱼ/∂xᵢ with the whole Jacobian, ∂yⱼ/∂xᵢ = yⱼ ([i = j] - yᵢ)."""
    y = np.moveaxis(_softmax_forward(params, x, axis), axis, -1)
    dx = np.zeros(x.shape)
    rows_dx, rows_dy = np.moveaxis(dx, axis, -1), np.moveaxis(dy, axis, -1)
    for index in np.ndindex(y.shape[:-1]):
        p, d = y[index], rows_dy[index]
        for i in range(len(p)):
            rows_dx[index][i] = math.fsum(d[j] * p[j] * ((i == j) - p[i]) for j in range(len(p)))
    return (dx,), {}


softmax = Reference(_softmax_forward, _softmax_backward)


# Affine ---------------------------------------------------------------------------------------------------------------


def _affine_forward(params: dict[str, Any], x: np.ndarray) -> np.ndarray:
    W = params["W"]
    y = np.zeros((*x.shape[:-1], W.shape[1]))
    for index in np.ndindex(y.shape):
        *sample, j = index
        terms = [float(x[(*sample, i)]) * float(W[i, j]) for i in range(W.shape[0])]
        y[index] = math.fsum([*terms, float(params["b"][j])] if "b" in params else terms)
    return y


def _affine_backward(params: dict[str, Any], dy: np.ndarray, x: np.ndarray) -> Any:
    W = params["W"]
    dx, dW, db = Terms(x.shape), Terms(W.shape), Terms(W.shape[1:])
    for index in np.ndindex(dy.shape):
        *sample, j = index
        db.add((j,), dy[index])
        for i in range(W.shape[0]):
            dx.add((*sample, i), dy[index] * float(W[i, j]))
            dW.add((i, j), dy[index] * float(x[(*sample, i)]))
    grads = {"W": dW.sums(), "b": db.sums()}
    return (dx.sums(),), {key: grads[key] for key in params}


affine = Reference(_affine_forward, _affine_backward)


# Moving entries -------------------------------------------------------------------------------------------------------


def position(index: Index, shape: Index) -> int:
    """How many entries stand before `index` in an array of `shape`, row by row."""
    place = 0
    for i, size in zip(index, shape, strict=True):
        place = place * size + i
    return place


def _reshape_forward(params: dict[str, Any], x: np.ndarray, shape: Index) -> np.ndarray:
    y = np.zeros((x.shape[0], *shape))
    by_position = {position(index, x.shape): x[index] for index in np.ndindex(x.shape)}
    for index in np.ndindex(y.shape):
        y[index] = by_position[position(index, y.shape)]
    return y


def _reshape_backward(params: dict[str, Any], dy: np.ndarray, x: np.ndarray, shape: Index) -> Any:
    dx = np.zeros(x.shape)
    by_position = {position(index, dy.shape): dy[index] for index in np.ndindex(dy.shape)}
    for index in np.ndindex(x.shape):
        dx[index] = by_position[position(index, x.shape)]
    return (dx,), {}


reshape = Reference(_reshape_forward, _reshape_backward)


def _moved(index: Index, axis: int, by: int) -> Index:
    moved = list(index)
    moved[axis] += by
    return tuple(moved)


def _concat_forward(params: dict[str, Any], *arrays: np.ndarray, axis: int) -> np.ndarray:
    shape = list(arrays[0].shape)
    shape[axis] = sum(a.shape[axis] for a in arrays)
    y = np.full(shape, np.nan)
    before = 0
    for a in arrays:
        for index in np.ndindex(a.shape):
            y[_moved(index, axis, before)] = a[index]
        before += a.shape[axis]
    return y


def _concat_backward(params: dict[str, Any], dy: np.ndarray, *arrays: np.ndarray, axis: int) -> Any:
    gradients = []
    before = 0
    for a in arrays:
        dx = np.zeros(a.shape)
        for index in np.ndindex(a.shape):
            dx[index] = dy[_moved(index, axis, before)]
        gradients.append(dx)
        before += a.shape[axis]
    return tuple(gradients), {}


concat = Reference(_concat_forward, _concat_backward)


# Losses ---------------------------------------------------------------------------------------------------------------


def target_rows(t: np.ndarray, shape: Index) -> np.ndarray:
    """Labels as one-hot rows; rows as they are, in float64."""
    if t.shape == shape:
        return t.astype(np.float64)
    rows = np.zeros(shape)
    for index in np.ndindex(t.shape):
        rows[(*index, int(t[index]))] = 1
    return rows


def _cross_entropy_forward(params: dict[str, Any], x: np.ndarray, t: np.ndarray) -> np.ndarray:
    rows = target_rows(t, x.shape)
    samples = list(np.ndindex(x.shape[:-1]))
    terms = []
    for index in samples:
        log_p = log_softmax_row([float(value) for value in x[index]])
        terms += [-rows[index][k] * log_p[k] for k in range(x.shape[-1])]
    return np.array(math.fsum(terms) / max(len(samples), 1))


def _cross_entropy_backward(params: dict[str, Any], dy: np.ndarray, x: np.ndarray, t: np.ndarray) -> Any:
    rows = target_rows(t, x.shape)
    samples = list(np.ndindex(x.shape[:-1]))
    dx = np.zeros(x.shape)
    for index in samples:
        p = softmax_row([float(value) for value in x[index]])
        for k in range(x.shape[-1]):
            dx[(*index, k)] = float(dy) * (p[k] * math.fsum(rows[index]) - rows[index][k]) / len(samples)
    return (dx, None), {}


softmax_with_loss = Reference(_cross_entropy_forward, _cross_entropy_backward)


def softplus(x: float) -> float:
    """ln(1 + eˣ), which is -ln(1 - sigmoid(x)) and, at -x, -ln(sigmoid(x))."""
    return x + math.log1p(math.exp(-x)) if x > 0 else math.log1p(math.exp(x))


def _binary_forward(params: dict[str, Any], x: np.ndarray, t: np.ndarray) -> np.ndarray:
    terms = []
    for index in np.ndindex(x.shape):
        target, score = float(t[index]), float(x[index])
        terms += [target * softplus(-score), (1 - target) * softplus(score)]
    return np.array(math.fsum(terms) / max(len(x), 1))


def _binary_backward(params: dict[str, Any], dy: np.ndarray, x: np.ndarray, t: np.ndarray) -> Any:
    dx = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        dx[index] = float(dy) * (logistic(float(x[index])) - float(t[index])) / len(x)
    return (dx, None), {}


sigmoid_with_loss = Reference(_binary_forward, _binary_backward)


def _squared_forward(params: dict[str, Any], x: np.ndarray, t: np.ndarray) -> np.ndarray:
    rows = target_rows(t, x.shape)
    terms = [(float(x[index]) - rows[index]) ** 2 / 2 for index in np.ndindex(x.shape)]
    return np.array(math.fsum(terms) / max(len(x), 1))


def _squared_backward(params: dict[str, Any], dy: np.ndarray, x: np.ndarray, t: np.ndarray) -> Any:
    rows = target_rows(t, x.shape)
    dx = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        dx[index] = float(dy) * (float(x[index]) - rows[index]) / len(x)
    return (dx, -dx if t.dtype.kind == "f" else None), {}


mean_squared_loss = Reference(_squared_forward, _squared_backward)


# Lookups, products and sums -------------------------------------------------------------------------------------------


def _embedding_forward(params: dict[str, Any], x: np.ndarray) -> np.ndarray:
    W = params["W"]
    y = np.zeros((*x.shape, W.shape[1]))
    for index in np.ndindex(y.shape):
        y[index] = W[int(x[index[:-1]]), index[-1]]
    return y


def _embedding_backward(params: dict[str, Any], dy: np.ndarray, x: np.ndarray) -> Any:
    dW = Terms(params["W"].shape)
    for index in np.ndindex(dy.shape):
        dW.add((int(x[index[:-1]]), index[-1]), dy[index])
    return (None,), {"W": dW.sums()}


embedding = Reference(_embedding_forward, _embedding_backward)


def _products(x: np.ndarray, y: np.ndarray) -> Any:
    """Which entries of x and of y meet in which entry of x · y."""
    stack = common_shape(x.shape[:-2], y.shape[:-2])
    for at in np.ndindex(stack):
        for i, j, k in np.ndindex(x.shape[-2], y.shape[-1], x.shape[-1]):
            yield (*at, i, j), (*source(at, x.shape[:-2]), i, k), (*source(at, y.shape[:-2]), k, j)


def _matmul_forward(params: dict[str, Any], x: np.ndarray, y: np.ndarray) -> np.ndarray:
    z = Terms((*common_shape(x.shape[:-2], y.shape[:-2]), x.shape[-2], y.shape[-1]))
    for at_z, at_x, at_y in _products(x, y):
        z.add(at_z, float(x[at_x]) * float(y[at_y]))
    return z.sums()


def _matmul_backward(params: dict[str, Any], dz: np.ndarray, x: np.ndarray, y: np.ndarray) -> Any:
    dx, dy = Terms(x.shape), Terms(y.shape)
    for at_z, at_x, at_y in _products(x, y):
        dx.add(at_x, float(dz[at_z]) * float(y[at_y]))
        dy.add(at_y, float(dz[at_z]) * float(x[at_x]))
    return (dx.sums(), dy.sums()), {}


matmul = Reference(_matmul_forward, _matmul_backward)


def _result_of(index: Index, ndim: int, axis: int | Index | None, keepdims: bool) -> Index:
    """Which entry of a sum along `axis` the entry `index` goes into."""
    axes = range(ndim) if axis is None else [a % ndim for a in (axis if isinstance(axis, tuple) else (axis,))]
    return tuple(0 if k in axes else i for k, i in enumerate(index) if keepdims or k not in axes)


def reduction(*, mean: bool) -> Reference:
    """A sum along axes; of a mean, over the number of terms, none counted as one."""

    def forward(params: dict[str, Any], x: np.ndarray, axis: Any, keepdims: bool) -> np.ndarray:
        last = _result_of(tuple(n - 1 for n in x.shape), x.ndim, axis, keepdims)
        y = Terms(tuple(i + 1 for i in last))
        for index in np.ndindex(x.shape):
            y.add(_result_of(index, x.ndim, axis, keepdims), x[index])
        counts = np.zeros(y.shape)
        for index, terms in y.terms.items():
            counts[index] = max(len(terms), 1) if mean else 1
        return np.asarray(y.sums() / counts)

    def backward(params: dict[str, Any], dy: np.ndarray, x: np.ndarray, axis: Any, keepdims: bool) -> Any:
        dx = np.zeros(x.shape)
        for index in np.ndindex(x.shape):
            dx[index] = dy[_result_of(index, x.ndim, axis, keepdims)] / (x.size / dy.size if mean else 1)
        return (dx,), {}

    return Reference(forward, backward)


sum_along = reduction(mean=False)
mean_along = reduction(mean=True)


def _transpose_forward(params: dict[str, Any], x: np.ndarray, axes: Index) -> np.ndarray:
    y = np.zeros(tuple(x.shape[a] for a in axes))
    for index in np.ndindex(x.shape):
        y[tuple(index[a] for a in axes)] = x[index]
    return y


def _transpose_backward(params: dict[str, Any], dy: np.ndarray, x: np.ndarray, axes: Index) -> Any:
    dx = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        dx[index] = dy[tuple(index[a] for a in axes)]
    return (dx,), {}


transpose = Reference(_transpose_forward, _transpose_backward)


def _chosen(size: int, part: int | slice) -> list[int]:
    """The places along an axis that a part of a key takes."""
    return [part % size] if isinstance(part, int) else list(range(*part.indices(size)))


def _slice_pairs(shape: Index, key: tuple[int | slice, ...]) -> tuple[Index, list[tuple[Index, Index]]]:
    """The shape of x[key], and for each of its entries the one of x that it is."""
    whole = (*key, *(slice(None) for _ in shape[len(key) :]))
    lists = [_chosen(size, part) for size, part in zip(shape, whole, strict=True)]
    kept = [axis for axis, part in enumerate(whole) if not isinstance(part, int)]
    pairs = []
    for index in np.ndindex(tuple(map(len, lists))):
        pairs.append(
            (tuple(index[axis] for axis in kept), tuple(taken[i] for taken, i in zip(lists, index, strict=True)))
        )
    return tuple(len(lists[axis]) for axis in kept), pairs


def _slice_forward(params: dict[str, Any], x: np.ndarray, key: tuple[int | slice, ...]) -> np.ndarray:
    shape, pairs = _slice_pairs(x.shape, key)
    y = np.zeros(shape)
    for to, place in pairs:
        y[to] = x[place]
    return y


def _slice_backward(params: dict[str, Any], dy: np.ndarray, x: np.ndarray, key: tuple[int | slice, ...]) -> Any:
    dx = np.zeros(x.shape)
    for to, place in _slice_pairs(x.shape, key)[1]:
        dx[place] = dy[to]
    return (dx,), {}


slice_of = Reference(_slice_forward, _slice_backward)


# Images ---------------------------------------------------------------------------------------------------------------


def places(shape: Index, options: dict[str, Any]) -> list[list[list[tuple[int, int]]]]:
    """For rows and for columns: for each output, (entry of the window, place in the image) where that is inside."""
    found = []
    for axis, length in enumerate(shape[2:]):
        size, stride, dilation = (options[key][axis] for key in ("size", "stride", "dilation"))
        before, after = options["pad"][axis]
        count = (length + before + after - (size - 1) * dilation - 1) // stride + 1
        outputs = []
        for output in range(count):
            met = [(entry, output * stride + entry * dilation - before) for entry in range(size)]
            outputs.append([(entry, place) for entry, place in met if 0 <= place < length])
        found.append(outputs)
    return found


def _convolution_terms(params: dict[str, Any], x: np.ndarray, options: dict[str, Any]) -> Any:
    """Every product of the sum: where its output, its input and its kernel's entry stand."""
    W, groups = params["W"], options["groups"]
    rows, columns = places(x.shape, options)
    for n, f in np.ndindex(len(x), len(W)):
        group = f // (len(W) // groups)
        for r, c, k in np.ndindex(len(rows), len(columns), W.shape[1]):
            for i, down in rows[r]:
                for j, across in columns[c]:
                    yield (n, f, r, c), (n, group * W.shape[1] + k, down, across), (f, k, i, j)


def _convolution_forward(params: dict[str, Any], x: np.ndarray, **options: Any) -> np.ndarray:
    rows, columns = places(x.shape, options)
    y = Terms((len(x), len(params["W"]), len(rows), len(columns)))
    for at_y, at_x, at_w in _convolution_terms(params, x, options):
        y.add(at_y, x[at_x] * params["W"][at_w])
    if "b" in params:
        for index in np.ndindex(y.shape):
            y.add(index, params["b"][index[1]])
    return y.sums()


def _convolution_backward(params: dict[str, Any], dy: np.ndarray, x: np.ndarray, **options: Any) -> Any:
    dx, dW, db = Terms(x.shape), Terms(params["W"].shape), Terms((len(params["W"]),))
    for at_y, at_x, at_w in _convolution_terms(params, x, options):
        dx.add(at_x, dy[at_y] * params["W"][at_w])
        dW.add(at_w, dy[at_y] * x[at_x])
    for index in np.ndindex(dy.shape):
        db.add((index[1],), dy[index])
    return (dx.sums(),), {"W": dW.sums(), **({"b": db.sums()} if "b" in params else {})}


convolution = Reference(_convolution_forward, _convolution_backward)


def pooling(share: Callable[[list[float]], list[float]]) -> Reference:
    """A pool whose output is a weighted sum of a window's entries; `share` gives the weights."""

    def windows(x: np.ndarray, options: dict[str, Any]) -> Any:
        rows, columns = places(x.shape, options)
        for n, k, r, c in np.ndindex(*x.shape[:2], len(rows), len(columns)):
            at = [(n, k, down, across) for _, down in rows[r] for _, across in columns[c]]
            yield (n, k, r, c), at, share([float(x[index]) for index in at])

    def forward(params: dict[str, Any], x: np.ndarray, **options: Any) -> np.ndarray:
        rows, columns = places(x.shape, options)
        y = Terms((*x.shape[:2], len(rows), len(columns)))
        for at_y, at_x, weights in windows(x, options):
            for index, weight in zip(at_x, weights, strict=True):
                y.add(at_y, weight * x[index])
        return y.sums()

    def backward(params: dict[str, Any], dy: np.ndarray, x: np.ndarray, **options: Any) -> Any:
        dx = Terms(x.shape)
        for at_y, at_x, weights in windows(x, options):
            for index, weight in zip(at_x, weights, strict=True):
                dx.add(index, weight * dy[at_y])
        return (dx.sums(),), {}

    return Reference(forward, backward)


def first_largest(values: list[float]) -> list[float]:
    first = values.index(max(values))
    return [1.0 if place == first else 0.0 for place in range(len(values))]


def max_pooling_at(chosen_by: np.ndarray, x: np.ndarray, **options: Any) -> np.ndarray:
    """The entries of x that stand where those of `chosen_by` were the largest of their windows."""
    rows, columns = places(x.shape, options)
    y = np.zeros((*x.shape[:2], len(rows), len(columns)))
    for n, k, r, c in np.ndindex(y.shape):
        at = [(n, k, down, across) for _, down in rows[r] for _, across in columns[c]]
        y[n, k, r, c] = x[at[first_largest([float(chosen_by[index]) for index in at]).index(1.0)]]
    return y


max_pooling = pooling(first_largest)
average_pooling = pooling(lambda values: [1 / len(values)] * len(values))


def _global_forward(params: dict[str, Any], x: np.ndarray) -> np.ndarray:
    y = Terms(x.shape[:2])
    for index in np.ndindex(x.shape):
        y.add(index[:2], x[index] / (x.shape[2] * x.shape[3]))
    return y.sums()


def _global_backward(params: dict[str, Any], dy: np.ndarray, x: np.ndarray) -> Any:
    dx = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        dx[index] = dy[index[:2]] / (x.shape[2] * x.shape[3])
    return (dx,), {}


global_average_pooling = Reference(_global_forward, _global_backward)


# Normalization and dropout --------------------------------------------------------------------------------------------


def normalization(group_of: Callable[[Index], Index], feature_of: Callable[[Index], int]) -> Reference:
    """Each group of entries brought to mean 0 and variance 1; a feature's gamma and beta after that."""

    def normal(x: np.ndarray, eps: float) -> tuple[np.ndarray, dict[Index, float], dict[Index, list[Index]]]:
        groups: dict[Index, list[Index]] = {}
        for index in np.ndindex(x.shape):
            groups.setdefault(group_of(index), []).append(index)
        n, deviations = np.zeros(x.shape), {}
        for group, members in groups.items():
            mean = math.fsum(float(x[index]) for index in members) / len(members)
            variance = math.fsum((float(x[index]) - mean) ** 2 for index in members) / len(members)
            deviations[group] = math.sqrt(variance + eps)
            for index in members:
                n[index] = (float(x[index]) - mean) / deviations[group]
        return n, deviations, groups

    def forward(params: dict[str, Any], x: np.ndarray, eps: float) -> np.ndarray:
        n, _, _ = normal(x, eps)
        y = np.zeros(x.shape)
        for index in np.ndindex(x.shape):
            y[index] = params["gamma"][feature_of(index)] * n[index] + params["beta"][feature_of(index)]
        return y

    def backward(params: dict[str, Any], dy: np.ndarray, x: np.ndarray, eps: float) -> Any:
        n, deviations, groups = normal(x, eps)
        d_gamma, d_beta, dx = Terms(params["gamma"].shape), Terms(params["beta"].shape), np.zeros(x.shape)
        for index in np.ndindex(x.shape):
            d_gamma.add((feature_of(index),), dy[index] * n[index])
            d_beta.add((feature_of(index),), dy[index])
        for group, members in groups.items():
            g = {index: float(params["gamma"][feature_of(index)] * dy[index]) for index in members}
            shift = math.fsum(g.values()) / len(members)
            turn = math.fsum(g[index] * n[index] for index in members) / len(members)
            for index in members:
                dx[index] = (g[index] - shift - n[index] * turn) / deviations[group]
        return (dx,), {"gamma": d_gamma.sums(), "beta": d_beta.sums()}

    return Reference(forward, backward)


batch_normalization = normalization(lambda index: (index[1],), lambda index: index[1])
layer_normalization = normalization(lambda index: index[:-1], lambda index: index[-1])


def _inference_forward(params: dict[str, Any], x: np.ndarray, mean: Any, variance: Any, eps: float) -> np.ndarray:
    y = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        k = index[1]
        y[index] = params["gamma"][k] * (float(x[index]) - mean[k]) / math.sqrt(variance[k] + eps) + params["beta"][k]
    return y


def _inference_backward(
    params: dict[str, Any], dy: np.ndarray, x: np.ndarray, mean: Any, variance: Any, eps: float
) -> Any:
    dx, d_gamma, d_beta = np.zeros(x.shape), Terms(params["gamma"].shape), Terms(params["beta"].shape)
    for index in np.ndindex(x.shape):
        k = index[1]
        deviation = math.sqrt(variance[k] + eps)
        dx[index] = dy[index] * params["gamma"][k] / deviation
        d_gamma.add((k,), dy[index] * (float(x[index]) - mean[k]) / deviation)
        d_beta.add((k,), dy[index])
    return (dx,), {"gamma": d_gamma.sums(), "beta": d_beta.sums()}


batch_normalization_inference = Reference(_inference_forward, _inference_backward)


def _dropout(x: np.ndarray, ratio: float, seed: int, scale: float) -> np.ndarray:
    """The values that the mask of a seed leaves, scaled: draws are compared with the ratio one by one."""
    draws = np.random.default_rng(seed).random(x.shape, np.float32)
    y = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        y[index] = float(x[index]) * scale if draws[index] >= ratio else 0.0
    return y


dropout = Reference(
    lambda params, x, ratio, seed, scale: _dropout(x, ratio, seed, scale),
    lambda params, dy, x, ratio, seed, scale: ((_dropout(dy, ratio, seed, scale),), {}),
)
