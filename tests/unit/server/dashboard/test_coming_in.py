"""Who comes in, and who does not: links, the access key, other machines, other origins, other people's forms."""

import stat

import pytest

from hometone_server.dashboard.access_key import is_access_key, make_access_key
from hometone_shared.pages.sessions import KEY_GOOD_FOR_S

PATHS = ("/", "/now", "/rounds", "/rounds/order", "/laptops", "/balance", "/quality", "/listening", "/withdrawals", "/log", "/nowhere")


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def test_a_link_opens_a_session_once(office, make_browser):
    first, second, key = make_browser(office), make_browser(office), office.keys.new()
    answer = first.ask("GET", f"/enter?key={key}")
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    cookie = answer.headers["set-cookie"].lower()
    assert all(part in cookie for part in ("httponly", "samesite=strict", "path=/"))
    assert first.ask("GET", "/").status_code == 200
    again = second.ask("GET", f"/enter?key={key}")
    assert again.status_code == 403
    assert "used already" in again.text
    assert second.ask("GET", "/").headers["location"] == "/enter"


def test_a_link_that_is_too_old_opens_nothing(home, make_office, make_browser):
    clock = Clock()
    office = make_office(home, clock=clock)
    key = office.keys.new()
    clock.now += KEY_GOOD_FOR_S + 1
    assert make_browser(office).ask("GET", f"/enter?key={key}").status_code == 403


@pytest.mark.parametrize("path", PATHS)
def test_without_a_session_there_is_the_entrance_and_nothing_else(office, make_browser, path):
    answer = make_browser(office).ask("GET", path)
    assert (answer.status_code, answer.headers["location"], answer.text) == (303, "/enter", "")


@pytest.mark.parametrize("cookie", ["hometone-coordinator=x", "hometone-coordinator=" + "a" * 5000, "=;;\x01", "hometone=abc"])
def test_an_invented_cookie_is_no_session(office, make_browser, cookie):
    browser = make_browser(office)
    browser.cookie = cookie
    assert browser.ask("GET", "/laptops").headers["location"] == "/enter"


def test_the_access_key_opens_a_session_and_only_its_hash_is_kept(office, make_browser):
    key = make_access_key(office.home)
    kept = office.home.dashboard_key
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600
    assert key.replace("-", "")[3:20] not in kept.read_text()
    browser = make_browser(office)
    assert "HK1" in browser.look("/enter")
    assert browser.post("/enter", key="HK1-AAAAA").status_code == 403
    assert browser.cookie == ""
    answer = browser.post("/enter", key=key.lower().replace("-", " "))
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert browser.ask("GET", "/").status_code == 200


def test_a_new_access_key_replaces_the_old_one(office):
    old = make_access_key(office.home)
    new = make_access_key(office.home)
    assert not is_access_key(office.home, old)
    assert is_access_key(office.home, new)
    assert not is_access_key(office.home, "")
    office.home.dashboard_key.unlink()
    assert not is_access_key(office.home, new)


def test_access_keys_cannot_be_tried_quickly(home, make_office, make_browser):
    clock = Clock()
    office = make_office(home, clock=clock)
    key, browser = make_access_key(home), make_browser(office)
    assert [browser.post("/enter", key="HK1-00000").status_code for _ in range(10)] == [403] * 10
    assert browser.post("/enter", key=key).status_code == 429
    clock.now += 60
    assert browser.post("/enter", key=key).status_code == 303


def test_a_key_sent_from_a_page_of_others_or_damaged_opens_nothing(office, make_browser):
    key, browser = make_access_key(office.home), make_browser(office)
    assert browser.post("/enter", key=key, origin="http://evil.example").status_code == 403
    assert (
        browser.ask(
            "POST",
            "/enter",
            headers={"Origin": "http://127.0.0.1:8574"},
            content=b"\xff",
        ).status_code
        == 400
    )
    assert browser.cookie == ""


def test_whoever_leaves_is_out(browser):
    cookie = browser.cookie
    assert browser.post("/leave", token="wrong").headers["location"] == "/"
    assert browser.post("/leave").headers["location"] == "/enter"
    browser.cookie = cookie
    assert browser.ask("GET", "/").headers["location"] == "/enter"


def test_other_machines_names_and_origins_are_turned_away_even_with_a_session(browser):
    assert browser.ask("GET", "/", peer="192.0.2.9").status_code == 403
    assert browser.ask("GET", "/", headers={"Host": "coordinator.example:8574"}).status_code == 403
    assert browser.ask("GET", "/", headers={"Origin": "http://evil.example"}).status_code == 403
    assert browser.post("/laptops/invite", origin="http://evil.example", count="1").status_code == 403
    assert browser.post("/laptops/invite", origin=None, count="1").status_code == 403


@pytest.mark.parametrize(
    "path",
    ["/rounds/order", "/laptops/invite", "/laptops/take-back", "/log/check", "/withdrawals/replay", "/rounds/releases/0", "/language"],
)
def test_a_form_without_the_token_of_the_session_does_nothing(browser, flower, office, path):
    for token in ("", "x" * 43, "\ud800".encode("utf-8", "surrogatepass").decode("latin-1")):
        answer = browser.post(path, token=token, speakers="20", count="1")
        assert answer.status_code == 303
    assert flower.runs == []
    assert office.log.query("SELECT COUNT(*) FROM invitations") == [(0,)]


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        (b"a=%ff", "application/x-www-form-urlencoded", 400),
        (b"\xff\xfe", "application/x-www-form-urlencoded", 400),
        (b"&".join(b"a%d=1" % n for n in range(200)), "application/x-www-form-urlencoded", 400),
        (b"{}", "application/json", 400),
        (b"", "multipart/form-data; boundary=x", 400),
        (b"a" * 20_000, "application/x-www-form-urlencoded", 413),
    ],
)
def test_a_hostile_body_is_told_so(browser, body, kind, status):
    headers = {"Origin": "http://127.0.0.1:8574", "Content-Type": kind}
    assert browser.ask("POST", "/rounds/order", headers=headers, content=body).status_code == status


def test_every_answer_carries_the_security_headers_and_no_page_is_kept(browser):
    for path in (*PATHS, "/enter", "/static/x/y"):
        headers = browser.ask("GET", path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["cross-origin-opener-policy"] == "same-origin"
        assert headers["cache-control"] == "no-store"


def test_pages_hold_no_script_and_no_style_of_their_own(browser):
    for path in PATHS[:-1]:
        text = browser.ask("GET", path).text
        assert " style=" not in text
        assert "<script>" not in text
        assert "http://" not in text.replace("http://www.w3.org/2000/svg", "")


def test_assets_are_there_and_may_be_kept(browser):
    import re

    text = browser.look("/")
    for address in re.findall(r'(?:href|src)="(/static/[^"]+)"', text):
        answer = browser.ask("GET", address)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]


def test_the_language_is_changed_on_the_page_and_nothing_typed_is_lost(browser):
    browser.look("/rounds/order")
    page = browser.act("/language", to="zh", back="/rounds/order", **{"kept.speakers": "127"})
    assert "要做什么" in page
    assert 'value="127"' in page
    assert browser.post("/language", to="en", back="//evil.example").headers["location"] == "/"


def test_a_page_that_is_not_there_says_so(browser):
    answer = browser.ask("GET", "/nowhere")
    assert answer.status_code == 404
    assert "there is no such page" in answer.text
    assert browser.ask("DELETE", "/laptops", headers={"Origin": "http://127.0.0.1:8574"}).status_code == 405
