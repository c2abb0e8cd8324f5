"""Ends of ranges: no elements, zeros as factors, ties, bounds that are left out, numbers out of range."""

from __future__ import annotations

import numpy as np
import pytest

import kcompile
from kcompile import ops
from kcompile.autograd.functional import grad
from kcompile.core.dtypes import numpy_dtype
from kcompile.ops import nan

RNG = np.random.default_rng(3)
X = RNG.normal(size=(2, 11)).astype("float32")
METHODS = ("linear", "lower", "higher", "midpoint", "nearest")


def both(function, *arrays):
    """What a function gives for arrays, which must be what it gives compiled."""
    found = function(*arrays)
    compiled = kcompile.jit(function)(*arrays)
    assert compiled.dtype == found.dtype
    np.testing.assert_allclose(compiled.astype("float64"), found.astype("float64"), rtol=2e-5, atol=1e-6)
    return found


# --- reductions ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keepdims, shape", [(False, (3,)), (True, (1, 3))])
@pytest.mark.parametrize("name, start", [("max", -7.0), ("min", 9.0)])
def test_extremes_of_nothing_are_initial(name, start, keepdims, shape):
    function, nothing = getattr(ops, name), np.zeros((0, 3), "float32")
    found = both(lambda x: function(x, axis=0, initial=start, keepdims=keepdims), nothing)
    assert found.shape == shape and (found == start).all()


def test_initial_has_the_dtype_of_the_elements():
    found = both(lambda x: ops.max(x, initial=1.9), np.array([-3, 0], "int8"))
    assert found.dtype == np.int8 and found == 1


@pytest.mark.parametrize("order, expected", [(1, 6.0), (3, None)])
def test_normalize_over_two_axes_takes_the_norm_of_a_matrix(order, expected):
    x = np.array([[1.0, -2.0], [3.0, 4.0]], "float32")
    if expected is None:
        with pytest.raises(ValueError, match="ord"):
            ops.normalize(x, axis=(0, 1), order=order)
    else:
        np.testing.assert_allclose(
            both(lambda x: ops.normalize(x, axis=(0, 1), order=order), x), x / expected
        )


@pytest.mark.parametrize("low, high", [(None, 0.5), (-0.5, None), (None, None)])
@pytest.mark.parametrize("dtype", ["float32", "int32"])
def test_clip_without_a_bound(low, high, dtype):
    x = (X * 3).astype(dtype)
    low, high = (None if v is None or dtype == "float32" else int(2 * v) for v in (low, high))
    expected = x if low is None and high is None else np.clip(x, low, high)
    np.testing.assert_array_equal(both(lambda x: ops.clip(x, low, high), x), expected)


def test_in_top_k_of_infinities_and_of_targets_that_are_no_class():
    predictions = np.array([[1, 2, 3, 3], [1, 1, 1, 0], [np.inf, 1, 2, 3], [np.nan, 1, 2, 3]], "float32")
    targets = np.array([-1, 7, 0, 0], "int32")
    found = both(lambda t, p: ops.in_top_k(t, p, 2), targets, predictions)
    assert found.tolist() == [True, False, True, False]


# --- quantiles ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", ["quantile", "nanquantile"])
def test_quantiles_of_shares_known_at_run_time(name, method):
    q = np.array([0.1, 0.35, 0.5, 1.0], "float32")
    found = getattr(ops, name)(X, q, axis=1, method=method)
    compiled = kcompile.jit(lambda x, q: getattr(ops, name)(x, q, axis=1, method=method))(X, q)
    np.testing.assert_allclose(compiled, found, rtol=1e-6)
    symbolic = getattr(ops, name)(kcompile.KerasTensor((None, 11)), kcompile.KerasTensor((4,)), axis=1)
    assert symbolic.shape == (4, None)


def test_a_share_in_single_precision_meets_its_element():
    x = np.arange(11, dtype="float32")
    assert ops.quantile(x, np.float32(0.1), method="higher") == 1.0  # 0.1f is a little more than 0.1


def test_the_lower_of_two_nearest_elements():
    x = np.arange(4, dtype="float32")
    assert both(lambda x: ops.quantile(x, 0.5, method="nearest"), x) == 1.0
    assert both(lambda x: ops.nanquantile(x, 0.5, method="nearest"), x) == 1.0


@pytest.mark.parametrize("name", ["quantile", "nanquantile"])
def test_shares_beyond_one_are_the_largest_element(name):
    np.testing.assert_array_equal(
        both(lambda x: getattr(ops, name)(x, [-1.0, 4.0], axis=1), X), [X.min(1), X.max(1)]
    )


# --- products -----------------------------------------------------------------------------------------------

FACTORS = {
    "none": [2.0, 3.0, -1.0, 0.5],
    "first": [0.0, 3.0, -1.0, 0.5],
    "inner": [2.0, 0.0, -1.0, 0.5],
    "two": [2.0, 0.0, 3.0, 0.0, 5.0],
    "side by side": [0.0, 0.0, 3.0],
    "all": [0.0, 0.0, 0.0],
    "one": [0.0],
    "blocks": [0.0 if k % 17 == 5 else 1.0 + 0.01 * k for k in range(40)],
}


def running_product_slopes(x, weights):
    """The gradient and the Hessian of sum(weights * cumprod(x)), by leaving factors out."""
    n = len(x)
    first, second = np.zeros(n), np.zeros((n, n))
    for k in range(n):
        for i in range(k + 1):
            others = [x[m] for m in range(k + 1) if m != i]
            first[i] += weights[k] * np.prod(others)
            for j in range(k + 1):
                if j != i:
                    second[i, j] += weights[k] * np.prod([x[m] for m in range(k + 1) if m not in (i, j)])
    return first, second


@pytest.mark.parametrize("name", FACTORS)
def test_slopes_of_a_running_product_at_zeros(name):
    x = np.array(FACTORS[name])
    weights, direction = np.cos(np.arange(len(x)) + 1.0), np.sin(np.arange(len(x)) + 1.0)

    def slope(x):
        return grad(lambda x: ops.sum(ops.cumprod(x) * weights))(x)

    first, second = running_product_slopes(x, weights)
    np.testing.assert_allclose(slope(x), first, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(
        grad(lambda x: ops.sum(slope(x) * direction))(x), second @ direction, rtol=1e-9, atol=1e-9
    )


def test_compiled_slopes_of_running_products_along_an_open_axis():
    call = kcompile.jit(grad(lambda x: ops.sum(ops.cumprod(x, axis=0) * ops.cos(x + 1.0))))
    for n in (3, 5, 40):
        x = np.where(np.arange(2 * n).reshape(n, 2) % 5 == 2, 0, 1.1).astype("float32")
        expected = grad(lambda x: ops.sum(ops.cumprod(x, axis=0) * ops.cos(x + 1.0)))(x.astype("float64"))
        np.testing.assert_allclose(call(x), expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize(
    "subscripts", ["ii->i", "ii", "iij->j", "iij->ij", "iji->j", "iij,jk->ik", "iij,kk->jk"]
)
def test_einsum_of_diagonals(subscripts):
    sizes = {"i": 3, "j": 2, "k": 4}
    parts = subscripts.split("->")[0].split(",")
    arrays = [RNG.normal(size=tuple(sizes[c] for c in part)).astype("float32") for part in parts]
    found = both(lambda *xs: ops.einsum(subscripts, *xs), *arrays)
    np.testing.assert_allclose(found, np.einsum(subscripts, *arrays), rtol=1e-5)
    slope = grad(lambda x: ops.sum(ops.square(ops.einsum(subscripts, x, *arrays[1:]))))(arrays[0])
    step = np.float32(1e-2) * RNG.normal(size=arrays[0].shape).astype("float32")
    values = [np.square(np.einsum(subscripts, arrays[0] + s * step, *arrays[1:])).sum() for s in (1, -1)]
    np.testing.assert_allclose((slope * step).sum(), (values[0] - values[1]) / 2, rtol=1e-3)


def test_correlation_of_integers_is_a_float():
    found = both(
        lambda a, b: ops.correlate(a, b, mode="same"), np.arange(5, dtype="int8"), np.array([1, 2], "int8")
    )
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.correlate(np.arange(5), [1, 2], mode="same"))


# --- images -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", [2, 3])
def test_blocks_of_channels_first_images(block):
    x = np.arange(2 * 3 * block * block * 4 * 5, dtype="float32").reshape(2, 3 * block * block, 4, 5)
    grid = x.reshape(2, 3, block, block, 4, 5).transpose(0, 1, 4, 2, 5, 3)
    found = both(lambda x: ops.depth_to_space(x, block, "channels_first"), x)
    np.testing.assert_array_equal(found, grid.reshape(2, 3, 4 * block, 5 * block))
    np.testing.assert_array_equal(both(lambda x: ops.space_to_depth(x, block, "channels_first"), found), x)


def test_groups_follow_the_global_data_format():
    x, kernel = RNG.normal(size=(1, 4, 6, 7)), RNG.normal(size=(3, 3, 2, 8))
    expected = ops.conv(x, kernel, data_format="channels_first")
    kcompile.config.set_image_data_format("channels_first")
    try:
        found = ops.conv(x, kernel)
    finally:
        kcompile.config.set_image_data_format("channels_last")
    np.testing.assert_array_equal(found, expected)


# --- half precision -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["bfloat16", "float16"])
def test_colours_and_limits_of_halves(name):
    dtype = numpy_dtype(name)
    image = np.array([[[0.25, 1.0, 0.5], [0.0, 0.0, 0.0]]], dtype)
    expected = ops.image.rgb_to_hsv(image.astype("float32"))
    found = ops.image.rgb_to_hsv(image)
    assert found.dtype == dtype
    np.testing.assert_allclose(found.astype("float32"), expected, atol=5e-3)
    limited = ops.saturate_cast(np.array([1e39, -1e39, 3.0]), name).astype("float64")
    assert np.isfinite(limited).all() and limited[2] == 3 and limited[0] == -limited[1] > 6e4
    assert np.isfinite(ops.nan_to_num(np.array([np.inf, -np.inf], dtype)).astype("float64")).all()


@pytest.mark.parametrize("name, expected", [("fmax", [0, 1, 0, 1]), ("fmin", [1, 0, 0, 1])])
def test_the_second_of_two_equals_is_the_one_that_is_taken(name, expected):
    a, b = np.array([1, 4, 2, np.nan], "float32"), np.array([3, 2, 2, 1], "float32")
    function = grad(lambda a, b: ops.sum(getattr(ops, name)(a, b)), argnums=(0, 1))
    for found in (function(a, b), kcompile.jit(function)(a, b)):
        first = np.where(np.isnan(a), 0, np.array(expected))
        np.testing.assert_array_equal(found, [first, 1 - first])


# --- arranging and searching --------------------------------------------------------------------------------

GRID = np.arange(12, dtype="float32").reshape(3, 4)


@pytest.mark.parametrize("shift, axis", [((1, 2), 0), ((1, 2), None), ((1, -2), (0, 0)), (1, (0, 1)), (5, 1)])
def test_shifts_add_up(shift, axis):
    np.testing.assert_array_equal(both(lambda x: ops.roll(x, shift, axis), GRID), np.roll(GRID, shift, axis))


def test_parts_that_are_flattened_and_parts_that_are_there():
    found = both(lambda a, b: ops.concatenate([a, b], axis=None), GRID, GRID[0])
    np.testing.assert_array_equal(found, np.concatenate([GRID, GRID[0]], axis=None))
    assert len(ops.unstack(GRID, num=9)) == 3  # `num` is for dimensions that are not known


def test_flat_positions_beyond_the_ends():
    for shape in ((3, 4), 12, [2, 3, 2]):
        given = np.array([0, 5, 11, -1, 13, -20], "int32")
        found = ops.unravel_index(given, shape)
        np.testing.assert_array_equal(found, np.unravel_index([0, 5, 11, 11, 11, 0], shape))


@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("count", [5, 60])
def test_nan_stands_behind_all_numbers(count, side):
    sequence = np.sort(np.append(RNG.integers(0, 9, count), [np.nan] * 2)).astype("float32")
    values = np.array([0, 2, 9, np.nan, -np.inf, np.inf], "float32")
    found = both(lambda s, v: ops.searchsorted(s, v, side), sequence, values)
    np.testing.assert_array_equal(found, np.searchsorted(sequence, values, side))


@pytest.mark.parametrize("bins", [[0.0, 1.0, 2.0], [2.0, 1.0, 0.0], [1.0], [1.0, 1.0]])
def test_bins_in_either_order(bins):
    x, bins = np.array([-1, 0, 0.5, 1, 2, 3, np.nan], "float32"), np.array(bins, "float32")
    np.testing.assert_array_equal(both(ops.digitize, x, bins), np.digitize(x, bins))


@pytest.mark.parametrize(
    "mask",
    [[True, False], [True, False, True, True], [[True] * 3] * 3, [[True, False, True]] * 2, True],
)
def test_masks_of_other_extents_are_refused(mask):
    """In a trace, too; as in NumPy."""
    x = np.arange(6, dtype="float32").reshape(3, 2)
    with pytest.raises(IndexError, match="mask"):
        kcompile.jit(lambda x: x[np.array(mask)])(x)


def test_masks_behind_an_ellipsis_or_a_new_axis():
    x, mask = np.arange(24, dtype="float32").reshape(3, 4, 2), np.array([True, False, True])
    lanes = np.array([False, True])
    got = kcompile.jit(lambda x: [x[..., lanes], x[None, mask], x[mask, 1:3], x[:, x.shape[1] - 2 :, lanes]])(
        x
    )
    for one, want in zip(got, [x[..., lanes], x[None, mask], x[mask, 1:3], x[:, 2:, lanes]], strict=True):
        np.testing.assert_array_equal(np.asarray(one), want)


def test_masks_as_subscripts_and_positions():
    mask = np.array([True, False, True])
    for key in (mask, [True, False, True], (mask, slice(1, 3)), GRID > 1):
        np.testing.assert_array_equal(both(lambda x, key=key: ops.get_item(x, key), GRID), GRID[key])
    np.testing.assert_array_equal(ops.get_item(GRID, (slice(None), GRID[0] > 1)), GRID[:, GRID[0] > 1])
    np.testing.assert_array_equal(both(lambda x, i: ops.take(x, i, axis=0), GRID, mask), GRID[[1, 0, 1]])


@pytest.mark.parametrize("name, expected", [("max", [1, 0, 1, 0]), ("min", [0, 1, 1, 1])])
def test_segments_of_bools(name, expected):
    ids = np.array([0, 0, 2], "int32")
    function = getattr(ops, f"segment_{name}")
    found = both(lambda m: function(m, ids, num_segments=4), np.array([True, False, True]))
    assert found.dtype == bool and found.tolist() == [bool(v) for v in expected]


def test_products_of_segments_keep_the_dtype():
    found = both(lambda x: ops.segment_prod(x, np.array([0, 0, 1], "int32"), 2), np.array([2, 3, 4], "uint8"))
    assert found.dtype == np.uint8 and found.tolist() == [6, 4]


@pytest.mark.parametrize("mode", ["reflect", "symmetric", "wrap"])
def test_padding_of_an_open_axis(mode):
    call = kcompile.jit(lambda x: ops.pad(x, ((5, 2), (0, 0)), mode=mode))
    for n in (7, 3, 4, 2):
        x = RNG.normal(size=(n, 2)).astype("float32")
        np.testing.assert_array_equal(call(x), np.pad(x, ((5, 2), (0, 0)), mode=mode))
    placeholder = ops.pad(kcompile.KerasTensor((None, None, 3)), ((0, 0), (1, 1), (0, 0)), mode=mode)
    assert placeholder.shape == (None, None, 3)


@pytest.mark.parametrize("name", ["max", "min", "argmax", "argmin", "nanmax", "ptp"])
def test_nothing_has_no_extreme(name):
    function, nothing = getattr(ops, name), np.zeros((0, 3), "float32")
    with pytest.raises(ValueError):
        function(nothing, axis=0)
    with pytest.raises(ValueError, match="no element along the reduced axes"):
        kcompile.jit(lambda x: function(x, axis=0))(nothing)
    assert both(lambda x: function(x, axis=1), nothing).shape == (0,)
    for run in (lambda x: function(x, axis=1), kcompile.jit(lambda x: function(x, axis=1))):
        with pytest.raises(ValueError, match="no element along the reduced axes"):
            run(np.zeros((0, 0, 3), "float32"))  # though it would fill no result


@pytest.mark.parametrize("mode", ["edge", "reflect", "wrap", "maximum"])
def test_nothing_cannot_be_repeated(mode):
    nothing = np.zeros((0, 2), "float32")

    def pad(x):
        return ops.pad(x, 1, mode=mode)

    for run in (pad, kcompile.jit(pad)):
        with pytest.raises(ValueError, match=r"axis 0 has no elements"):
            run(nothing)
    assert ops.pad(nothing, ((0, 0), (1, 1)), mode=mode).shape == (0, 4)


def test_medians_of_no_rows():
    assert both(lambda x: ops.median(x, axis=1), np.zeros((0, 3), "float32")).shape == (0,)


def test_a_table_in_a_trace_needs_a_length():
    with pytest.raises(ValueError, match="give the length as `minlength`"):
        kcompile.jit(ops.bincount)(np.array([1, 2]))


@pytest.mark.parametrize("start", [(1, 2), (-3, 2), (0, -1)])
@pytest.mark.parametrize("shape", [(2, -1), (-1, -1), (-1, 1)])
def test_a_slice_of_all_that_follows(start, shape):
    x = np.arange(20, dtype="float32").reshape(4, 5)
    a, b = (s % d for s, d in zip(start, x.shape, strict=True))
    want = x[a : None if shape[0] == -1 else a + shape[0], b : None if shape[1] == -1 else b + shape[1]]
    np.testing.assert_array_equal(ops.slice(x, start, shape), want)
    np.testing.assert_array_equal(np.asarray(kcompile.jit(lambda x: ops.slice(x, start, shape))(x)), want)


STARTS = {"a number of NumPy": (np.int64(1), 2), "arrays": [np.array(1), np.array(2)]}


@pytest.mark.parametrize("name", STARTS)
def test_a_slice_begins_at_numbers_of_any_kind(name):
    x = np.arange(20, dtype="float32").reshape(4, 5)
    both(lambda x: ops.slice(x, STARTS[name], (2, 2)), x)
    found = kcompile.jit(lambda x, at: ops.slice(x, (at, 2), (2, 2)))(x, np.int32(1))
    np.testing.assert_array_equal(found, x[1:3, 2:4])
    total = kcompile.jit(
        lambda x: ops.fori_loop(0, 4, lambda k, s: s + ops.slice(x, [k, 0], (1, 5)), ops.zeros((1, 5)))
    )(x)
    np.testing.assert_array_equal(total, x.sum(axis=0, keepdims=True))


def test_as_many_counts_as_elements():
    x = np.arange(6, dtype="float32").reshape(3, 2)
    np.testing.assert_array_equal(both(lambda x: ops.repeat(x, [2], axis=0), x), np.repeat(x, 2, axis=0))
    for run in (ops.repeat, kcompile.jit(lambda x, counts, axis: ops.repeat(x, [1, 0], axis=0))):
        with pytest.raises(ValueError, match=r"along axis 0 .* 2 counts.*\(3, 2\)"):
            run(x, [1, 0], axis=0)


@pytest.mark.parametrize("towards", [-np.inf, np.inf, 0.5])
def test_the_next_number_towards_infinity(towards):
    x = np.array([1.0, -2.5, 0.0, np.inf], "float32")
    got = np.asarray(kcompile.jit(lambda x: ops.nextafter(x, towards))(x))
    np.testing.assert_array_equal(got, np.nextafter(x, np.float32(towards)))


@pytest.mark.parametrize("towards", [-np.inf, 0.0, np.inf])
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_every_half_has_its_neighbours(dtype, towards):
    x = np.arange(1 << 16, dtype="uint16").view(kcompile.core.dtypes.numpy_dtype(dtype))
    got = np.asarray(kcompile.jit(lambda x: ops.nextafter(x, ops.cast(towards, dtype)))(x))
    wanted = np.nextafter(x, x.dtype.type(towards))
    wide = x.astype("float32")
    least = float(np.finfo("float32").tiny)  # kernels take what lies below for 0
    known = (np.abs(wide) >= least) | (wide == 0)
    np.testing.assert_array_equal(got[known], wanted[known])
    assert got.dtype == x.dtype and np.isnan(got[np.isnan(wide)].astype("float32")).all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_the_bits_of_every_half(dtype):
    bits = np.arange(1 << 16, dtype="uint16")
    x = bits.view(kcompile.core.dtypes.numpy_dtype(dtype))
    found = np.asarray(kcompile.jit(lambda x: ops.view(x, dtype))(bits))
    back = np.asarray(kcompile.jit(lambda x: ops.view(x, "uint16"))(x))
    wide = x.astype("float32")
    is_nan = np.isnan(wide)
    least = float(np.finfo("float32").tiny)  # kernels take what lies below for 0
    known = (np.abs(wide) >= least) | (wide == 0)
    np.testing.assert_array_equal(found[known], x[known])
    np.testing.assert_array_equal(back[known], bits[known])
    assert found.dtype == x.dtype and np.isnan(found[is_nan].astype("float32")).all()
    assert np.isnan(back[is_nan].view(x.dtype).astype("float32")).all()


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_bits_are_those_of_a_rounded_half(dtype):
    """What a kernel has not stored has more places than a half."""
    x = np.random.default_rng(4).normal(size=999).astype(kcompile.core.dtypes.numpy_dtype(dtype))
    found = kcompile.jit(lambda x: ops.view(x * x, "int16"))(x)
    np.testing.assert_array_equal(found, (x * x).view("int16"))


def test_loops_give_tensors():
    assert ops.fori_loop(2, 5, lambda i, total: total + i, 0).dtype == np.int32


BESIDE_A_WEIGHT = {
    "logaddexp": lambda w: ops.logaddexp(w, 0.0),
    "hypot": lambda w: ops.hypot(w, w),
    "isclose": lambda w: ops.isclose(w, 1.0),
    "heaviside": lambda w: ops.heaviside(w, 0.5),
    "fmod": lambda w: ops.fmod(w, 0.3),
    "divide_no_nan": lambda w: ops.divide_no_nan(w, 0.0),
    "linspace": lambda w: ops.linspace(w, 2 * w, 3),
    "trapezoid": lambda w: ops.trapezoid(w),
    "correlate": lambda w: ops.correlate(w, w),
    "average": lambda w: ops.average(w, weights=w),
}


@pytest.mark.parametrize("name", BESIDE_A_WEIGHT)
def test_weights_as_operands(name):
    """A variable is what it holds, in a trace too, where it has no numbers."""
    numbers = np.array([0.5, 2.0], "float32")
    weight = kcompile.Variable(numbers)
    got = np.asarray(
        kcompile.jit(lambda x: ops.cast(BESIDE_A_WEIGHT[name](weight), "float32") + x)(numbers[0])
    )
    np.testing.assert_allclose(got, np.asarray(BESIDE_A_WEIGHT[name](numbers), "float32") + 0.5, rtol=1e-6)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", ["isclose", "dot", "polar", "subtract"])
def test_infinities_are_no_reason_to_warn(name):
    """As little as in compiled programs; in operators of NumPy that an op is made of, too."""
    x = np.array([np.inf, -np.inf, np.nan, 3e38], "float32")
    assert getattr(ops, name)(x, x) is not None


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32", "float64"])
@pytest.mark.parametrize("name", ["nanmean", "nanvar", "nanstd"])
@pytest.mark.filterwarnings("ignore:invalid value")
def test_what_is_no_nan_is_counted_in_the_dtype_of_the_numbers(name, dtype):
    function = getattr(ops, name)
    for count in (0, 3):
        x = ops.cast(np.ones((2, count)), dtype)
        for found in (function(x, axis=1), kcompile.jit(lambda x: function(x, axis=1))(x)):
            assert found.dtype == x.dtype
            assert np.isnan(np.asarray(found, "float32")).all() == (count == 0)
        assert nan._count(name, x, 1, False).dtype == x.dtype
    with pytest.raises(ValueError, match="nanmean" if name == "nanmean" else "nanvar"):
        function(x, axis=2)
