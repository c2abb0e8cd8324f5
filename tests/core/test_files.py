"""Files that are replaced as a whole."""

from __future__ import annotations

import os

import pytest

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
