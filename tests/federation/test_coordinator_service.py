"""The supervisor: one program for a person to start, which leaves nothing behind."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from hometone_server.flower.supervisor import serve
from hometone_shared.errors import FederationError, UsageError

SERVE = """
import sys
from pathlib import Path
from hometone_server.flower.supervisor import serve
from hometone_server.home import CoordinatorHome
home = CoordinatorHome(Path(sys.argv[1]))
say = lambda word: print('{"told": "%s"}' % word, flush=True)
serve(home, bind=home.address, bundle=Path(sys.argv[2]), gateway_application="small_application:build", told=say)
"""
SMALL = """
def build(home):
    async def application(scope, receive, send):
        if scope["type"] == "lifespan":
            while True:
                message = await receive()
                await send({"type": message["type"] + ".complete"})
                if message["type"].endswith("shutdown"):
                    return
        text = scope["path"].encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", str(len(text)).encode())]})
        await send({"type": "http.response.body", "body": text})
    return application
"""
BUNDLE = Path(__file__).parent / "bundle"


def _children(process: psutil.Process) -> list[psutil.Process]:
    alive = [child for child in process.children() if child.status() != psutil.STATUS_ZOMBIE]
    return [child for child in alive if "hometone_server.flower" in " ".join(child.cmdline())]


def _gone(processes: list[psutil.Process], timeout_s: float = 12.0) -> bool:
    return not psutil.wait_procs(processes, timeout=timeout_s)[1]


def _until(condition, timeout_s: float = 20.0):
    until = time.monotonic() + timeout_s
    while not (value := condition()):
        assert time.monotonic() < until
        time.sleep(0.05)
    return value


def test_a_dead_child_is_started_again_and_nothing_is_left_behind(home, tmp_path):
    import ssl

    import httpx

    (tmp_path / "small_application.py").write_text(SMALL)
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    command = [sys.executable, "-c", SERVE, str(home.root), str(BUNDLE)]

    with _service(command, environment) as (service, process):
        first = _children(process)
        assert len(first) == 2
        context = ssl.create_default_context(cafile=str(home.certificates / "ca.pem"))
        with httpx.Client(verify=context, trust_env=False) as client:
            assert client.get(f"https://{home.address}/hometone/v1/anything").text == "/hometone/v1/anything"
            superlink = next(child for child in first if "hometone_server.flower.superlink" in child.cmdline())
            superlink.kill()

            def answers() -> bool:
                try:
                    return client.get(f"https://{home.address}/health").status_code == 200
                except httpx.HTTPError:
                    return False

            _until(lambda: superlink not in _children(process) and answers())
        assert "superlink ended after" in (home.logs / "supervisor.log").read_text()
        everything = _children(process)
        assert len(everything) == 2
        service.send_signal(signal.SIGTERM)
        assert service.wait(15) == 0
        assert _gone(everything, 1)

    with _service(command, environment) as (service, process):
        everything = _children(process)
        service.kill()
        service.wait()
        assert _gone(everything)


@contextmanager
def _service(command, environment):
    """A running supervisor; killed at the end if it still runs, which ends its children."""
    service = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE)
    try:
        assert service.stdout.readline() == b'{"told": "ready"}\n'
        yield service, psutil.Process(service.pid)
    finally:
        service.kill()
        service.wait()
        service.stdout.close()


def test_a_taken_port_is_said_in_words_and_nothing_runs(home):
    host, _, port = home.address.rpartition(":")
    with socket.create_server((host, int(port))):
        before = set(psutil.Process().children())
        with pytest.raises(FederationError, match=f"port {port} is taken by another program"):
            serve(home, bind=home.address, bundle=BUNDLE, gateway_application=None, stop=threading.Event())
        assert set(psutil.Process().children()) == before


def test_what_cannot_start_says_why(home, tmp_path):
    with pytest.raises(FederationError, match="application for the gateway cannot be found"):
        serve(home, bind=home.address, bundle=BUNDLE, gateway_application="no_such_module:build", stop=threading.Event())
    with pytest.raises(UsageError):
        serve(type(home)(tmp_path / "empty"), stop=threading.Event())
