"""The object cache: what it keeps, what it refuses, and many processes at once."""

import os
import random
import subprocess
import sys
import time
import warnings

import pytest

from kcompile.runtime import cache as cache_module
from kcompile.runtime.cache import CacheInfo, ObjectCache, default_cache, default_folder

posix = pytest.mark.skipif(os.name != "posix", reason="permissions as POSIX has them")


@pytest.fixture
def cache(tmp_path):
    return ObjectCache(tmp_path / "cache")


def only_file(cache):
    (path,) = (p for p in os.scandir(cache.info().folder))
    return path.path


def test_what_was_put_is_got(cache):
    cache.put("key", b"object code")
    assert cache.get("key") == b"object code"
    assert cache.get("another key") is None


def test_another_process_finds_it(cache):
    cache.put("key", b"object code")
    assert ObjectCache(cache._folder).get("key") == b"object code"


def test_empty_content_is_content(cache):
    cache.put("key", b"")
    assert cache.get("key") == b""


def test_a_second_put_replaces(cache):
    cache.put("key", b"old")
    cache.put("key", b"new")
    assert cache.get("key") == b"new"
    assert cache.info().files == 1


def flip(position: int):
    """Flip one bit of the byte at a position."""
    return lambda data: data[:position] + bytes([data[position] ^ 4]) + data[position + 1 :]


DAMAGE = {
    "empty": lambda data: b"",
    "short header": lambda data: data[:10],
    "header only": lambda data: data[:84],
    "truncated": lambda data: data[:-1],
    "longer": lambda data: data + b"\0",
    "zeros": lambda data: bytes(len(data)),
    "magic": flip(0),
    "version": flip(8),
    "length": flip(12),
    "key": flip(20),
    "checksum": flip(60),
    "content": flip(90),
    "swapped halves": lambda data: data[len(data) // 2 :] + data[: len(data) // 2],
    "text": lambda data: b"not an object file at all" * 10,
}


@pytest.mark.parametrize("how", DAMAGE)
def test_a_damaged_file_is_a_miss_and_is_deleted(cache, how):
    cache.put("key", b"object code")
    path = only_file(cache)
    with open(path, "rb") as file:
        intact = file.read()
    with open(path, "wb") as file:
        file.write(DAMAGE[how](intact))
    assert cache.get("key") is None
    assert not os.path.exists(path)
    cache.put("key", b"object code")
    assert cache.get("key") == b"object code"


def test_every_single_damaged_byte_is_noticed(cache):
    cache.put("key", b"abc")
    path = only_file(cache)
    with open(path, "rb") as file:
        intact = file.read()
    for position in range(len(intact)):
        with open(path, "wb") as file:
            file.write(intact[:position] + bytes([intact[position] ^ 0xFF]) + intact[position + 1 :])
        assert cache.get("key") is None, position


def test_a_file_under_another_keys_name_is_not_trusted(cache):
    cache.put("mine", b"mine")
    os.replace(only_file(cache), cache._path("yours"))
    assert cache.get("yours") is None


def test_a_folder_in_the_files_place_is_a_miss(cache):
    cache.put("key", b"1")
    path = only_file(cache)
    os.unlink(path)
    os.mkdir(path)
    assert cache.get("key") is None
    cache.put("key", b"1")  # cannot be written; says nothing
    assert cache.get("key") is None


@posix
def test_files_and_folder_are_the_users_alone(cache):
    cache.put("key", b"1")
    assert os.stat(cache._folder).st_mode & 0o777 == 0o700
    assert os.stat(only_file(cache)).st_mode & 0o777 == 0o600


@posix
@pytest.mark.parametrize("mode", [0o770, 0o707, 0o777])
def test_a_folder_that_others_may_write_is_refused_and_said_once(tmp_path, mode):
    folder = tmp_path / "shared"
    ObjectCache(folder).put("key", b"planted")
    folder.chmod(mode)
    with pytest.warns(RuntimeWarning, match="others may write to it") as said:
        cache = ObjectCache(folder)
        assert cache.get("key") is None
        cache.put("other", b"1")
    assert len(said) == 1
    assert cache.info() == CacheInfo("", 0, 0, cache.info().limit)
    assert len(list(folder.iterdir())) == 1


@posix
def test_a_folder_of_another_user_is_refused(tmp_path, monkeypatch):
    folder = tmp_path / "theirs"
    ObjectCache(folder).put("key", b"planted")
    monkeypatch.setattr(os, "geteuid", lambda: 12345)
    status = folder.stat()
    if status.st_uid == 0:
        os.chown(folder, 54321, -1)
    with pytest.warns(RuntimeWarning, match="belongs to another user"):
        assert ObjectCache(folder).get("key") is None


def test_a_file_in_the_folders_place_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.warns(RuntimeWarning, match="it is not a folder"):
        cache = ObjectCache(tmp_path / "file")
    cache.put("key", b"1")
    assert cache.get("key") is None


def test_a_folder_that_cannot_be_made_or_written_is_no_error(tmp_path, monkeypatch):
    cache = ObjectCache(tmp_path / "cache")

    def refuse(*args, **kwargs):
        raise PermissionError("read-only")

    monkeypatch.setattr("tempfile.mkstemp", refuse)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        cache.put("key", b"1")
        assert cache.get("key") is None


def test_a_read_only_folder_is_read(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    ObjectCache(folder).put("key", b"1")
    monkeypatch.setattr("tempfile.mkstemp", lambda *a, **k: (_ for _ in ()).throw(PermissionError()))
    monkeypatch.setattr(os, "utime", lambda *a, **k: (_ for _ in ()).throw(PermissionError()))
    reader = ObjectCache(folder)
    reader.put("other", b"2")
    assert reader.get("key") == b"1"
    assert reader.get("other") is None


def test_an_interrupted_write_leaves_the_old_file_and_no_litter(cache, monkeypatch):
    cache.put("key", b"old")

    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        cache.put("key", b"new")
    assert cache.get("key") == b"old"
    assert len(list(os.scandir(cache._folder))) == 1


def test_prune_deletes_what_was_used_longest_ago(tmp_path, monkeypatch):
    monkeypatch.setattr(cache_module._own_random, "randrange", lambda odds: 1)  # no put prunes
    cache = ObjectCache(tmp_path / "cache", limit=10_000)
    for i in range(20):
        cache.put(str(i), bytes(1000))
        os.utime(cache._path(str(i)), (1e9 + i, 1e9 + i))
    cache.get("0")  # a hit renews
    cache.prune()
    kept = [i for i in range(20) if cache.get(str(i)) is not None]
    assert kept == [0, 14, 15, 16, 17, 18, 19]
    assert cache.info().bytes <= 8000


def test_below_the_limit_nothing_is_pruned(tmp_path):
    cache = ObjectCache(tmp_path / "cache", limit=100_000)
    for i in range(20):
        cache.put(str(i), bytes(1000))
    cache.prune()
    assert cache.info().files == 20


def test_puts_keep_the_folder_bounded(tmp_path):
    cache = ObjectCache(tmp_path / "cache", limit=50_000)
    for i in range(1500):
        cache.put(str(i), bytes(1000))
    assert cache.info().files < 700  # 1500 puts, one in 64 prunes: the chance of no prune in 600 is 1e-4


def test_litter_of_processes_that_died_is_removed(cache):
    cache.put("key", b"1")
    old, recent = cache._folder / "a.tmp", cache._folder / "b.tmp"
    old.write_bytes(b"")
    recent.write_bytes(b"")
    os.utime(old, (time.time() - 7200,) * 2)
    cache.info()
    assert not old.exists()
    assert recent.exists()


def test_info_and_clear(cache):
    assert cache.info().files == 0
    cache.put("a", b"1")
    cache.put("b", b"22")
    info = cache.info()
    assert (info.folder, info.files) == (str(cache._folder), 2)
    assert info.bytes > 3
    assert cache.clear() == 2
    assert cache.get("a") is None
    assert cache.info().files == 0


def test_the_environment_names_the_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("KCOMPILE_CACHE_DIR", str(tmp_path / "explicit"))
    monkeypatch.setenv("KCOMPILE_HOME", str(tmp_path / "home"))
    assert default_folder() == tmp_path / "explicit"
    monkeypatch.delenv("KCOMPILE_CACHE_DIR")
    assert default_folder() == tmp_path / "home" / "cache"
    monkeypatch.delenv("KCOMPILE_HOME")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setattr(sys, "platform", "linux")
    assert default_folder() == tmp_path / "xdg" / "kcompile"
    monkeypatch.setattr(sys, "platform", "darwin")
    assert default_folder().parts[-3:] == ("Library", "Caches", "kcompile")
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    assert default_folder() == tmp_path / "local" / "kcompile"


def test_the_environment_turns_it_off(monkeypatch, tmp_path):
    monkeypatch.setenv("KCOMPILE_CACHE_DIR", str(tmp_path))
    monkeypatch.setenv("KCOMPILE_CACHE", "0")
    default_cache().put("key", b"1")
    assert default_cache().get("key") is None
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setenv("KCOMPILE_CACHE", "1")
    default_cache().put("key", b"1")
    assert default_cache().get("key") == b"1"


WRITER = """
import sys
from pathlib import Path
from kcompile.runtime.cache import ObjectCache
cache = ObjectCache(Path(sys.argv[1]))
mine = sys.argv[2].encode() * 50_000
for _ in range(100):
    cache.put("key", mine)
    found = cache.get("key")
    assert found is None or (len(found) == 50_000 and len(set(found)) == 1), "torn"
    assert found is not None, "lost"
"""


def test_two_processes_that_write_one_key_never_see_half_a_file(tmp_path):
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(tmp_path / "cache"), letter], stderr=subprocess.PIPE
        )
        for letter in "ab"
    ]
    for writer in writers:
        _, errors = writer.communicate(timeout=60)
        assert writer.returncode == 0, errors.decode()


def test_a_cold_cache_draws_nothing_from_the_users_generators(cache):
    """A seeded program gives the same numbers whether its kernels were in the cache or not."""
    random.seed(3)
    before = random.getstate()
    for k in range(5):
        cache.put(str(k), b"x")
    assert random.getstate() == before
