"""The command line in the hands of a user: damaged files, outputs that cannot be, Ctrl-C, shells."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import click
import onnx
import pytest

from kcompile.cli import export, main
from kcompile.saving import load_model
from tests.cli.cli_tools import call, json_of

READERS = ("summary", "inspect", "check", "explain", "bench", "plot", "export")
PROGRAM = "from kcompile.cli import main; main(prog_name='kcompile')"


def damaged(model_file: Path, folder: Path) -> dict[str, Path]:
    """Files that are no model, each in a way of its own."""
    with zipfile.ZipFile(model_file) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    configs = {
        "no JSON": b"{", "a list": b"[]", "null": b"null", "a number": b"3", "nothing in it": b"{}",
        "deep": b"[" * 100_000 + b"]" * 100_000, "no text": b"\xe9",
        "unknown class": b'{"class_name": "Nope", "module": "elsewhere", "config": {}}',
    }  # fmt: skip
    changed = {name: parts | {"config.json": config} for name, config in configs.items()}
    changed["no weights"] = {k: v for k, v in parts.items() if k != "model.weights.h5"}
    changed["weights that are none"] = parts | {"model.weights.h5": b"abc"}
    changed["no config"] = {k: v for k, v in parts.items() if k != "config.json"}
    found = {}
    for name, content in changed.items():
        found[name] = folder / f"{name}.keras"
        with zipfile.ZipFile(found[name], "w") as archive:
            for part, data in content.items():
                archive.writestr(part, data)
    whole = model_file.read_bytes()
    for suffix in (".keras", ".h5", ".onnx"):
        for name, data in {"empty": b"", "half": whole[: len(whole) // 2], "text": b"words\n" * 20}.items():
            found[name + suffix] = folder / (name + suffix)
            found[name + suffix].write_bytes(data)
    return found


@pytest.mark.parametrize("name", READERS)
def test_damaged_files_give_one_line_and_no_traceback(name, model_file, tmp_path):
    for what, path in damaged(model_file, tmp_path).items():
        result = call(name, path, "--json")
        expected = {2} if path.suffix == ".onnx" and name not in ("summary", "check") else {1}
        if name == "inspect" and result.exit_code == 0:  # it shows what is left
            json.loads(result.stdout)
            continue
        assert result.exit_code in expected, (what, result.output, result.exception)
        assert result.stdout == "", what
        if result.exit_code == 1:
            assert len(result.stderr.strip().splitlines()) == 1, (what, result.stderr)


def test_types_that_onnx_has_and_we_have_not(onnx_file, tmp_path):
    file = onnx.load(onnx_file)
    file.graph.input[0].type.tensor_type.elem_type = onnx.TensorProto.FLOAT8E5M2
    onnx.save(file, tmp_path / "m.onnx")
    assert json_of("summary", tmp_path / "m.onnx")["inputs"][0]["dtype"] == "float8e5m2"
    assert not json_of("check", tmp_path / "m.onnx", code=3)["ok"]
    file.graph.output[0].type.tensor_type.elem_type = 94
    onnx.save(file, tmp_path / "m.onnx")
    result = call("summary", tmp_path / "m.onnx")
    assert result.exit_code == 1 and "94 stands for no dtype" in result.output


@pytest.mark.parametrize("suffix", [".keras", ".h5", ".onnx"])
def test_files_with_some_wrong_bytes(suffix, model_file, onnx_file, tmp_path):
    """Libraries have an error of any type for damage: it is told as the file's, and never as ours."""
    source = onnx_file if suffix == ".onnx" else model_file
    if suffix == ".h5":
        source = tmp_path / "whole.h5"
        load_model(model_file).save(source)
    whole, draw = source.read_bytes(), random.Random(1)
    for number in range(40):
        wrong = bytearray(whole)
        for _ in range(4):
            wrong[draw.randrange(len(wrong))] = draw.randrange(256)
        path = tmp_path / f"{number}{suffix}"
        path.write_bytes(wrong)
        for name in ("summary", "check" if suffix == ".onnx" else "inspect"):
            result = call(name, path, "--json")
            assert result.exit_code in (0, 1, 3), (number, result.output, result.exception)
            if result.exit_code == 1:
                assert result.stdout == "" and result.stderr.startswith("Error: "), number
            else:
                json.loads(result.stdout)


def test_a_name_that_is_not_utf_8(onnx_file, tmp_path):
    (tmp_path / "m.onnx").write_bytes(onnx_file.read_bytes().replace(b"numbers", b"number\xff"))
    found = json_of("check", tmp_path / "m.onnx", code=3)
    assert found["problems"]


@pytest.mark.parametrize(("name", "option"), [("export", "-o"), ("plot", "-o"), ("explain", "--html")])
def test_outputs_that_cannot_be_written(name, option, model_file, tmp_path):
    before = model_file.read_bytes()
    long = tmp_path / ("a" * 300)
    for output in (tmp_path, tmp_path / "none" / "x", "/dev/null", "", long, model_file):
        result = call(name, model_file, option, output)
        assert result.exit_code == 2 if output is not long else result.exit_code in (1, 2), result.output
        assert result.output.splitlines()[-1].startswith("Error: "), output
    assert model_file.read_bytes() == before
    link = tmp_path / "link.keras"
    link.symlink_to(model_file)
    assert "the model itself" in call(name, model_file, option, link).output
    assert model_file.read_bytes() == before


def test_a_fault_of_the_library_is_one_line_with_its_place(model_file, monkeypatch):
    def broken(path):
        raise KeyError("lost")

    monkeypatch.setattr(export, "load", broken)
    result = call("export", model_file)
    assert result.exit_code == 4
    [line] = result.stderr.splitlines()
    assert "KeyError: 'lost'" in line and f"{Path(__file__).name}:" in line


def test_what_does_not_fit_in_memory_is_one_line(model_file):
    result = call("bench", model_file, "-b", 10**15)
    assert result.exit_code == 1
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("name", READERS)
def test_names_that_are_no_text(name, model_file, tmp_path):
    """A file's name may be any bytes, and a terminal may have few letters."""
    odd = os.fsdecode(os.fsencode(tmp_path) + b"/w\xff\xe9.keras")
    shutil.copy(model_file, odd)
    for given in ([], ["--json"]):
        result = call(name, odd, *given, *(["--seconds", 0] if name == "bench" else []))
        assert result.exit_code == 0, (result.output, result.exception)
    assert call(name, odd.replace("w", "v")).exit_code == 2  # it is not there


def test_a_terminal_of_few_letters(model_file):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, "summary", str(model_file)],
        env=os.environ | {"PYTHONIOENCODING": "ascii"}, capture_output=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0 and b"dense" in done.stdout and done.stderr == b""


# --- Ctrl-C -------------------------------------------------------------------------------------------------


def test_an_interrupt_is_one_line(model_file, monkeypatch):
    def interrupted(path):
        raise KeyboardInterrupt

    monkeypatch.setattr(export, "load", interrupted)
    result = call("export", model_file)
    assert (result.exit_code, result.stdout, result.stderr) == (130, "", "Interrupted.\n")


def test_an_interrupt_inside_of_executed_text_ends_with_our_code(model_file, tmp_path):
    """CPython would end `python -m` by the signal then."""
    program = tmp_path / "interrupted.py"
    program.write_text(
        "from kcompile.cli import export, main\n"
        "export.load = lambda path: exec('raise KeyboardInterrupt')\n"
        f"main(['export', {str(model_file)!r}])\n"
    )
    paths = os.pathsep.join([str(tmp_path), str(Path(__file__).resolve().parents[2])])
    command = [sys.executable, "-m", "interrupted"]
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": paths}, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (130, b"Interrupted.\n")


def test_a_real_interrupt(model_file):
    """SIGINT to the whole group, as a terminal sends it: helpers of the compiler must be silent, too."""
    command = [sys.executable, "-m", "kcompile", "bench", str(model_file), "--seconds", "300", "-b", "1"]
    running = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )  # fmt: skip
    maps = Path(f"/proc/{running.pid}/maps")
    while "llvmlite" not in maps.read_text():  # it is at work, not at its imports
        assert running.poll() is None, running.communicate()
        time.sleep(0.02)
    os.killpg(running.pid, signal.SIGINT)
    output, said = running.communicate(timeout=60)
    assert (running.returncode, output, said) == (130, "", "Interrupted.\n")


def test_a_reader_that_has_seen_enough(model_file):
    """As `kcompile ... | head -1` does: no traceback."""
    command = [sys.executable, "-c", PROGRAM, "summary", str(model_file), "--json"]
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(command, stdout=writer, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writer)
    assert done.stderr == ""
    assert done.returncode == 1


# --- shells -------------------------------------------------------------------------------------------------

# What click's documentation says that its scripts consist of, by shell.
PARTS = {
    "bash": ("_KCOMPILE_COMPLETE=bash_complete", "complete -o nosort -F _kcompile_completion kcompile"),
    "zsh": ("#compdef kcompile", "_KCOMPILE_COMPLETE=zsh_complete", "compdef _kcompile_completion kcompile"),
    "fish": (
        "function _kcompile_completion", "_KCOMPILE_COMPLETE=fish_complete",
        'complete --no-files --command kcompile --arguments "(_kcompile_completion)"',
    ),
}  # fmt: skip


@pytest.mark.parametrize("shell", PARTS)
def test_completion_scripts_are_what_the_shells_read(shell, tmp_path):
    script = call("completion", shell).output
    for part in PARTS[shell]:
        assert part in script
    program = shutil.which(shell)
    if program is not None:  # syntax only
        (tmp_path / "script").write_text(script)
        subprocess.run([program, "-n", str(tmp_path / "script")], check=True)


@pytest.fixture
def with_program(tmp_path):
    """An environment in which `kcompile` is a program."""
    program = tmp_path / "kcompile"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{PROGRAM}" "$@"\n')
    program.chmod(0o755)
    return os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}


# CI's own script needs bash: there it runs, or fails.
@pytest.mark.skipif("CI" not in os.environ and shutil.which("bash") is None, reason="there is no bash")
def test_bash_completes_by_the_script(with_program):
    script = call("completion", "bash").output
    ask = (
        'COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _kcompile_completion kcompile; '
        'printf "%s\\n" "${COMPREPLY[@]}"'
    )

    def complete(*words: str) -> list[str]:
        done = subprocess.run(
            ["bash", "--norc", "-c", f"{script}\n{ask}", "bash", *words],
            env=with_program, capture_output=True, text=True, check=True,
        )  # fmt: skip
        return done.stdout.split()

    assert complete("kcompile", "comp") == ["completion"]
    assert complete("kcompile", "completion", "f") == ["fish"]
    assert "--opset" in complete("kcompile", "export", "--o")


@pytest.mark.skipif(shutil.which("fish") is None, reason="there is no fish")
def test_fish_completes_by_the_script(with_program, tmp_path, model_file):
    (tmp_path / "kcompile.fish").write_text(call("completion", "fish").output)

    def complete(words: str) -> list[str]:
        ask = f"source {tmp_path}/kcompile.fish; cd {model_file.parent}; complete -C '{words}'"
        home = with_program | {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config")}
        done = subprocess.run(["fish", "-c", ask], env=home, capture_output=True, text=True, check=True)
        return [line.split("\t")[0] for line in done.stdout.splitlines()]

    assert complete("kcompile comp") == ["completion"]
    assert complete("kcompile completion f") == ["fish"]
    assert "--opset" in complete("kcompile export --o")
    assert complete("kcompile summary sm") == [model_file.name]


# What a terminal would show is printed instead: zsh's own functions for it need one.
ZSH = """
compdef() { }
_describe() { print -rl -- ${(P)3} }
compadd() { print -rl -- ${(P)5} }
_path_files() { print -r -- FILES }
"""


@pytest.mark.skipif(shutil.which("zsh") is None, reason="there is no zsh")
def test_zsh_completes_by_the_script(with_program):
    script = call("completion", "zsh").output

    def complete(*words: str) -> list[str]:
        ask = f'words=("$@"); CURRENT=$#; {ZSH}\n{script}\n_kcompile_completion'
        done = subprocess.run(
            ["zsh", "-f", "-c", ask, "zsh", *words],
            env=with_program,
            capture_output=True,
            text=True,
            check=True,
        )
        return [line.split(":")[0] for line in done.stdout.splitlines()]

    assert complete("kcompile", "comp") == ["completion"]
    assert complete("kcompile", "completion", "f") == ["fish"]
    assert "--opset" in complete("kcompile", "export", "--o")
    assert complete("kcompile", "summary", "sm") == ["FILES"]


def test_every_option_has_a_word_of_help():
    def walk(command: click.Command, name: str) -> None:
        for parameter in command.params:
            if isinstance(parameter, click.Option) and not parameter.hidden:
                assert parameter.help, f"{name} {parameter.opts}"
        if isinstance(command, click.Group):
            context = click.Context(command)
            for sub in command.list_commands(context):
                walk(command.get_command(context, sub), f"{name} {sub}")

    walk(main, "kcompile")


def test_every_exit_code_is_documented():
    said = call("--help").output
    page = (Path(__file__).parents[2] / "docs/command-line.md").read_text()
    for code in (0, 1, 2, 3, 4, 130):
        assert f" {code}  " in said
        assert f"| {code} |" in page


def test_json_of_every_command(model_file, onnx_file, tmp_path):
    """One object on standard output and nothing else, from each command that has the option."""
    given = {
        "summary": [model_file], "inspect": [model_file], "check": [onnx_file], "devices": [],
        "bench": [model_file, "-b", 1, "--seconds", 0], "plot": [model_file, "-o", tmp_path / "m.svg"],
        "export": [model_file, "-o", tmp_path / "m.onnx"], "explain": [model_file, "--batch-size", 2],
    }  # fmt: skip
    for name, arguments in given.items():
        assert isinstance(json_of(name, *arguments), dict)
