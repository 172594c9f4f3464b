"""The bundle's bytes and contents; what logs may not hold."""

import hashlib
import io
import logging
import shutil
import zipfile
from pathlib import Path

import pytest

from hometone_server.flower.bundle import build_bundle, bundle_contents, bundle_settings, bundle_sha256, default_bundle
from hometone_server.flower.logs import open_log, redacted
from hometone_shared.errors import FederationError

ROOT = Path(__file__).resolve().parents[4]


def test_the_bundle_holds_what_it_says_and_nothing_else():
    assert default_bundle() == ROOT / "server" / "federation"
    assert list(bundle_contents(default_bundle())) == [
        "hometone_round/__init__.py",
        "hometone_round/client_app.py",
        "hometone_round/server_app.py",
        "pyproject.toml",
    ]
    reference, settings = bundle_settings(default_bundle())
    assert reference == "hometone_round.server_app:app"
    assert set(settings) == {"campaign"}


def test_the_same_files_make_the_same_bytes_wherever_they_lie(tmp_path):
    copy = tmp_path / "elsewhere"
    shutil.copytree(default_bundle(), copy, ignore=shutil.ignore_patterns("__pycache__"))
    for path in copy.rglob("*"):
        path.chmod(0o700)
    (copy / "hometone_round" / "__pycache__").mkdir()
    (copy / "hometone_round" / "__pycache__" / "x.pyc").write_bytes(b"1")
    assert build_bundle(copy) == build_bundle(default_bundle())
    assert bundle_sha256() == hashlib.sha256(build_bundle(copy)).hexdigest()
    archive = zipfile.ZipFile(io.BytesIO(build_bundle(copy)))
    assert archive.testzip() is None
    for line in archive.read(".info/CONTENT").decode().splitlines():
        name, digest, bits = line.split(",")
        assert hashlib.sha256(archive.read(name)).hexdigest() == digest
        assert len(archive.read(name)) * 8 == int(bits)
    (copy / "hometone_round" / "server_app.py").write_text("# another\n")
    assert bundle_sha256(copy) != bundle_sha256()


def test_a_bundle_with_anything_else_in_it_is_refused(tmp_path):
    with pytest.raises(FederationError, match="no bundle"):
        build_bundle(tmp_path)
    copy = tmp_path / "copy"
    shutil.copytree(default_bundle(), copy)
    (copy / "recording.wav").write_bytes(b"RIFF")
    with pytest.raises(FederationError, match="does not belong"):
        build_bundle(copy)
    (copy / "recording.wav").unlink()
    (copy / "pyproject.toml").write_text("[tool]\n")
    with pytest.raises(FederationError, match="configuration"):
        bundle_settings(copy)


@pytest.mark.parametrize(
    "secret",
    [
        "-----BEGIN PUBLIC KEY-----\nMHYwEAYHKoZIzj0CAQYFK4EEACIDYgAE\nabc\n-----END PUBLIC KEY-----",
        "b'-----BEGIN PUBLIC KEY-----\\nMHYwEAYH",
        "ecdsa-sha2-nistp384 AAAAE2VjZHNhLXNoYTItbmlzdHAzODQ=",
        "192.0.2.17:51234",
        "[2001:db8:0:0:0:0:0:1]:443",
        "deadbeef" * 8,
        "q7Jr3vW0-_tokens_are_long_and_look_like_this_0123456789",
    ],
)
def test_logs_hold_no_key_and_no_address(tmp_path, secret):
    for word in secret.replace("\n", " ").split():
        assert word not in redacted(f"registering {secret} failed") or word in {"PUBLIC", "KEY-----"}
    root, hometone = logging.getLogger(), logging.getLogger("hometone")
    before, levels = list(root.handlers), (root.level, hometone.level)
    try:
        open_log(tmp_path / "x.log")
        try:
            raise ValueError(secret)  # noqa: TRY301 - to be logged
        except ValueError:
            logging.getLogger("hometone.x").exception("it is %s", secret)
    finally:
        for handler in list(root.handlers):
            handler.close()
        root.handlers[:] = before
        root.setLevel(levels[0])
        hometone.setLevel(levels[1])
    line = (tmp_path / "x.log").read_text()
    assert line.count("\n") == 1
    assert line.endswith("(ValueError)\n")
    assert secret not in line
