"""Kernels that run slice by slice give the same bits as one by one, and need a slice of what they pass on."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile import ops
from kcompile.autograd.backward import gradients
from kcompile.codegen.chains import cuts_of, side_by_side
from kcompile.compiler import compile_graph
from kcompile.core.config import config
from kcompile.core.symbolic import evaluate, symbol
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.runtime import chains as chaining
from kcompile.runtime import program as programs
from kcompile.runtime.chains import chains_of
from kcompile.runtime.profile import profile
from kcompile.runtime.team import Team
from kcompile.trace.tracer import trace

BATCH = symbol("batch")


@pytest.fixture(autouse=True)
def shared_out(monkeypatch):
    """Small programs go to all threads, too, and nothing is near anyway."""
    monkeypatch.setattr(chaining, "near_bytes", lambda: 0)
    monkeypatch.setattr(programs, "SMALL_WORK", 0)
    monkeypatch.setattr(programs, "SMALL_COMMAND", 0)


def attention(q, k, v):
    """Of (batch, heads, tokens, depth)."""
    scores = ops.matmul(q, ops.transpose(k, (0, 1, 3, 2))) * 0.25
    return ops.matmul(ops.softmax(scores), v)


def forward_and_backward(q, k, v):
    y = attention(q, k, v)
    return [y, *gradients(ops.sum(ops.square(y)), [q, k, v])]


def compiled(function, *shapes):
    inputs = [make_parameter(f"x{k}", TensorType(s)) for k, s in enumerate(shapes)]
    return compile_graph(trace(function, inputs)[0], planned=True)


def attending(function, batch=BATCH, tokens=40, heads=4):
    return compiled(function, *[(batch, heads, tokens, 16)] * 3)


def operands(batch, tokens=40, heads=4):
    rng = np.random.default_rng(batch)
    return [rng.normal(size=(batch, heads, tokens, 16)).astype("float32") for _ in range(3)]


def chains(executable, arrays):
    bound = executable._bind(tuple(arrays), None)
    return [chain for chain in bound.chains if chain.units > 1]


def run(executable, arrays, threads, one_by_one=False):
    """The results by so many threads."""
    symbols = executable.symbols_of(arrays, {})
    bound = executable.program.bind(symbols, one_by_one)
    results = [np.full(shape, -1, dtype) for shape, dtype in bound.results]
    executable._before(bound, arrays, results)
    crew = Team(threads)
    crew.run(bound.commands, 3, threads=threads, scratch=bound.scratch)
    bound.arena.fill(0xFF)  # what is read before it was written is NaN, not what it was in the step before
    crew.run(bound.commands, 1, threads=threads, scratch=bound.scratch)
    crew.close()
    return results, bound


def test_attention_is_one_chain_of_a_head_at_a_time():
    executable = attending(attention)
    (chain,) = chains(executable, operands(6))
    assert chain.units == 24 and len(chain.numbers) == 3
    assert {v.shape[1:] for v in chain.slices} == {(4, 40, 40)}


def test_a_profile_tells_which_kernels_run_slice_by_slice():
    executable = attending(attention)
    (chain,) = chains(executable, operands(6))
    found = profile(executable, operands(6), repeats=1)
    followers = [k for k in chain.numbers if k > chain.first]
    assert [k for k, one in enumerate(found) if one.units == 24] == followers
    assert sum(one.units == 1 for one in found) == len(found) - len(followers)


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("batch", [2, 6, 7])
def test_a_chain_computes_what_its_kernels_compute_one_by_one(batch, threads):
    executable, arrays = attending(forward_and_backward), operands(batch)
    found, bound = run(executable, arrays, threads)
    expected, separate = run(executable, arrays, threads, one_by_one=True)
    assert any(chain.units > 1 for chain in bound.chains)
    assert bound.arena.nbytes < separate.arena.nbytes
    for got, want in zip(found, expected, strict=True):
        np.testing.assert_array_equal(got, want)
    q, k, v = (a.astype("float64") for a in arrays)
    scores = q @ k.swapaxes(2, 3) * 0.25
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    np.testing.assert_allclose(found[0], weights / weights.sum(-1, keepdims=True) @ v, atol=2e-5)


def test_no_chain_where_threads_would_wait_for_the_last_unit():
    executable = attending(attention)
    assert not chains(executable, operands(1))  # four heads
    assert chains(executable, operands(2))


@pytest.mark.parametrize("parts, units", [(1, 0), (2, 16), (16, 16), (30, 32), (64, 64), (200, 64)])
def test_as_few_units_as_let_their_slices_fit_the_cache(monkeypatch, parts, units):
    """64 heads, on two threads, and a cache for one of so many parts of what they touch."""
    executable, arrays = attending(attention), operands(16)
    specs, symbols = executable.program.specs, executable.symbols_of(arrays, {})
    (chain,) = (c for c in chains_of(specs, symbols, 2, []) if c.units > 1)
    own = {v for k in chain.numbers for v in specs[k].slices.own}
    whole = sum(evaluate(v.type.size, symbols) * 4 for v in own)
    monkeypatch.setattr(chaining, "near_bytes", lambda: whole // parts)
    found = [c.units for c in chains_of(specs, symbols, 2, []) if c.units > 1]
    assert found == ([units] if units else [])


def test_no_chain_across_what_reads_other_slices():
    def mixed(q, k, v):
        scores = ops.matmul(q, ops.transpose(k, (0, 1, 3, 2)))
        return ops.matmul(ops.softmax(ops.flip(scores, axis=0)), v)

    def summed(q, k, v):
        weights = ops.softmax(ops.matmul(q, ops.transpose(k, (0, 1, 3, 2))))
        return ops.matmul(weights / ops.max(weights, axis=(0, 1), keepdims=True), v)

    def neighbours(q, k, v):
        first = ops.softmax(ops.matmul(q, ops.transpose(k, (0, 1, 3, 2))))
        second = ops.matmul(first, ops.transpose(first, (0, 1, 3, 2)))
        return ops.matmul(ops.softmax(first + ops.roll(second, 1, axis=0)), v)

    for function in (mixed, summed, neighbours):
        executable, arrays = attending(function), operands(5)
        found, bound = run(executable, arrays, 2)
        expected, _ = run(executable, arrays, 1, one_by_one=True)
        assert all(len(c.numbers) <= 3 for c in bound.chains)
        for got, want in zip(found, expected, strict=True):
            np.testing.assert_array_equal(got, want)


def test_what_is_read_outside_of_the_chain_lies_in_the_arena():
    def also_scores(q, k, v):
        scores = ops.matmul(q, ops.transpose(k, (0, 1, 3, 2)))
        return ops.matmul(ops.softmax(scores), v), ops.sum(ops.tanh(scores), axis=(0, 1))

    executable, arrays = attending(also_scores), operands(5)
    found, _ = run(executable, arrays, 2)
    expected, _ = run(executable, arrays, 1, one_by_one=True)
    for got, want in zip(found, expected, strict=True):
        np.testing.assert_array_equal(got, want)
    q, k, _ = arrays
    np.testing.assert_allclose(
        found[1], np.tanh((q @ k.swapaxes(2, 3)).astype("float64")).sum((0, 1)), atol=1e-4
    )


@pytest.mark.parametrize("mode", ["poison", "check"])
def test_debugging_modes_see_through_chains(mode):
    arrays = operands(6)
    expected = attending(forward_and_backward)(*arrays)
    with config(**{mode: True}):
        found = attending(forward_and_backward)(*arrays)
    for got, want in zip(found, expected, strict=True):
        np.testing.assert_array_equal(got, want)


def test_the_order_keeps_what_must_wait():
    executable = attending(forward_and_backward)
    specs = executable.program.specs
    shuffled, numbers = side_by_side(specs)
    assert sorted(numbers) == list(range(len(specs)))
    place = {k: at for at, k in enumerate(numbers)}
    for later, spec in enumerate(specs):
        for earlier in range(later):
            one = specs[earlier]
            if {*one.writes} & {*spec.buffers} or {*one.buffers} & {*spec.writes}:
                assert place[earlier] < place[later]
    assert [s.name for s in shuffled] == [specs[k].name for k in numbers]


def random_program(seed):
    """Products, softmaxes and sums over three stacks of matrices, some along other axes."""
    rng = np.random.default_rng(seed)

    def function(*stacks):
        known = list(stacks)
        for _ in range(rng.integers(4, 10)):
            a, b = (known[k] for k in rng.integers(len(known), size=2))
            kind = rng.choice(
                ["product", "turned", "softmax", "columns", "sum", "stack", "roll", "next", "turn"]
            )
            known.append(
                {
                    "product": lambda a=a, b=b: ops.matmul(a, b) * 0.1,
                    "turned": lambda a=a, b=b: ops.matmul(a, ops.transpose(b, (0, 2, 1))) * 0.1,
                    "softmax": lambda a=a: ops.softmax(a),
                    "columns": lambda a=a: a - ops.mean(a, axis=1, keepdims=True),
                    "sum": lambda a=a, b=b: ops.tanh(a + b),
                    "stack": lambda a=a, b=b: a + ops.mean(b, axis=0, keepdims=True),
                    "roll": lambda a=a, b=b: ops.matmul(a, ops.roll(b, int(rng.integers(3)), axis=0)),
                    "next": lambda a=a, b=b: ops.softmax(a + ops.roll(b, 1, axis=0)),
                    "turn": lambda a=a: ops.transpose(a, (0, 2, 1)),
                }[kind]()
            )
        total = ops.sum(ops.square(known[-1]))
        return [known[-1], known[len(known) // 2], *gradients(total, stacks[:2])]

    return compiled(function, *[(BATCH, 40, 40)] * 3)


@pytest.mark.parametrize("seed", [1, 7, 12, 16])
def test_random_programs_have_chains(seed):
    assert chains(random_program(seed), random_stacks(16))


def random_stacks(batch):
    rng = np.random.default_rng(batch)
    return [rng.normal(size=(batch, 40, 40)).astype("float32") for _ in range(3)]


@pytest.mark.parametrize("seed", range(24))
def test_random_programs(seed):
    executable = random_program(seed)
    for batch in (16, 9):
        arrays = random_stacks(batch)
        expected, _ = run(executable, arrays, 1, one_by_one=True)
        found, _ = run(executable, arrays, 3)
        for got, want in zip(found, expected, strict=True):
            np.testing.assert_array_equal(got, want)


def test_units_hold_whole_tiles():
    executable = attending(attention)
    bound = executable._bind(tuple(operands(6)), None)
    (chain,) = chains(executable, operands(6))
    symbols = executable.symbols_of(operands(6), {})
    specs = [executable.program.specs[k] for k in chain.numbers]
    assert chain.units == cuts_of(specs, lambda n: evaluate(n, symbols))[-1] == 24
    for k, spec in zip(chain.numbers, specs, strict=True):
        assert bound.commands[k, 2] == bound.commands[k, 3] * chain.units == evaluate(spec.tiles, symbols)
    alone = chains_of(executable.program.specs, symbols, threads=100, intermediate=[])
    assert all(c.units == 1 for c in alone)
