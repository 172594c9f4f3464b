"""Other users of this computer, on real loopback: who has the cookie, the link, or the port; and a mistake of our own."""

import logging
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from starlette.types import Receive, Scope, Send

from hometone_client.models import model_folder
from hometone_client.pages.house import House
from hometone_client.pages.running import FILE, running_pages
from hometone_client.pages.site import LocalSite
from hometone_client.web import LocalServer

TOKEN = "t" * 43
needs_another_user = pytest.mark.skipif(
    sys.platform != "linux" or os.getuid() != 0, reason="needs a second user: run as root on Linux, as CI does"
)

_AS_NOBODY = """
import encodings.idna, http.client, os
os.setgroups([]); os.setgid(65534); os.setuid(65534)
connection = http.client.HTTPConnection("127.0.0.1", {port}, timeout=30)
connection.request("GET", "{path}", headers={{"Cookie": "{cookie}"}})
answer = connection.getresponse()
print(answer.status, answer.getheader("location"), answer.getheader("set-cookie"))
"""

_SERVER = """
import encodings.idna, http.server, os
if {user}:
    os.setgroups([]); os.setgid({user}); os.setuid({user})
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.send_response(200)
        self.send_header("Content-Length", "15")
        self.end_headers()
        self.wfile.write(b'{{"key": "from"}}')
server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""


def as_nobody(*, port: int, path: str, cookie: str) -> str:
    program = _AS_NOBODY.format(port=port, path=path, cookie=cookie)
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="utf-8", timeout=60, check=True)
    return ran.stdout.strip()


@contextmanager
def serving(*, user: int, home: Path) -> Iterator[None]:
    """Somebody's server, at the address that a killed Hometone has left behind."""
    with subprocess.Popen([sys.executable, "-c", _SERVER.format(user=user)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as server:
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            (home / FILE).write_text(f'{{"url": "http://127.0.0.1:{port}", "token": "{TOKEN}", "process": 1}}')
            yield
        finally:
            server.kill()


@needs_another_user
def test_another_user_stays_outside_with_cookie_and_link(tmp_path: Path) -> None:
    with (
        House(tmp_path / "home", models=model_folder()) as house,
        LocalServer(LocalSite(house, token=TOKEN)) as server,
        httpx.Client(base_url=server.url, trust_env=False) as browser,
    ):
        port = int(server.url.rpartition(":")[2])
        assert browser.get(f"/enter?key={house.keys.new()}").status_code == 303
        assert browser.get("/").status_code == 200
        assert as_nobody(port=port, path="/", cookie=f"hometone={browser.cookies['hometone']}") == "303 /enter None"
        link = f"/enter?key={house.keys.new()}"
        assert as_nobody(port=port, path=link, cookie="") == "403 None None"
        assert browser.get(link).status_code == 303


@needs_another_user
def test_who_took_the_port_after_a_crash_is_not_shown_as_hometone(tmp_path: Path) -> None:
    with serving(user=65534, home=tmp_path):
        assert running_pages(tmp_path) is None


def test_the_same_answer_of_our_own_user_is_believed(tmp_path: Path) -> None:
    with serving(user=0, home=tmp_path):
        found = running_pages(tmp_path)
        assert found is not None
        assert found.link.endswith("/enter?key=from")


def test_a_mistake_of_ours_leaves_no_traceback(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        raise RuntimeError("a secret that somebody typed")

    with (
        LocalServer(app) as server,
        caplog.at_level(logging.DEBUG),
        socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=20) as connection,
    ):
        connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert b" 500 " in connection.recv(4096)
    told = "".join(capfd.readouterr()) + caplog.text
    assert "secret" not in told
    assert "RuntimeError" in told


_HOLDS_PLACES = """
import encodings.idna, os, socket, time
os.setgroups([]); os.setgid(65534); os.setuid(65534)
held = []
for _ in range(80):
    held.append(socket.create_connection(("127.0.0.1", {port})))
    try:
        held[-1].sendall(b"GET / HTTP/1.1\\r\\n")
    except OSError:
        pass
print("held", flush=True)
time.sleep(60)
"""


@needs_another_user
def test_another_user_cannot_take_all_places(tmp_path: Path) -> None:
    with House(tmp_path / "home", models=model_folder()) as house, LocalServer(LocalSite(house, token=TOKEN)) as server:
        program = _HOLDS_PLACES.format(port=server.url.rpartition(":")[2])
        with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE) as holder:
            try:
                assert holder.stdout is not None
                assert holder.stdout.readline() == b"held\n"
                with httpx.Client(base_url=server.url, trust_env=False) as browser:
                    assert browser.get(f"/enter?key={house.keys.new()}").status_code == 303
                    assert browser.get("/stop").status_code == 200
            finally:
                holder.kill()
