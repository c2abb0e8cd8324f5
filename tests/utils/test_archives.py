"""Archives that get_file unpacks: the folder's name as Keras's, and nothing is ever written outside of it."""

from __future__ import annotations

import io
import os
import tarfile
import zipfile
from pathlib import Path

import pytest

from kcompile.utils import get_file
from kcompile.utils.archives import extract_archive
from kcompile.utils.downloads import file_digest


def tar(path: Path, *members: tuple[str, bytes | str, bytes], mode: str = "w") -> Path:
    """Members as (name, content, type); the content of a link is where it leads."""
    with tarfile.open(path, mode) as file:
        for name, content, kind in members:
            info = tarfile.TarInfo(name)
            info.type = kind
            if isinstance(content, str):
                info.linkname, content = content, b""
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return path


def zipped(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return path


def below(folder: Path) -> dict[str, bytes]:
    return {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


FILE, LINK, HARD, FOLDER = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.DIRTYPE


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_tar_files(mode, tmp_path):
    source = tar(tmp_path / "a", ("x/b", b"B", FILE), ("./c", b"C", FILE), ("empty", b"", FOLDER), mode=mode)
    assert extract_archive(source, tmp_path / "out")
    assert below(tmp_path / "out") == {"x/b": b"B", "c": b"C"}
    assert (tmp_path / "out" / "empty").is_dir()


def test_zip_files(tmp_path):
    source = zipped(tmp_path / "a", {"x/b": b"B", "c": b"C", "empty/": b""})
    assert extract_archive(source, tmp_path / "out")
    assert below(tmp_path / "out") == {"x/b": b"B", "c": b"C"} and (tmp_path / "out" / "empty").is_dir()


OUTSIDE = ["../evil", "x/../../evil", "/tmp/kcompile-evil", "..\\evil", "C:\\evil", "\\evil"]


@pytest.mark.parametrize("name", OUTSIDE)
def test_members_outside_are_left_out(name, tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    for source in (
        tar(home / "a.tar", (name, b"evil", FILE), ("good", b"G", FILE)),
        zipped(home / "a.zip", {name: b"evil", "good": b"G"}),
    ):
        with pytest.warns(UserWarning, match="Skipping invalid path"):
            extract_archive(source, home / "out")
        assert below(home / "out") == {"good": b"G"}
        assert set(os.listdir(tmp_path)) == {"home"} and not Path("/tmp/kcompile-evil").exists()


def test_links_never_lead_outside(tmp_path):
    (tmp_path / "secret").write_bytes(b"secret")
    source = tar(
        tmp_path / "a",
        ("real", b"R", FILE),
        ("inner", "real", LINK),
        ("hard", "real", HARD),
        ("out", str(tmp_path), LINK),
        ("out/evil", b"evil", FILE),
        ("secret", "../secret", LINK),
        ("secret2", str(tmp_path / "secret"), HARD),
    )
    with pytest.warns(UserWarning, match="Skipping invalid path"):
        extract_archive(source, tmp_path / "to")
    assert below(tmp_path / "to") == {"real": b"R", "inner": b"R", "hard": b"R", "out/evil": b"evil"}
    assert not any(p.is_symlink() for p in (tmp_path / "to").rglob("*"))
    assert not (tmp_path / "evil").exists()


def test_devices_and_pipes_are_left_out(tmp_path):
    source = tar(tmp_path / "a", ("pipe", b"", tarfile.FIFOTYPE), ("disk", b"", tarfile.BLKTYPE))
    with pytest.warns(UserWarning, match="pipe"):
        extract_archive(source, tmp_path / "to")
    assert not list((tmp_path / "to").iterdir())


def test_a_damaged_archive_changes_nothing(tmp_path):
    source = zipped(tmp_path / "a.zip", {"a": b"A", "b": os.urandom(1000)})
    assert extract_archive(source, tmp_path / "to")
    data = bytearray(source.read_bytes())
    data[200] ^= 0xFF  # inside of b's content
    source.write_bytes(data)
    (tmp_path / "to" / "a").write_bytes(b"mine")
    with pytest.raises(zipfile.BadZipFile):
        extract_archive(source, tmp_path / "to")
    assert (tmp_path / "to" / "a").read_bytes() == b"mine"
    assert sorted(os.listdir(tmp_path)) == ["a.zip", "to"]


def test_other_files_of_the_folder_stay(tmp_path):
    (tmp_path / "to" / "x").mkdir(parents=True)
    (tmp_path / "to" / "x" / "mine").write_bytes(b"mine")
    (tmp_path / "to" / "x" / "b").write_bytes(b"old")
    assert extract_archive(zipped(tmp_path / "a", {"x/b": b"B"}), tmp_path / "to")
    assert below(tmp_path / "to") == {"x/mine": b"mine", "x/b": b"B"}


def test_formats(tmp_path):
    text = tmp_path / "text"
    text.write_text("no archive")
    packed = zipped(tmp_path / "a.zip", {"a": b"A"})
    assert not extract_archive(text, tmp_path / "to")
    assert not extract_archive(packed, tmp_path / "to", None)
    assert not extract_archive(packed, tmp_path / "to", "tar")
    assert extract_archive(packed, tmp_path / "to", ["tar", "zip"])
    with pytest.raises(NotImplementedError, match="rar"):
        extract_archive(packed, tmp_path / "to", "rar")


# --- get_file -----------------------------------------------------------------------------------------------

# `fname`, then the archive's and the folder's name, as Keras gives them; the URL ends in flowers.tar.gz.
NAMES = [
    (None, "flowers.tar.gz_archive", "flowers.tar.gz"),
    ("roses.tar.gz", "roses.tar.gz", "roses_extracted"),
    ("roses", "roses_archive", "roses"),
]


@pytest.mark.parametrize("option", ["extract", "untar"])
@pytest.mark.parametrize(("fname", "archive", "folder"), NAMES)
def test_names_are_keras_names(option, fname, archive, folder, tmp_path):
    (tmp_path / "sub").mkdir()
    source = tar(tmp_path / "sub" / archive, ("x", b"X", FILE), mode="w:gz")  # as if it had been downloaded
    found = get_file(
        fname,
        "https://127.0.0.1:9/flowers.tar.gz",
        cache_dir=tmp_path,
        cache_subdir="sub",
        file_hash=file_digest(source),
        **{option: True},
    )
    assert Path(found) == tmp_path / "sub" / folder
    assert below(Path(found)) == {"x": b"X"}


def test_what_is_no_archive_is_told(tmp_path):
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets" / "a.txt").write_text("text")
    with pytest.warns(UserWarning, match="Could not extract"):
        found = get_file("a.txt", "https://127.0.0.1:9/a.txt", cache_dir=tmp_path, extract=True)
    assert Path(found) == tmp_path / "datasets" / "a_extracted"


def test_an_absolute_folder_is_taken_as_it_is(tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "a").write_text("text")
    found = get_file(
        "a", "https://127.0.0.1:9/a", cache_dir=tmp_path / "x", cache_subdir=str(tmp_path / "own")
    )
    assert Path(found) == tmp_path / "own" / "a"
