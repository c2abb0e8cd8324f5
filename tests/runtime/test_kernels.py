"""Sources to addresses: cache, linker, externals, and a warm process without Numba."""

import ctypes
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

from kcompile import Sequential, jit
from kcompile.codegen import helper
from kcompile.codegen.build import build_one
from kcompile.codegen.families import usual_sources
from kcompile.codegen.source import KernelSource
from kcompile.core.config import config
from kcompile.core.errors import CompileError
from kcompile.layers import Input, Lambda
from kcompile.runtime import kernels, loader
from kcompile.runtime.cache import ObjectCache
from kcompile.runtime.executor import executor_source
from kcompile.runtime.kernels import get_kernels

ADD = """def kernel(args, begin, end, scratch):
    y = buffer_i64(args[0], 0)
    for i in range(begin, end):
        y[i] += {amount}
"""
CALL = """def kernel(args, begin, end, scratch):
    for i in range(begin, end):
        call_external("{symbol}", args[0], i, i + 1)
"""
# y[begin:end] = begin, as a micro-kernel with parameters of its own.
MICRO = """
define void @kernel(i64 %address, i64 %begin, i64 %end) {
  %y = inttoptr i64 %address to ptr
  %place = getelementptr i64, ptr %y, i64 %begin
  store i64 %begin, ptr %place
  ret void
}
"""


def add(amount):
    return KernelSource(ADD.format(amount=amount), "add")


def call(address, array, begin=0, end=None):
    block = np.array([array.ctypes.data], np.int64)
    end = len(array) if end is None else end
    ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 4)(address)(block.ctypes.data, begin, end, 0)


def forget_all_but_the_executor(monkeypatch):
    executor = executor_source()
    (address,) = get_kernels([executor])
    monkeypatch.setattr(kernels, "_addresses", {executor.key: address})


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty cache and a process that has loaded nothing but the executor."""
    forget_all_but_the_executor(monkeypatch)
    monkeypatch.setenv("KCOMPILE_CACHE_DIR", str(tmp_path / "cache"))
    return ObjectCache(tmp_path / "cache")


def test_kernels_run(cache):
    y = np.zeros(5, np.int64)
    one, ten = get_kernels([add(1), add(10)])
    call(one, y)
    call(ten, y, 1, 3)
    assert y.tolist() == [1, 11, 11, 1, 1]


def test_equal_sources_have_one_address_and_are_built_once(cache, monkeypatch):
    built = []
    monkeypatch.setattr(
        kernels,
        "build_each",
        lambda sources, ahead=None: [(s, build_one(s)) for s in sources if not built.append(s)],
    )
    first = get_kernels([add(1), KernelSource(add(1).text, "same"), add(2)])
    assert first[0] == first[1] != first[2]
    assert get_kernels([add(2)]) == [first[2]]
    assert len(built) == 2


def test_another_process_takes_the_object_from_the_cache(cache, monkeypatch):
    get_kernels([add(1)])
    assert cache.info().files == 1
    forget_all_but_the_executor(monkeypatch)
    monkeypatch.setattr(
        kernels, "build_each", lambda sources, ahead=None: pytest.fail("built again") if sources else []
    )
    y = np.zeros(2, np.int64)
    call(get_kernels([add(1)])[0], y)
    assert y.tolist() == [1, 1]


@pytest.fixture
def started(monkeypatch):
    """What is compiled ahead, as `start_ahead` asks for it."""
    asked = []
    monkeypatch.setattr(kernels.HeadStart, "of", lambda sources: asked.append(sources))
    return asked


def test_with_an_empty_cache_the_executor_is_compiled_ahead(cache, started, monkeypatch):
    monkeypatch.setattr(kernels, "_addresses", {})
    kernels.start_ahead()
    (sources,) = started
    assert sources == [executor_source(), *usual_sources()]
    get_kernels([add(1)])  # the executor, too
    kernels.start_ahead()
    monkeypatch.setattr(kernels, "_addresses", {})  # another process
    kernels.start_ahead()
    assert len(started) == 1


def test_nothing_is_compiled_ahead_for_another_target(cache, started, monkeypatch):
    monkeypatch.setattr(kernels, "_addresses", {})
    with config(target="reference"):
        kernels.start_ahead()
    assert not started


def test_a_helper_that_was_started_in_vain_ends(cache, monkeypatch):
    """No program came, because tracing failed; a later one compiles as if nothing had been."""
    monkeypatch.setattr(kernels, "_addresses", {})
    monkeypatch.setattr(helper, "PATIENCE", 0.01)
    kernels.start_ahead()
    ahead = kernels._ahead
    if ahead is not None:  # of more than one core
        ahead.helper.join()
        assert ahead.helper._process.returncode == 0
        assert not ahead.waiting.sources
    (address,) = get_kernels([add(4)])
    assert kernels._ahead is None
    y = np.zeros(2, np.int64)
    call(address, y)
    assert y.tolist() == [4, 4]


def test_tracing_starts_it(cache, started, monkeypatch):
    """Steps of models and functions: the second process gets ready meanwhile."""
    monkeypatch.setattr(kernels, "_addresses", {})
    seen = []

    def function(x):
        seen.append(len(started))
        return x + 1.0

    jit(function)(np.zeros(2, "float32"))
    assert seen == [1]
    monkeypatch.setattr(kernels, "_addresses", {})
    monkeypatch.setattr(kernels, "default_cache", lambda: ObjectCache(None))
    model = Sequential([Input((3,)), Lambda(function)])
    before = len(started)
    model.predict(np.zeros((2, 3), "float32"), verbose=0)
    assert seen[-1] == before + 1


def test_what_was_compiled_ahead_is_cached(cache, monkeypatch):
    monkeypatch.setattr(kernels, "_addresses", {})
    kernels.start_ahead()
    (address,) = get_kernels([add(3)])
    assert kernels._ahead is None
    assert cache.get(executor_source().key) is not None
    y = np.zeros(2, np.int64)
    call(address, y)
    assert y.tolist() == [3, 3]


def test_a_damaged_cached_object_is_built_again_in_silence(cache, monkeypatch):
    get_kernels([add(1)])
    path = next(os.scandir(cache._folder)).path
    with open(path, "r+b") as file:
        file.seek(200)
        file.write(b"\xff\xff\xff\xff")
    forget_all_but_the_executor(monkeypatch)
    y = np.zeros(2, np.int64)
    call(get_kernels([add(1)])[0], y)
    assert y.tolist() == [1, 1]
    assert cache.get(add(1).key) is not None


def test_a_kernel_calls_another_source(cache):
    micro = KernelSource(MICRO, "micro", language="llvm")
    y = np.full(6, -1, np.int64)
    (address,) = get_kernels([KernelSource(CALL.format(symbol=micro.symbol), "outer", externals=(micro,))])
    call(address, y, 2, 5)
    assert y.tolist() == [-1, -1, 2, 3, 4, -1]


def test_sources_that_call_one_another_across_requests(cache):
    micro = KernelSource(MICRO, "micro", language="llvm")
    text = CALL.format(symbol=micro.symbol)
    outer = [KernelSource(text + f"    # {i}\n", "outer", externals=(micro,)) for i in range(2)]
    for source in outer:
        y = np.full(3, -1, np.int64)
        call(get_kernels([source, micro])[0], y)
        assert y.tolist() == [0, 1, 2]


def test_a_symbol_defined_by_address(cache):
    seen = []
    callback = ctypes.CFUNCTYPE(None, *[ctypes.c_int64] * 3)(lambda a, b, c: seen.append((b, c)))
    loader.define_symbol("kc_test_callback", ctypes.cast(callback, ctypes.c_void_p).value)
    source = KernelSource(CALL.format(symbol="kc_test_callback"), "outer", externals=("kc_test_callback",))
    call(get_kernels([source])[0], np.zeros(1, np.int64), 3, 5)
    assert seen == [(3, 4), (4, 5)]


def test_an_undefined_symbol_is_an_error_that_names_the_kernel(cache):
    source = KernelSource(CALL.format(symbol="kc_nowhere"), "outer", externals=("kc_nowhere",))
    for _ in range(2):
        with pytest.raises(CompileError, match=r"(?s)outer.*kc_nowhere"):
            get_kernels([source])


def test_after_an_error_other_kernels_still_load(cache):
    with pytest.raises(CompileError):
        get_kernels(
            [add(3), KernelSource(CALL.format(symbol="kc_nowhere"), "outer", externals=("kc_nowhere",))]
        )
    y = np.zeros(1, np.int64)
    call(get_kernels([add(3)])[0], y)
    assert y.tolist() == [3]


@pytest.mark.parametrize("data", [b"", b"\x7fELF" + bytes(60), build_one(add(1))[:300]])
def test_a_damaged_object_is_an_error_and_not_the_end_of_the_process(data):
    with pytest.raises(CompileError):
        loader.load([data], ["kc_any"])


def test_a_name_that_no_object_defines_is_an_error():
    with pytest.raises(CompileError, match="kc_any"):
        loader.load([build_one(add(1))], ["kc_any"])


FAR = """def kernel(args, begin, end, scratch):
    y = buffer_f64(args[0], 0)
    for i in range(begin, end):
        y[i] = exp(y[i]) + 0.1234567
    call_external("sched_yield")
    # {number}
"""


def test_constants_and_calls_reach_however_far_the_code_lies(cache):
    """Objects are small-model code: constants and libc must be reachable wherever the linker puts them."""
    held = [np.zeros(2**28) for _ in range(4)]  # 8 GB of addresses before and between objects, never touched
    for i in range(3):
        y = np.zeros(9)
        call(get_kernels([KernelSource(FAR.format(number=i), "far", externals=("sched_yield",))])[0], y)
        np.testing.assert_allclose(y, 1.1234567, rtol=1e-15)
        held.append(np.zeros(2**28))


def test_the_executor_comes_with_the_first_kernels(cache, monkeypatch):
    monkeypatch.setattr(kernels, "_addresses", {})
    get_kernels([add(1)])
    assert cache.info().files == 2
    assert executor_source().key in kernels._addresses


def test_two_threads_ask_for_the_same_kernels(cache):
    answers = []
    threads = [
        threading.Thread(target=lambda: answers.append(get_kernels([add(i) for i in range(3)]))) for _ in "ab"
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers[0] == answers[1]


PROGRAM = """
import ctypes, sys
import numpy as np
from kcompile.codegen.source import KernelSource
from kcompile.runtime.kernels import get_kernels
from kcompile.runtime.team import Team
text = '''{text}'''
(address,) = get_kernels([KernelSource(text, "add")])
y = np.zeros(4, np.int64)
block = np.array([y.ctypes.data], np.int64)
commands = np.array([[address, block.ctypes.data, 4, 1, 1, 0, 0, 0]], np.int64)
assert Team(2).run(commands, 3) == 3
assert y.tolist() == [3, 3, 3, 3], y
print("numba" in sys.modules)
"""


def test_a_warm_process_never_imports_numba(tmp_path):
    environment = {**os.environ, "KCOMPILE_CACHE_DIR": str(tmp_path / "cache")}
    program = PROGRAM.format(text=ADD.format(amount=1))
    answers = [
        subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        ).stdout.strip()
        for _ in range(2)
    ]
    assert answers == ["True", "False"]
