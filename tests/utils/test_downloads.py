"""get_file: downloads from a server on this machine, checks, and failures half-way."""

from __future__ import annotations

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from kcompile.utils import get_file
from kcompile.utils.downloads import cache_home

CONTENT = bytes(range(256)) * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.requests.append(self.path)
        if self.path == "/missing.bin":
            self.send_error(404, "Not Found")
            return
        self.send_response(200)
        if self.path != "/unmeasured.bin":
            self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT[:5000] if self.path == "/cut.bin" else CONTENT)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.requests = []
        server.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("KCOMPILE_HOME", str(tmp_path))
    return tmp_path


def test_downloads_once(server, home):
    path = get_file(origin=f"{server.url}/data.bin", file_hash=SHA256)
    assert Path(path) == home / "datasets" / "data.bin"
    assert Path(path).read_bytes() == CONTENT
    assert get_file(origin=f"{server.url}/data.bin", file_hash=SHA256) == path
    assert server.requests == ["/data.bin"]
    get_file(origin=f"{server.url}/data.bin", file_hash=SHA256, force_download=True)
    assert len(server.requests) == 2


def test_a_server_that_does_not_tell_the_length(server, home):
    path = get_file("unmeasured.bin", f"{server.url}/unmeasured.bin", file_hash=SHA256)
    assert Path(path).read_bytes() == CONTENT


def test_name_folders_and_case_of_the_hash(server, tmp_path):
    path = get_file(
        "b.bin", f"{server.url}/d", file_hash=SHA256.upper(), cache_subdir="x", cache_dir=tmp_path
    )
    assert Path(path) == tmp_path / "x" / "b.bin"


def test_changed_file_is_fetched_again(server, home):
    path = Path(get_file("a.bin", f"{server.url}/a", file_hash=SHA256))
    path.write_bytes(b"something else")
    get_file("a.bin", f"{server.url}/a", file_hash=SHA256)
    assert path.read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("name", "digest", "error", "reason"),
    [
        ("missing.bin", SHA256, ConnectionError, "Not Found"),
        ("cut.bin", SHA256, ConnectionError, "5000 of 256000"),
        ("other.bin", "0" * 64, ValueError, "sha256 hash"),
    ],
)
def test_failure_keeps_the_old_file_and_leaves_no_other(server, home, name, digest, error, reason):
    old = home / "datasets" / name
    old.parent.mkdir()
    old.write_bytes(b"old")
    with pytest.raises(error, match=reason):
        get_file(origin=f"{server.url}/{name}", file_hash=digest)
    assert [p.name for p in old.parent.iterdir()] == [name]
    assert old.read_bytes() == b"old"


def test_nobody_listens(home):
    with pytest.raises(ConnectionError, match=r"could not download https://127\.0\.0\.1:9/a: "):
        get_file(origin="https://127.0.0.1:9/a")


@pytest.mark.parametrize("origin", ["http://127.0.0.1/a", "ftp://x/a"])
def test_only_https_without_a_sha256(home, origin):
    with pytest.raises(ValueError, match="is not https"):
        get_file("a", origin)
    with pytest.raises(ValueError, match="is not https"):
        get_file("a", origin, md5_hash="0" * 32)


@pytest.mark.parametrize("name", ["../a", "a/b", "..", "a\\b"])
def test_name_must_not_be_a_path(home, name):
    with pytest.raises(ValueError, match="not a path"):
        get_file(name, "https://127.0.0.1:9/a")


def test_arguments_that_do_not_fit(home):
    with pytest.raises(ValueError, match="origin"):
        get_file("a")
    with pytest.raises(ValueError, match="hash_algorithm"):
        get_file("a", "https://127.0.0.1:9/a", file_hash="0", hash_algorithm="crc")


def test_cache_home(monkeypatch, tmp_path):
    monkeypatch.delenv("KCOMPILE_HOME", raising=False)
    monkeypatch.delenv("KERAS_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_home() == tmp_path / ".keras"
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    assert cache_home() == tmp_path / "keras"
    monkeypatch.setenv("KCOMPILE_HOME", str(tmp_path / "own"))
    assert cache_home() == tmp_path / "own"


def test_files_of_this_machine(tmp_path):
    source = tmp_path / "here.txt"
    source.write_text("text")
    path = get_file("copy.txt", source.as_uri(), cache_dir=tmp_path / "cache")
    assert Path(path).read_text() == "text"
    with pytest.raises(ConnectionError, match="could not download"):
        get_file("none.txt", (tmp_path / "none.txt").as_uri(), cache_dir=tmp_path / "cache")
