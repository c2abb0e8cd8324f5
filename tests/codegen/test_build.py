"""Sources to objects: identity, determinism, errors, externals, the helping process."""

import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

import kcompile
from kcompile.codegen import build as building
from kcompile.codegen import source as sources
from kcompile.codegen.build import HeadStart, build, build_each, build_one
from kcompile.codegen.families import micro_source
from kcompile.codegen.helper import Helper, Waiting
from kcompile.codegen.source import KernelSource
from kcompile.core.errors import CompileError
from kcompile.kernels.host import host

FILL = """def kernel(args, begin, end, scratch):
    y = buffer_f32(args[0], 0)
    for i in range(begin, end):
        y[i] = f32({value})
"""


def fill(value, name="fill"):
    return KernelSource(FILL.format(value=value), name)


def test_the_symbol_is_in_the_object_and_the_object_is_deterministic():
    first, second = build_one(fill(1)), build_one(fill(1))
    assert fill(1).symbol.encode() in first
    assert first == second


def test_the_key_depends_on_all_that_decides_the_code(monkeypatch):
    base = fill(1)
    assert base.key == fill(1, name="another name").key
    others = [
        fill(2),
        KernelSource(base.text, base.name, externals=("kc_other",)),
        KernelSource(base.text, base.name, modules=("kcompile.codegen.native",)),
        KernelSource(base.text, base.name, language="llvm"),
    ]
    assert len({base.key, *(other.key for other in others)}) == 5


@pytest.mark.parametrize(
    "change",
    [
        lambda m: m.setattr(kcompile, "__version__", "9.9.9"),
        lambda m: m.setattr("llvmlite.__version__", "9.9.9"),
        lambda m: m.setattr(sources, "_numba_version", lambda: "9.9.9"),
        lambda m: m.setattr(sources, "_digest", lambda path: "another file"),
        lambda m: m.setattr("llvmlite.binding.get_process_triple", lambda: "riscv64-unknown-linux-gnu"),
    ],
)
def test_the_key_depends_on_versions_host_and_our_own_files(monkeypatch, change):
    before = fill(1).key
    for function in (sources.host_fingerprint, sources._file_digest):
        function.cache_clear()
    with monkeypatch.context() as changed:
        change(changed)
        after = fill(1).key
    for function in (sources.host_fingerprint, sources._file_digest):
        function.cache_clear()
    assert after != before
    assert fill(1).key == before


def test_our_own_files_are_found_without_importing_them():
    for module in (*sources.BASE_MODULES, *sources._PIPELINE):
        assert sources._file_digest(module) != "absent", module
    family = Path(kcompile.__file__).parents[1] / "kernels" / "math"
    assert len(sources._file_digest("kcompile.kernels.math.numba_ops")) == 64 * len(list(family.glob("*.py")))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("y[0] = undefined_name(begin)", "undefined_name"),
        ("y[0] = 'text'", "setitem"),
        ("y = buffer_f32(args[0], begin)", "buffer_f32"),
        ("return 1 +", "invalid syntax"),
    ],
)
def test_an_error_names_the_kernel_and_the_file_with_its_source(line, said):
    source = KernelSource(FILL.format(value=1) + f"    {line}\n", "softmax_3")
    with pytest.raises(CompileError, match="kernel softmax_3 does not compile") as raised:
        build([source])
    text = str(raised.value)
    assert said in text
    path = Path(text.rsplit("at ", 1)[1].strip())
    assert path.read_text() == source.text
    path.unlink()


def test_numbas_error_shows_the_generated_line():
    with pytest.raises(CompileError) as raised:
        build([KernelSource(FILL.format(value=1) + "    y['a'] = begin\n", "fill")])
    assert "y['a'] = begin" in str(raised.value)


def test_invalid_llvm_is_an_error_too():
    with pytest.raises(CompileError, match="kernel micro does not compile"):
        build([KernelSource("define void @kernel() { ret i32 }", "micro", language="llvm")])


def test_llvm_text_without_the_entry_is_an_error():
    with pytest.raises(CompileError, match="kernel micro does not compile"):
        build([KernelSource("define void @other() { ret void }", "micro", language="llvm")])


def test_build_answers_in_order_and_compiles_equal_sources_once(monkeypatch):
    compiled = []

    def counting(source):
        compiled.append(source)
        return source.text.encode()

    monkeypatch.setattr(building, "build_one", counting)
    assert build([fill(1), fill(2), fill(1, "same")]) == [fill(i).text.encode() for i in (1, 2, 1)]
    assert len(compiled) == 2


def test_nothing_to_build():
    assert build([]) == []


def helped(monkeypatch, texts):
    monkeypatch.setattr(building, "_helpers", lambda count: 2)
    return dict(build_each([KernelSource(text, "fill") for text in texts]))


def test_the_helper_makes_the_same_objects(monkeypatch):
    texts = [FILL.format(value=i) for i in range(1000, 1012)]
    expected = {text: build_one(KernelSource(text, "fill")) for text in texts}
    # This process must not take all before the helper has started.
    waiting = Waiting(KernelSource(text, "fill") for text in texts)
    helper = Helper.start(waiting)
    assert helper is not None
    finished, left = helper.join()
    assert not left
    assert {source.text: data for source, data in finished} == expected
    assert {source.text: data for source, data in helped(monkeypatch, texts).items()} == expected


def test_what_the_helper_cannot_compile_is_compiled_here_and_told(monkeypatch):
    texts = [FILL.format(value=i) for i in range(5)] + [FILL.format(value="wrong_name")]
    with pytest.raises(CompileError, match="wrong_name"):
        helped(monkeypatch, texts)


def test_after_an_error_the_helpers_stop(monkeypatch):
    seen = []
    start = Helper.start
    monkeypatch.setattr(Helper, "start", lambda waiting: seen.append(waiting) or start(waiting))
    texts = ["def kernel(args, begin, end, scratch):\n    wrong_name()\n" + "#" * 1000]
    with pytest.raises(CompileError, match="wrong_name"):
        helped(monkeypatch, texts + [FILL.format(value=i) for i in range(50)])
    assert not seen[0].sources


def test_a_helper_that_dies_costs_nothing_but_time(monkeypatch):
    monkeypatch.setattr(
        "kcompile.codegen.helper._SERVE", "import os, sys; sys.stdin.readline(); os._exit(3) #{path}"
    )
    texts = [FILL.format(value=i) for i in range(4)]
    objects = helped(monkeypatch, texts)
    assert {source.text for source in objects} == set(texts)
    assert all(source.symbol.encode() in data for source, data in objects.items())


def test_a_helper_that_answers_half_costs_nothing_but_time(monkeypatch):
    half = (
        "import sys; sys.stdin.readline(); sys.stdout.buffer.write(b'\\x10\\0\\0\\0\\0\\0\\0\\0abc') #{path}"
    )
    monkeypatch.setattr("kcompile.codegen.helper._SERVE", half)
    texts = [FILL.format(value=i) for i in range(4)]
    objects = helped(monkeypatch, texts)
    assert {source.text for source in objects} == set(texts)
    assert all(source.symbol.encode() in data for source, data in objects.items())


def test_a_brief_kernel_has_no_vector_loop(monkeypatch):
    text = "def kernel(args, begin, end, scratch):\n    x = buffer_f32(args[0], 0)\n"
    text += "    for i in range(end):\n        x[i] = x[i] * f32(2.0)\n"
    made = {brief: KernelSource(text, "twice", is_brief=brief) for brief in (False, True)}
    vectors = {brief: "x float>" in str(building.compile_module(source)) for brief, source in made.items()}
    assert vectors == {False: True, True: False}
    assert made[False].key != made[True].key
    monkeypatch.setattr(building, "_helpers", lambda count: 2)
    assert dict(build_each(list(made.values())))[made[True]] == build_one(made[True])


def test_what_a_helper_compiles_ahead_is_not_compiled_again(monkeypatch):
    here = []
    monkeypatch.setattr(building, "build_one", lambda source: here.append(source) or b"here")
    known = [fill(value) for value in range(2000, 2003)]
    ahead = HeadStart.of(known)
    assert ahead is not None and ahead.helper is not None
    while ahead.waiting.sources:  # this process must not take them first
        time.sleep(0.01)
    objects = dict(build_each([*known, fill(2003)], ahead))
    assert {source.key for source in objects} == {source.key for source in [*known, fill(2003)]}
    assert {source.text for source in here} <= {fill(2003).text}
    assert all(source.symbol.encode() in objects[source] for source in known)


def test_a_helper_makes_members_of_families_by_itself():
    source = micro_source(2, host().lanes("float32"), "float32", True)
    waiting = Waiting([source])
    helper = Helper.start(waiting)
    assert helper is not None
    finished, unfinished = helper.join()
    assert finished == [(source, build_one(source))]
    assert not unfinished


def test_what_nobody_needs_is_not_compiled_where_a_helper_failed(monkeypatch):
    here = []
    monkeypatch.setattr(building, "build_one", lambda source: here.append(source) or b"here")
    broken = replace(fill(2010), text="def kernel(args, begin, end, scratch):\n    nonsense()\n")
    ahead = HeadStart.of([broken])
    assert ahead is not None and ahead.helper is not None
    while ahead.waiting.sources:
        time.sleep(0.01)
    assert {source.key for source, _ in build_each([fill(2011)], ahead)} == {fill(2011).key}
    assert broken not in here


def test_what_nobody_needs_is_not_compiled_ahead_of_what_is_needed():
    waiting = Waiting([fill(2006), fill(2007), fill(2008)], is_open=True)
    waiting.keep({fill(2007).key})
    waiting.close([fill(2009)])
    taken = [waiting.take() for _ in range(3)]
    assert taken == [fill(2007), fill(2009), None]


def test_who_waits_for_sources_goes_on_when_there_are_no_more():
    waiting = Waiting(is_open=True)
    threads = [threading.Thread(target=waiting.take) for _ in range(2)]
    for thread in threads:
        thread.start()
    time.sleep(0.05)  # both wait
    waiting.close()
    for thread in threads:
        thread.join(timeout=10)
        assert not thread.is_alive()


def test_what_a_helper_compiled_in_vain_holds_nothing_up():
    ahead = HeadStart.of([fill(2004)])
    assert ahead is not None and ahead.helper is not None
    ahead.waiting.clear()
    ahead.helper.join()


def test_one_core_compiles_nothing_ahead(monkeypatch):
    monkeypatch.setattr(building, "host", lambda: replace(host(), cores=1))
    assert HeadStart.of([fill(2005)]) is None


@pytest.mark.parametrize("executable", ["", "/usr/bin/some-application", "/nowhere/python3"])
def test_an_interpreter_that_cannot_be_started_again_is_not(monkeypatch, executable):
    monkeypatch.setattr(sys, "executable", executable)
    assert Helper.start(Waiting([fill(1)])) is None
    assert len(helped(monkeypatch, [FILL.format(value=i) for i in range(3)])) == 3


def test_help_is_wanted_for_many_kernels_and_more_than_one_core(monkeypatch):
    for cores, most in ((1, 0), (2, 1), (8, 7)):
        monkeypatch.setattr(building, "host", lambda cores=cores: replace(host(), cores=cores))
        assert building._helpers(5) == 0
        assert building._helpers(1000) == most


def test_numba_and_kernels_do_not_disturb_each_other():
    import numba
    import numpy as np

    @numba.njit
    def total(x):
        parts = [x[i] for i in range(len(x)) if i % 2]
        return sum(parts) + max(3, 4) + np.exp(x).sum()

    x = np.arange(6.0)
    expected = 9 + 4 + np.exp(x).sum()
    build_one(fill(71))
    np.testing.assert_allclose(total(x), expected)
    assert build_one(fill(72)) != build_one(fill(71))
    np.testing.assert_allclose(total(x[:4]), 4 + 4 + np.exp(x[:4]).sum())
