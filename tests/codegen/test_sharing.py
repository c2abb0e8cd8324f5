"""Kernels that differ in whole numbers only share their source."""

from dataclasses import replace

import numpy as np
import pytest

import kcompile
from kcompile import layers, ops
from kcompile.codegen import cpu, sharing
from kcompile.codegen.sharing import with_shared_sources
from kcompile.codegen.source import KernelSource
from kcompile.codegen.spec import KernelSpec
from kcompile.core.symbolic import symbol
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType

BATCH = symbol("batch")
COPY = """def kernel(args, begin, end, scratch):
    x0 = buffer_f32(args[0], 0)
{numbers}    for i in range(begin * {step}, min(end * {step}, {bound})):
        for j in range({inner}):
            x0[i * {stride} + j] = f32({value})
"""


def spec(numbers=(), **parts):
    """A kernel with one buffer; the bound is its first number, if it has any."""
    lines = "".join(f"    n{k} = args[{k + 1}]\n" for k in range(len(numbers)))
    parts = {"step": 4, "bound": "n0", "inner": 8, "stride": 8, "value": 1.5, "numbers": lines} | parts
    buffer = make_parameter(0, TensorType((8,), "float32"))
    return KernelSpec(KernelSource(COPY.format(**parts), "copy"), (buffer,), tuple(numbers), 1, (), "copy")


def test_numbers_that_differ_become_arguments():
    first, second = with_shared_sources([spec([64], stride=8), spec([32], stride=16)])
    assert first.source == second.source
    assert "x0[i * size1 + j]" in first.source.text and "size0 = args[1]" in first.source.text
    assert (first.numbers, second.numbers) == ((64, 8), (32, 16))
    assert "range(begin * 4" in first.source.text  # what they have in common stays


def test_a_constant_of_one_may_be_an_argument_of_the_other():
    first, second = with_shared_sources([spec(bound=20), spec([64])])
    assert first.source == second.source
    assert (first.numbers, second.numbers) == ((20,), (64,))


def test_numbers_of_the_run_come_first():
    first, second = with_shared_sources([spec([BATCH], stride=8), spec([BATCH * 2], stride=16)])
    assert first.source == second.source
    assert "open0 = args[1]" in first.source.text and "size0 = args[2]" in first.source.text
    assert (first.numbers, second.numbers) == ((BATCH, 8), (BATCH * 2, 16))


@pytest.mark.parametrize("other", [{"inner": 4}, {"value": 2.5}, {"value": "1e-05"}])
def test_short_loops_and_floats_stay_constants(other):
    specs = [spec([64]), spec([64], **other)]
    assert with_shared_sources(specs) == specs


@pytest.mark.parametrize(
    "other", [{"externals": ("free",)}, {"modules": ("kcompile.codegen.cpu_ops",)}, {"is_brief": True}]
)
def test_what_decides_the_code_must_be_the_same(other):
    specs = [spec([64], stride=stride) for stride in (8, 16)]
    specs[1] = replace(specs[1], source=replace(specs[1].source, **other))
    assert with_shared_sources(specs) == specs


def test_numbers_that_no_argument_holds_stay_constants():
    f = kcompile.jit(lambda x, y: (x * np.uint64(2**63 + 5), y * np.uint64(7)))
    x, y = np.arange(140, dtype="uint64"), np.arange(177, dtype="uint64")
    np.testing.assert_array_equal(f(x, y)[0], x * np.uint64(2**63 + 5))
    np.testing.assert_array_equal(f(x, y)[1], y * np.uint64(7))
    least = np.iinfo("int64").min
    g = kcompile.jit(lambda a, b: (ops.maximum(a, np.int64(least)), ops.maximum(b, np.int64(3))))
    a, b = -np.arange(140), np.arange(177)
    np.testing.assert_array_equal(g(a, b)[0], a)
    np.testing.assert_array_equal(g(a, b)[1], np.maximum(b, 3))


def test_what_is_alone_or_not_python_stays_as_it_is():
    alone = spec([64])
    llvm = replace(alone, source=KernelSource("; 12", "b", language="llvm"))
    other = replace(alone, source=KernelSource("; 13", "b", language="llvm"))
    assert with_shared_sources([alone, llvm, other, alone]) == [alone, llvm, other, alone]


def test_long_work_at_many_places_keeps_its_constants():
    many = "".join(
        f"            x0[j + {k}] = x0[j + {k} * {{stride}}]\n" for k in range(sharing.MOST_PLACES)
    )
    specs = [spec([64], stride=stride) for stride in (8, 16)]
    text = [s.source.text + many.format(stride=k) for s, k in zip(specs, (8, 16), strict=True)]
    specs = [replace(s, source=KernelSource(t, "many")) for s, t in zip(specs, text, strict=True)]
    assert len({s.source for s in with_shared_sources(specs)}) == 1  # no work is known of
    specs = [replace(s, work=BATCH * sharing.SMALL_WORK) for s in specs]
    assert with_shared_sources(specs) == specs


def listed(monkeypatch):
    """Kernels of the programs to come: as they are emitted, and shared."""
    found = []
    monkeypatch.setattr(
        cpu,
        "with_shared_sources",
        lambda specs: found.append((specs, with_shared_sources(specs))) or found[-1][1],
    )
    return found


def test_layers_of_other_sizes_share_their_kernels(monkeypatch):
    rng = np.random.default_rng(0)
    widths = (48, 80, 112, 144)
    weights = [rng.normal(size=s).astype("float32") / 8 for s in zip((32, *widths), widths, strict=False)]
    found = listed(monkeypatch)

    @kcompile.jit
    def chain(x):
        for w in weights:
            x = ops.matmul(x, w)
            x = ops.relu(x - ops.mean(x, axis=0)) * 2.0
        return x

    x = rng.normal(size=(40, 32)).astype("float32")
    expected = x
    for w in weights:
        expected = expected @ w
        expected = np.maximum(expected - expected.mean(0), 0) * 2
    np.testing.assert_allclose(chain(x), expected, rtol=1e-4, atol=1e-4)
    before, after = (len({s.source.text for s in specs}) for specs in found[0])
    assert after <= before - 4


def test_training_with_shared_kernels_gives_the_unshared_weights(monkeypatch):
    def trained():
        kcompile.utils.set_random_seed(3)
        model = kcompile.Sequential([kcompile.Input((16, 16, 3))])
        for filters in (16, 40, 72):
            model.add(layers.Conv2D(filters, 3, strides=2, padding="same", use_bias=False))
            model.add(layers.BatchNormalization())
            model.add(layers.ReLU())
        model.add(layers.GlobalAveragePooling2D())
        model.add(layers.Dense(4))
        model.compile("sgd", "mse")
        x = np.random.default_rng(0).normal(size=(20, 16, 16, 3)).astype("float32")
        model.fit(x, x[:, :4, 0, 0], batch_size=8, epochs=2, verbose=0)
        return model.get_weights()

    found = listed(monkeypatch)
    shared = trained()
    assert any(len({s.source for s in a}) < len({s.source for s in b}) for b, a in found)
    monkeypatch.setattr(cpu, "with_shared_sources", list)
    for one, other in zip(shared, trained(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
