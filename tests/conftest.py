"""Rules for every test: no network, no telemetry, no home but a temporary one."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import pytest_socket

LOOPBACK_FOLDERS = {"federation", "browser", "web"}
LONG_FOLDERS = {"adaptation", "jobs", "browser", "federation", "web"}
"""Files whose tests take longest. They begin first, so that both cores end together (`--no-loadscope-reorder` in run.py)."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: LONG_FOLDERS.isdisjoint(item.path.parts))


@pytest.fixture(autouse=True)
def _no_network(request: pytest.FixtureRequest) -> Iterator[None]:
    """Block every socket but local pipes; tests of the local page and of federations may use loopback."""
    if LOOPBACK_FOLDERS & set(request.path.parts):
        pytest_socket.socket_allow_hosts(["127.0.0.1", "::1"], allow_unix_socket=True)
    else:
        pytest_socket.disable_socket(allow_unix_socket=True)
    yield
    pytest_socket.enable_socket()


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point `--home` away from the person who runs the tests, and leave no PIN of theirs in the environment."""
    monkeypatch.setenv("HOMETONE_HOME", str(tmp_path / "hometone-home"))
    monkeypatch.delenv("HOMETONE_PIN", raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.fail.Keyring")
