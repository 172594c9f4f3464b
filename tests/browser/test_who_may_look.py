"""Who may look at a laptop's pages (docs/pages.md, section 2), tried from outside: other users, pages of other sites, stolen addresses.

`hometone open` runs as a program; Chromium is the browser of somebody who has come in and meets a page that means ill.
"""

import http.client
import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import psutil
import pytest
from playwright.sync_api import Page
from tests.browser import chromium
from tests.browser.chromium import visible_text
from tests.opened_laptop import Opened, add_person, opened_laptop
from tests.village import end, until

SECRET_PATHS = ("/", "/announcements", "/presenter", "/listening", "/new", "/me", "/stop", "/borrowed", "/presenter/sound", "/nowhere")
NAME = "Aurelia Novak"


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Opened]:
    with opened_laptop(tmp_path_factory.mktemp("guarded")) as opened:
        with opened.laptop.vault() as vault:
            add_person(vault, NAME)
        opened.open()
        yield opened


@pytest.fixture
def alone(tmp_path) -> Iterator[Opened]:
    """One that a test may end; there is no vault."""
    with opened_laptop(tmp_path) as opened:
        yield opened


def asked(opened: Opened, path: str, *, method: str = "GET", **headers: str) -> tuple[int, str, dict[str, str]]:
    """An answer without a browser: status, text, headers."""
    connection = http.client.HTTPConnection("127.0.0.1", opened.port, timeout=30)
    try:
        connection.request(method, path, headers={name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace"), dict(answer.getheaders())
    finally:
        connection.close()


def cookie_of(opened: Opened) -> str:
    """Come in, and take the cookie."""
    _, _, headers = asked(opened, opened.link().removeprefix(opened.origin))
    return headers["set-cookie"]


@pytest.mark.skipif(sys.platform != "linux" or os.getuid() != 0, reason="needs a second user: run as root on Linux, as CI does")
def test_another_user_of_this_machine_gets_nothing(opened) -> None:
    """The other one is nobody: may connect to the port, and neither read the token nor come in."""
    program = f"""
import encodings.idna, http.client, os, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
for path in {SECRET_PATHS!r} + ("/enter?key=guessed", "/v1/voices"):
    connection = http.client.HTTPConnection("127.0.0.1", {opened.port}, timeout=30)
    connection.request("GET", path)
    answer = connection.getresponse()
    print(path, answer.status, answer.getheader("location"), {NAME!r} in answer.read().decode())
connection = http.client.HTTPConnection("127.0.0.1", {opened.port}, timeout=30)
connection.request("POST", "/v1/pages/link", headers={{"Content-Length": "0"}})
print("link", connection.getresponse().status)
for place in {[str(opened.token_file), str(opened.home)]!r}:
    try:
        open(place).read() if os.path.isfile(place) else os.listdir(place)
        print("read", place)
    except OSError:
        print("refused")
"""
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, encoding="utf-8", timeout=120, check=True)
    lines = ran.stdout.splitlines()
    assert lines[: len(SECRET_PATHS)] == [f"{path} 303 /enter False" for path in SECRET_PATHS]
    rest = ["/enter?key=guessed 403 None False", "/v1/voices 401 None False", "link 401", "refused", "refused"]
    assert lines[len(SECRET_PATHS) :] == rest


def test_where_the_token_lies_only_its_user_can_read(opened) -> None:
    assert opened.token_file.stat().st_mode & 0o077 == 0


def test_a_stolen_address_shows_the_entrance_and_nothing_else(opened, open_page) -> None:
    page = open_page(opened.origin)
    page.goto(opened.link())
    page.get_by_role("link", name=NAME).click()
    address = page.url
    assert NAME not in address
    stranger = open_page(opened.origin)
    for path in (address, *(opened.origin + path for path in SECRET_PATHS)):
        stranger.goto(path)
        assert stranger.url == opened.origin + "/enter"
        assert "Please open Hometone anew" in visible_text(stranger)
        assert NAME not in stranger.content()


def test_a_link_is_good_once(opened, open_page) -> None:
    link = opened.link()
    first, second = open_page(opened.origin), open_page(opened.origin)
    first.goto(link)
    assert NAME in visible_text(first)
    assert "key" not in first.url
    assert second.goto(link).status == 403
    assert "used already" in visible_text(second)
    assert second.context.cookies() == []


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(opened, open_page) -> None:
    page = open_page(opened.origin)
    page.goto(opened.link())
    (cookie,) = page.context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"], cookie["path"], cookie["domain"]) == (True, "Strict", "/", "127.0.0.1")
    assert len(cookie["value"]) >= 43
    assert page.evaluate("document.cookie") == ""
    assert page.evaluate("Object.keys(localStorage).length + Object.keys(sessionStorage).length") == 0


def test_the_cookie_is_no_key_for_programs_and_the_token_none_for_pages(opened) -> None:
    cookie = cookie_of(opened).partition(";")[0]
    token = re.search(r'"token": "([^"]+)"', opened.token_file.read_text())[1]
    assert asked(opened, "/", Cookie=cookie)[0] == 200
    assert asked(opened, "/v1/voices", Cookie=cookie)[0] == 401
    assert asked(opened, "/", Authorization=f"Bearer {token}")[0] == 303
    assert asked(opened, "/v1/voices", Authorization=f"Bearer {token}")[0] == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example:8573"},
        {"Host": "127.0.0.1.evil.example"},
        {"Host": "127.0.0.1:1"},
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://127.0.0.1:1"},
    ],
)
def test_who_pretends_to_be_this_site_gets_nothing(opened, headers) -> None:
    cookie = cookie_of(opened).partition(";")[0]
    status, text, _ = asked(opened, "/", Cookie=cookie, **headers)
    assert status == 403
    assert NAME not in text


EVIL = """<!DOCTYPE html><html lang="en"><title>evil</title><body>
<iframe id="frame" src="ORIGIN/"></iframe>
<audio id="sound" src="ORIGIN/presenter/sound"></audio>
<img id="picture" src="ORIGIN/static/x/icon.svg">
<form id="form" method="post" action="ORIGIN/lock" target="posted"><input name="_token" value="TOKEN"></form>
<iframe name="posted"></iframe>
</body></html>"""


@contextmanager
def evil_page(opened: Opened, token: str, *, host: str) -> Iterator[str]:
    """Another origin on this machine; its address. Under the name `127.0.0.1` browsers take it for the same site, and send the cookie."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            text = EVIL.replace("ORIGIN", opened.origin).replace("TOKEN", token).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://{host}:{server.server_port}/"
        server.shutdown()
        thread.join()


@pytest.fixture
def victim(opened, browser) -> Iterator[Page]:
    """The page of somebody who has come in. Nothing watches it: what is refused here is meant to be refused."""
    context = chromium.new_context(browser)
    page = context.new_page()
    page.goto(opened.link())
    yield page
    context.close()


_READ = """async origin => {
    const found = [];
    const credentials = "include";
    for (const how of [{}, {credentials}, {method: "POST", credentials, body: "x=1"}, {mode: "no-cors", credentials}])
        for (const path of ["/", "/announcements", "/presenter/speech", "/v1/voices", "/health"]) {
            try {
                const answer = await fetch(origin + path, how);
                const text = await answer.text();
                if (answer.type !== "opaque" || text) found.push(`${path} ${answer.type} ${text.length}`);
            } catch { /* refused */ }
        }
    return found;
}"""


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1"])
def test_a_page_of_another_site_gets_nothing(opened, victim, host) -> None:
    token = victim.locator("input[name=_token]").first.get_attribute("value")
    victim.goto(opened.origin + "/presenter")
    victim.locator("#text").fill("hello")
    with evil_page(opened, token, host=host) as address:
        page = victim.context.new_page()
        page.goto(address)
        assert page.evaluate(_READ, opened.origin) == []
        inside = [frame for frame in page.frames if frame != page.main_frame]
        assert all(NAME not in frame.content() for frame in inside)
        assert page.evaluate("document.querySelector('#frame').contentDocument") is None
        until(lambda: page.evaluate("document.querySelector('#sound').error !== null"), "the refusal of the sound")
        assert page.evaluate("document.querySelector('#picture').naturalWidth") == 0
        with page.expect_response(opened.origin + "/lock") as refused:
            page.evaluate("document.querySelector('#form').submit()")
        assert refused.value.status == 403
        with page.expect_popup() as popup:
            page.evaluate("origin => { window.other = open(origin + '/'); }", opened.origin)
        popup.value.wait_for_url(opened.origin + "/**")
        assert page.evaluate("(() => { try { return other.document && other.document.title; } catch { return null; } })()") is None
    assert victim.goto(opened.origin + "/").status == 200
    assert NAME in visible_text(victim)


def test_who_follows_a_link_of_another_site_comes_without_the_cookie(opened, victim) -> None:
    with evil_page(opened, "", host="localhost") as address:
        page = victim.context.new_page()
        page.goto(address)
        page.evaluate("origin => { location.href = origin + '/announcements'; }", opened.origin)
        page.wait_for_url(opened.origin + "/enter")


def test_the_page_lets_nothing_in_that_is_not_its_own(opened, open_page) -> None:
    page = open_page(opened.origin)
    page.goto(opened.link())
    policy = page.goto(opened.origin + "/presenter").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert page.locator("script:not([src]), [style], [onclick], [onload]").count() == 0


def test_the_program_listens_and_speaks_to_this_machine_only(opened, open_page) -> None:
    page = open_page(opened.origin)  # a request to another origin fails the test
    page.goto(opened.link())
    for path in SECRET_PATHS[:-2]:
        page.goto(opened.origin + path)
    process = psutil.Process(opened.process.pid)
    sockets = [each for part in (process, *process.children(recursive=True)) for each in part.net_connections("inet")]
    assert {each.laddr.ip for each in sockets} | {each.raddr.ip for each in sockets if each.raddr} == {"127.0.0.1"}
    assert [each.laddr.port for each in sockets if each.status == psutil.CONN_LISTEN] == [opened.port]
    assert NAME not in opened.log.read_text()


def test_opening_twice_shows_the_pages_that_run(opened, open_page) -> None:
    answer = opened.laptop.command("open", "--no-browser").ok()
    assert (answer["already_running"], answer["url"]) == (True, opened.origin)
    page = open_page(opened.origin)
    page.goto(answer["link"])
    assert NAME in visible_text(page)


def is_closed(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_when_it_ends_nothing_is_left(alone, open_page, how) -> None:
    link = alone.open()
    page = open_page(alone.origin)
    page.goto(link)
    assert alone.token_file.exists()
    alone.process.send_signal(how)
    alone.process.wait(30)
    assert is_closed(alone.port)
    assert not alone.token_file.exists()


def test_after_it_was_killed_it_opens_again(alone, open_page) -> None:
    first = alone.open()
    alone.kill()
    assert alone.token_file.exists()
    second = alone.open()
    page = open_page(alone.origin)
    assert page.goto(first).status == 403
    assert page.goto(second).status == 200
    assert page.url == alone.origin + "/"
    end(alone.process)
    assert not alone.token_file.exists()
