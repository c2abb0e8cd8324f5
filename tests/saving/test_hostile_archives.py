"""Archives with members that do harm: refused with a clear error, and nothing is written."""

from __future__ import annotations

import contextlib
import stat
import zipfile

import pytest

from kcompile import saving
from tests.saving.hostile import load, members_of, write_zip

NAMES = [
    "../x",
    "/x",
    "a/../../x",
    "assets/../x",
    "assets/..\\x",
    "assets\\x",
    "C:x",
    "assets/C:x",
    "other.json",
]


@pytest.mark.parametrize("name", NAMES)
def test_members_with_other_names(name, good, tmp_path):
    with pytest.raises(ValueError, match="another name"):
        load({**good, name: b"x"}, tmp_path)


@pytest.mark.parametrize("missing", ["metadata.json", "config.json", "model.weights.h5"])
def test_missing_members(missing, good, tmp_path):
    with pytest.raises(ValueError, match=f"no {missing}"):
        load({k: v for k, v in good.items() if k != missing}, tmp_path)


def test_links_duplicates_bombs_and_other_compressions(good, tmp_path):
    link = zipfile.ZipInfo("assets/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    bomb = ("assets/bomb", b"\0" * (1 << 20), zipfile.ZIP_DEFLATED)
    cases = {
        "link": [(link, b"/etc/passwd", zipfile.ZIP_STORED)],
        "a link or device": [(link, b"/etc/passwd", zipfile.ZIP_STORED)],
        "at most 100 times": [bomb],
        "another compression": [("assets/x", b"x" * 100, zipfile.ZIP_LZMA)],
    }
    for match, more in cases.items():
        with pytest.raises(ValueError, match=match):
            saving.load_model(write_zip(tmp_path / "m.keras", [*members_of(good), *more]))
    with pytest.warns(UserWarning, match="Duplicate"):
        twice = write_zip(
            tmp_path / "m.keras", [*members_of(good), ("config.json", b"{}", zipfile.ZIP_STORED)]
        )
    with pytest.raises(ValueError, match="'config.json' twice"):
        saving.load_model(twice)


def central_entries(data):
    """Offsets of the entries of a zip file's directory."""
    found, at = [], data.find(b"PK\x01\x02")
    while at >= 0:
        found.append(at)
        at = data.find(b"PK\x01\x02", at + 1)
    return found


def test_members_that_overlap_or_are_encrypted(good, tmp_path):
    path = write_zip(tmp_path / "m.keras", members_of(good))
    data = path.read_bytes()
    first, second, *_ = central_entries(data)
    overlapping = bytearray(data)
    overlapping[second + 42 : second + 46] = (3).to_bytes(4, "little")  # offset of its local header
    encrypted = bytearray(data)
    encrypted[first + 8] |= 1
    for changed, match in ((overlapping, "overlaps"), (encrypted, "encryption")):
        path.write_bytes(changed)
        with pytest.raises(ValueError, match=match):
            saving.load_model(path)


def test_nothing_is_written_while_a_file_is_read(good, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for parts in ({**good, "../x": b"x"}, good, {**good, "assets/x": b"x"}):
        with contextlib.suppress(ValueError):
            load(parts, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["m.keras"]
    assert not (tmp_path.parent / "x").exists()


def test_too_many_members(good, tmp_path):
    more = {f"assets/{k}": b"" for k in range(10_001)}
    with pytest.raises(ValueError, match="members"):
        load({**good, **more}, tmp_path)


def test_an_archive_of_a_newer_zip(good, tmp_path):
    path = write_zip(tmp_path / "m.keras", members_of(good))
    data = bytearray(path.read_bytes())
    data[data.index(b"PK\x01\x02") + 6] = 99  # the version that is needed to read a member
    path.write_bytes(data)
    with pytest.raises(ValueError, match="damaged"):
        saving.load_model(path)
