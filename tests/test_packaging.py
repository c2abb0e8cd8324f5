"""The package as others install it: its lists are complete, and every way of installing it works."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import shutil
import subprocess
import sys
import tomllib
import venv
import zipfile
from pathlib import Path

import pytest

import kcompile

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
SETUPTOOLS = PROJECT["tool"]["setuptools"]
RUNTIME = {"numpy", "numba", "llvmlite", "onnx", "h5py", "rich", "click"}
OPTIONAL = {
    "onnxruntime",
    "cuda",
    "ml_dtypes",
    "PIL",
    "matplotlib",
    "sklearn",
}  # extras; ml_dtypes comes with onnx


def folders_with_code() -> set[str]:
    found = {p.parent for p in (ROOT / "kcompile").rglob("*.py")}
    found |= {p.parent for p in (ROOT / "kernels").rglob("*.py")}
    return {package_name(folder) for folder in found}


def package_name(folder: Path) -> str:
    parts = folder.relative_to(ROOT).parts
    return ".".join(("kcompile", *parts) if parts[0] == "kernels" else parts)


def test_packages_lists_every_folder():
    expected = sorted(folders_with_code())
    lines = "\n".join(f'  "{name}",' for name in expected)
    assert SETUPTOOLS["packages"] == expected, f"`packages` in pyproject.toml must be:\n{lines}"


def test_every_folder_is_a_package():
    for name in folders_with_code():
        parts = name.split(".")
        folder = ROOT.joinpath(*(parts[1:] if parts[1:2] == ["kernels"] else parts))
        assert (folder / "__init__.py").is_file(), folder


def test_data_files_are_packaged():
    data = SETUPTOOLS["package-data"]
    for folder in ("kcompile", "kernels"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file() and path.suffix not in (".py", ".pyc"):
                patterns = data.get(package_name(path.parent), [])
                assert any(path.match(pattern) for pattern in patterns), f"{path} is in no package-data"


def test_runtime_dependencies_are_these_seven():
    assert {re.match(r"[\w-]+", row)[0] for row in PROJECT["project"]["dependencies"]} == RUNTIME


def test_what_is_imported_is_declared():
    """Third-party modules that kcompile imports are runtime dependencies or come with an extra."""
    for path in [*(ROOT / "kcompile").rglob("*.py"), *(ROOT / "kernels").rglob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                names = {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = {(node.module or "").partition(".")[0]}
            else:
                continue
            unknown = names - RUNTIME - OPTIONAL - {"kcompile"} - sys.stdlib_module_names
            assert not unknown, f"{path}:{node.lineno} imports {unknown}"


def test_version_is_one():
    assert PROJECT["project"]["version"] == kcompile.__version__


def test_type_checkers_see_the_public_names():
    tree = ast.parse((ROOT / "kcompile" / "__init__.py").read_text())
    [block] = [n for n in tree.body if isinstance(n, ast.If) and ast.unparse(n.test) == "TYPE_CHECKING"]
    seen = {}
    for statement in block.body:
        assert isinstance(statement, ast.ImportFrom)
        for alias in statement.names:
            assert alias.name == alias.asname, "`as` makes it public to type checkers"
            seen[alias.name] = (statement.module or "").removeprefix("kcompile").removeprefix(".")
    assert seen == {**dict.fromkeys(kcompile._MODULES, ""), **kcompile._NAMES}


@pytest.mark.parametrize("name", dir(kcompile))
def test_public_name_exists(name):
    value = getattr(kcompile, name)
    assert value is getattr(kcompile, name)
    namespace: dict[str, object] = {}
    exec(f"from kcompile import {name}", namespace)
    assert namespace[name] is value


def test_unknown_name():
    with pytest.raises(AttributeError, match="module 'kcompile' has no attribute 'no_such_name'"):
        _ = kcompile.no_such_name
    with pytest.raises(ImportError, match="no_such_name"):
        exec("from kcompile import no_such_name")


def test_kernels_is_no_package_of_its_own():
    spec = importlib.util.spec_from_file_location("kernels", ROOT / "kernels" / "__init__.py")
    with pytest.raises(ImportError, match="import kcompile.kernels"):
        spec.loader.exec_module(importlib.util.module_from_spec(spec))


# From here on: real installs, without a network.

PROBE = """
import kcompile, kcompile.kernels, sys
from kcompile.datasets import mnist
from importlib.metadata import version
assert version("kcompile") == kcompile.__version__, version("kcompile")
assert mnist.load_subset()[0][0].shape == (10000, 28, 28)
print(kcompile.__file__, kcompile.kernels.__file__)
"""


@pytest.fixture(scope="module")
def checkout(tmp_path_factory) -> Path:
    """A copy of what a release is made from."""
    folder = tmp_path_factory.mktemp("checkout")
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, folder)
    for name in ("kcompile", "kernels"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    return folder


@pytest.fixture(scope="module")
def wheel(checkout, tmp_path_factory) -> Path:
    target = tmp_path_factory.mktemp("wheel")
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", target, checkout)
    [path] = target.glob("kcompile-*.whl")
    return path


def pip(*arguments: object) -> None:
    run([sys.executable, "-m", "pip", "--quiet", *map(str, arguments)])


def run(command: list[str], cwd: Path | None = None, **environment: str) -> str:
    done = subprocess.run(
        command, cwd=cwd, capture_output=True, text=True, timeout=300, env={**os.environ, **environment}
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def fresh_environment(folder: Path) -> Path:
    """A new environment that sees the dependencies installed here, but not the kcompile installed here."""
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    site = run([str(python), "-c", "import sysconfig; print(sysconfig.get_path('purelib'))"]).strip()
    here = [path for path in sys.path if path.endswith("site-packages")]
    (Path(site) / "dependencies.pth").write_text("\n".join(here))
    return python


def install(python: Path, *what: object) -> None:
    pip("--python", python, "install", "--no-deps", "--no-build-isolation", "--ignore-installed", *what)


def probe(python: Path, cwd: Path) -> list[Path]:
    return [Path(line) for line in run([str(python), "-c", PROBE], cwd).split()]


@pytest.mark.slow
def test_wheel(checkout, wheel, tmp_path):
    python = fresh_environment(tmp_path / "env")
    install(python, wheel)
    assert all(path.is_relative_to(tmp_path / "env") for path in probe(python, tmp_path))
    # Started in a checkout, Python takes the ./kcompile before the installed one: it must be whole too.
    assert all(path.is_relative_to(checkout) for path in probe(python, checkout))
    assert kcompile.__version__ in run([str(tmp_path / "env" / "bin" / "kcompile"), "--version"], tmp_path)


@pytest.mark.slow
def test_editable_install(checkout, tmp_path):
    python = fresh_environment(tmp_path / "env")
    install(python, "-e", checkout)
    for folder in (tmp_path, checkout):
        assert all(path.is_relative_to(checkout) for path in probe(python, folder))


@pytest.mark.slow
def test_wheel_from_sdist_is_the_same(checkout, wheel, tmp_path):
    build = f"import setuptools.build_meta as b; print(b.build_sdist({str(tmp_path)!r}))"
    run([sys.executable, "-c", build], checkout)
    [sdist] = tmp_path.glob("kcompile-*.tar.gz")
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", tmp_path, sdist)
    [again] = tmp_path.glob("kcompile-*.whl")
    assert names_in(again) == names_in(wheel)


def names_in(path: Path) -> set[str]:
    with zipfile.ZipFile(path) as archive:
        return set(archive.namelist())


@pytest.mark.slow
def test_wheel_holds_the_code_and_nothing_else(wheel):
    code = {str(p.relative_to(ROOT)) for p in (ROOT / "kcompile").rglob("*.py")}
    code |= {f"kcompile/{p.relative_to(ROOT)}" for p in (ROOT / "kernels").rglob("*.py")}
    found = {name for name in names_in(wheel) if ".dist-info/" not in name}
    page = {f"kcompile/explain/page.{kind}" for kind in ("html", "css", "js")}
    assert found == code | page | {"kcompile/datasets/mnist_subset.npz"}


@pytest.mark.slow
def test_bare_checkout(checkout, tmp_path):
    python = fresh_environment(tmp_path / "env")
    program = "import kcompile, kcompile.kernels; print(kcompile.__file__, kcompile.kernels.__file__)"
    found = run([str(python), "-c", program], checkout).split()
    assert all(Path(path).is_relative_to(checkout) for path in found)
    found = run([str(python), "-c", program], tmp_path, PYTHONPATH=str(checkout)).split()
    assert all(Path(path).is_relative_to(checkout) for path in found)
