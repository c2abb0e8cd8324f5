"""Files that are replaced as a whole."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kcompile.core import files
from kcompile.core.files import replacing


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
