"""Kernels that run slice by slice give the same bits as one by one, and need a slice of what they pass on."""

from __future__ import annotations

import numpy as np
import pytest

from kcompile import ops
from kcompile.autograd.backward import gradients
from kcompile.codegen import chains as ordering
from kcompile.codegen import cpu
from kcompile.codegen.chains import cuts_of, side_by_side
from kcompile.codegen.source import KernelSource
from kcompile.codegen.spec import KernelSpec, Slices
from kcompile.compiler import compile_graph
from kcompile.core.config import config
from kcompile.core.symbolic import evaluate, symbol
from kcompile.ir.kernels import Contract
from kcompile.ir.op import make_parameter
from kcompile.ir.types import TensorType
from kcompile.runtime import chains as chaining
from kcompile.runtime import program as programs
from kcompile.runtime.chains import chains_of
from kcompile.runtime.executor import BARRIER
from kcompile.runtime.profile import profile
from kcompile.runtime.team import Team
from kcompile.trace.tracer import trace

BATCH = symbol("batch")


@pytest.fixture(autouse=True)
def shared_out(monkeypatch):
    """Small programs go to all threads, too, and nothing is near anyway."""
    monkeypatch.setattr(chaining, "near_bytes", lambda: 0)
    monkeypatch.setattr(ordering, "MOST_GROWTH", 100)  # of so little
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


def in_order(make):
    """What `make` compiles, its kernels in the order of the plan, without chains."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cpu, "side_by_side", lambda specs, sizes: (list(specs), list(range(len(specs)))))
        return make()


def assert_same(found, expected):
    """Bit by bit, and no NaN, which shows what was read before it was written."""
    for got, want in zip(found, expected, strict=True):
        assert np.isfinite(want).all()
        np.testing.assert_array_equal(got, want)


def attending(function, batch=BATCH, tokens=40, heads=4):
    return compiled(function, *[(batch, heads, tokens, 16)] * 3)


def operands(batch, tokens=40, heads=4):
    rng = np.random.default_rng(batch)
    return [rng.normal(size=(batch, heads, tokens, 16)).astype("float32") for _ in range(3)]


def chains(executable, arrays):
    bound = executable._bind(tuple(arrays), None)
    return [chain for chain in bound.chains if chain.units > 1]


def run(executable, arrays, threads):
    """The results by so many threads."""
    bound = executable.program.bind(executable.symbols_of(arrays, {}))
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
    expected, separate = run(in_order(lambda: attending(forward_and_backward)), arrays, 1)
    assert any(chain.units > 1 for chain in bound.chains)
    assert bound.arena.nbytes < separate.arena.nbytes
    assert_same(found, expected)
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
        arrays = operands(5)
        found, bound = run(attending(function), arrays, 2)
        assert all(len(c.numbers) <= 3 for c in bound.chains)
        assert_same(found, run(in_order(lambda f=function: attending(f)), arrays, 1)[0])


def test_what_is_read_outside_of_the_chain_lies_in_the_arena():
    def also_scores(q, k, v):
        scores = ops.matmul(q, ops.transpose(k, (0, 1, 3, 2)))
        return ops.matmul(ops.softmax(scores), v), ops.sum(ops.tanh(scores), axis=(0, 1))

    arrays = operands(5)
    found, _ = run(attending(also_scores), arrays, 2)
    assert_same(found, run(in_order(lambda: attending(also_scores)), arrays, 1)[0])
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


def hazards(specs, order):
    """Pairs of specs of which the later one touches what the earlier one writes, or the other way round, and
    that changed places.
    """
    place = {k: at for at, k in enumerate(order)}
    return [
        (earlier, later)
        for later, spec in enumerate(specs)
        for earlier in range(later)
        if _waits(specs[earlier], spec)
        if place[earlier] > place[later]
    ]


def statistic_of_another(q, k, v):
    """What a chain needs whole is made of what another kernel of it makes slice by slice."""
    a, b = ops.softmax(q), ops.softmax(k)
    c = ops.tanh(ops.mean(b, axis=(0, 1, 2), keepdims=True))
    return ops.softmax(a * c) + ops.softmax(b + a)


def second_gradients(q, k, v):
    first = gradients(ops.sum(ops.square(attention(q, k, v))), [q, k, v])
    return gradients(sum(ops.sum(ops.square(g)) for g in first), [q, k, v])


ORDERED = {
    "attention": forward_and_backward,
    "a statistic of another member": statistic_of_another,
    "second gradients": second_gradients,
}


@pytest.mark.parametrize("name", ORDERED)
def test_the_order_keeps_what_must_wait(name):
    def make():
        return attending(ORDERED[name])

    specs = in_order(make).program.specs
    ordered, order = side_by_side(specs, {})
    assert sorted(order) == list(range(len(specs))) and not hazards(specs, order)
    assert [s.name for s in ordered] == [specs[k].name for k in order]
    arrays = [0.3 * x for x in operands(6)]
    assert_same(run(make(), arrays, 3)[0], run(in_order(make), arrays, 1)[0])


def test_what_others_wait_for_does_not_join_a_chain_behind_them():
    """D joins A; B, which D reads slice by slice, could join, but C needs all of B, and D all of C."""
    values = {name: make_parameter(name, TensorType((64, 8))) for name in "xabcd"}
    x, a, b, c, d = values.values()

    def spec(name, reads, writes, own):
        source = KernelSource("def kernel(args, begin, end, scratch):\n    pass\n", name)
        slices = Slices(64, 1, tuple(own)) if own else None
        return KernelSpec(source, (*reads, writes), (), 64, (writes,), name, slices=slices)

    specs = [
        spec("A", [x], a, [x, a]), spec("B", [x], b, [b]), spec("C", [b], c, [c]),
        spec("D", [a, b, c], d, [a, b, d]),
    ]  # fmt: skip
    _, order = side_by_side(specs, {})
    assert not hazards(specs, order)
    without = [specs[0], specs[1], spec("D", [a, b], d, [a, b, d])]
    marked, _ = side_by_side(without, {})
    assert [s.follows for s in marked] == [False, True, True]  # B joins where nobody else waits for it


def test_barriers_stand_before_all_that_a_chain_waits_for():
    """Whatever its members touch, not its first one alone: values are packed right before the scores."""
    for make in (forward_and_backward, statistic_of_another, second_gradients):
        executable = attending(make)
        bound = executable._bind(tuple(operands(6)), None)
        specs, since = executable.program.specs, 0
        for chain in bound.chains:
            if bound.commands[chain.first, 4] & BARRIER:
                since = chain.first
            for earlier in range(since, chain.first):
                assert all(not _waits(specs[earlier], specs[k]) for k in chain.numbers)


def _waits(one, other):
    return {*one.writes} & {*other.buffers} or {*one.buffers} & {*other.writes}


def test_parts_of_a_reduction_come_before_positions():
    shape = (8, 16, 400_000)
    executable = compiled(lambda x, y: ops.matmul(x, ops.transpose(y, (0, 2, 1))), shape, shape)
    kernels = zip(executable.program.plan.kernels, executable.program.specs, strict=True)
    [parted] = [spec for kernel, spec in kernels if isinstance(kernel, Contract)]
    assert parted.slices is None


def test_no_chain_where_more_memory_would_be_needed(monkeypatch):
    monkeypatch.setattr(ordering, "MOST_GROWTH", 1.02)
    specs = in_order(lambda: attending(forward_and_backward)).program.specs
    sizes = {v: 1 for spec in specs for v in spec.buffers}
    assert any(s.follows for s in side_by_side(specs, sizes)[0])
    packed = [v for spec in specs if "pack" in spec.fused for v in spec.writes]
    ordered, order = side_by_side(specs, sizes | dict.fromkeys(packed, 1000))  # all would be needed at once
    assert order == list(range(len(specs))) and not any(s.follows for s in ordered)


def random_program(seed):
    """Products, softmaxes and sums over three stacks of matrices, some along other axes."""
    rng = np.random.default_rng(seed)

    def function(*stacks):
        known = list(stacks)
        for _ in range(rng.integers(4, 10)):
            a, b = (known[k] for k in rng.integers(len(known), size=2))
            kinds = [
                "product",
                "turned",
                "softmax",
                "columns",
                "sum",
                "stack",
                "roll",
                "next",
                "turn",
                "three",
            ]
            kind = rng.choice(kinds)
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
                    "three": lambda a=a, b=b: ops.softmax(a + b) * ops.tanh(ops.mean(b, axis=0)),
                    "turn": lambda a=a: ops.transpose(a, (0, 2, 1)),
                }[kind]()
            )
        total = ops.sum(ops.square(known[-1]))
        return [known[-1], known[len(known) // 2], *gradients(total, stacks[:2])]

    return compiled(function, *[(BATCH, 40, 40)] * 3)


@pytest.mark.parametrize("seed", [2, 13, 15, 19])
def test_random_programs_have_chains(seed):
    assert chains(random_program(seed), random_stacks(16))


def random_stacks(batch):
    rng = np.random.default_rng(batch)
    return [rng.normal(size=(batch, 40, 40)).astype("float32") for _ in range(3)]


@pytest.mark.parametrize("seed", range(24))
def test_random_programs(seed):
    executable, plain = random_program(seed), in_order(lambda: random_program(seed))
    specs = plain.program.specs
    assert not hazards(specs, side_by_side(specs, {})[1])
    for batch in (16, 9):
        arrays = random_stacks(batch)
        assert_same(run(executable, arrays, 3)[0], run(plain, arrays, 1)[0])


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
