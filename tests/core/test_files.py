"""Files that are replaced as a whole."""

from __future__ import annotations

import errno
import os
import resource
import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import pytest

from kcompile.core import files
from kcompile.core.files import replacing, replacing_all


def test_a_pipe_or_a_folder_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name, kind in (("pipe", OSError), ("folder", IsADirectoryError)):
        with pytest.raises(kind, match=name), replacing(tmp_path / name):
            pytest.fail("it must not be opened")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["folder", "pipe"]
    assert not (tmp_path / "pipe").is_file()


def test_a_folder_that_takes_no_files_is_named_by_the_file(tmp_path):
    with pytest.raises(OSError, match=r"none.file'$"), replacing(tmp_path / "none" / "file"):
        pytest.fail("it must not be opened")


def test_a_full_disk_is_named_by_the_file_and_leaves_the_old_one(tmp_path, monkeypatch):
    (path := tmp_path / "file").write_bytes(b"old")

    def full(handle):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=rf"No space left on device: '{path}'$"), replacing(path) as file:
        file.write(b"new")
    assert [p.read_bytes() for p in tmp_path.iterdir()] == [b"old"]


@pytest.fixture
def calls(monkeypatch):
    """("fsync" | "replace", inode) of each call for a regular file, in their order."""
    calls = []
    fsync, replace = os.fsync, os.replace

    def note_fsync(handle):
        fsync(handle)
        if stat.S_ISREG(os.fstat(handle).st_mode):
            calls.append(("fsync", os.fstat(handle).st_ino, os.fstat(handle).st_size))

    def note_replace(source, target):
        calls.append(("replace", os.stat(source).st_ino, os.stat(source).st_size))
        replace(source, target)

    monkeypatch.setattr(os, "fsync", note_fsync)
    monkeypatch.setattr(os, "replace", note_replace)
    return calls


def test_bytes_are_on_the_disk_before_the_first_name_changes(tmp_path, calls):
    """Each file is flushed and synced once, when it holds all; the last one is renamed first."""
    with replacing(tmp_path / "one") as file:
        file.write(b"bytes")
    assert calls == [(name, (tmp_path / "one").stat().st_ino, 5) for name in ("fsync", "replace")]
    calls.clear()
    paths = [tmp_path / name for name in "bac"]
    with replacing_all() as writing:
        for size, path in enumerate(paths):
            with writing(path) as file:
                file.write(b"x" * size)
    files = [(path.stat().st_ino, size) for size, path in enumerate(paths)]
    synced = [("fsync", *file) for file in files]
    assert calls == [*synced, *(("replace", *file) for file in reversed(files))]


def test_of_several_files_none_is_replaced_if_one_fails(tmp_path):
    (tmp_path / "a").write_bytes(b"old")
    with pytest.raises(RuntimeError, match="in the second"), replacing_all() as writing:
        with writing(tmp_path / "a") as file:
            file.write(b"new")
        assert (tmp_path / "a").read_bytes() == b"old"
        with writing(tmp_path / "b") as file:
            raise RuntimeError("in the second")
    assert [(p.name, p.read_bytes()) for p in tmp_path.iterdir()] == [("a", b"old")]


def test_a_file_whose_failure_is_caught_is_not_replaced(tmp_path):
    with replacing_all() as writing:
        for name in "ab":
            with suppress(RuntimeError), writing(tmp_path / name):
                if name == "a":
                    raise RuntimeError
    assert os.listdir(tmp_path) == ["b"]


def test_files_that_wait_for_their_names_are_closed(tmp_path):
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (len(os.listdir("/proc/self/fd")) + 20, limits[1]))
    try:
        with replacing_all() as writing:
            for number in range(100):
                with writing(tmp_path / str(number)):
                    pass
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)
    assert len(os.listdir(tmp_path)) == 100


WRITER = """
import os, sys, time
from kcompile.core import files
from kcompile.core.files import replacing
with replacing(sys.argv[1]) as file:
    file.write(b"half")
    file.flush()
    print("writing", flush=True)
    time.sleep(60)
"""


def test_what_killed_writers_left_is_removed_by_the_next(tmp_path, monkeypatch):
    """But not what another process is writing at that moment, or what has another name."""
    monkeypatch.setattr(files, "MOMENT", -1)
    path = tmp_path / "m.keras"
    path.write_bytes(b"old")
    others = tmp_path / ".n.keras.00000000.part", tmp_path / ".m.keras.swp"
    for other in others:
        other.write_bytes(b"")
    root = Path(__file__).resolve().parents[2]
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, path],
            env={**os.environ, "PYTHONPATH": str(root)},
            stdout=subprocess.PIPE,
        )
        for _ in range(2)
    ]
    try:
        assert [writer.stdout.readline() for writer in writers] == [b"writing\n"] * 2
        writers[0].kill()
        writers[0].wait()
        assert path.read_bytes() == b"old" and len(list(tmp_path.iterdir())) == 5
        with replacing(path) as file:
            file.write(b"new")
        assert path.read_bytes() == b"new" and len(list(tmp_path.iterdir())) == 4
    finally:
        for writer in writers:
            writer.kill()
            writer.communicate()
    with replacing(path) as file:
        file.write(b"newer")
    assert path.read_bytes() == b"newer" and sorted(tmp_path.iterdir()) == sorted([path, *others])


def test_writers_of_one_file_at_a_time_all_succeed(tmp_path):
    """Each has a file that nobody has locked, just made or about to be renamed."""

    def write(number):
        for _ in range(100):
            with replacing(tmp_path / "w") as file:
                file.write(bytes([number]) * 50)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, range(4)))
    assert (tmp_path / "w").read_bytes() in [bytes([n]) * 50 for n in range(4)]
    assert os.listdir(tmp_path) == ["w"]


@pytest.mark.parametrize("name", ["n" * 255, "é" * 127, "x.keras"])
def test_a_name_may_be_as_long_as_names_can_be(tmp_path, name):
    for text in (b"old", b"new"):
        with replacing(tmp_path / name) as file:
            file.write(text)
            (during,) = (p for p in tmp_path.iterdir() if p.suffix == ".part")
    assert [p.name for p in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_bytes() == b"new"
    during.write_bytes(b"half")
    os.utime(during, (0, 0))  # left by a process that was killed long ago
    with replacing(tmp_path / name) as file:
        file.write(b"newer")
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_a_file_keeps_its_permissions(tmp_path):
    path = tmp_path / "m.keras"
    path.write_bytes(b"old")
    path.chmod(0o640)
    with replacing(path) as file:
        file.write(b"new")
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
