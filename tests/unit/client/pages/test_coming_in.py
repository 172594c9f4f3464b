"""Who may look at the pages, and how somebody comes in, is unlocked, and is locked again."""

import pytest
from clock import Clock
from visitor import HOST, ORIGIN, Visitor

from hometone_client.pages.app import SUBJECTS, create_pages
from hometone_client.pages.house import LOCKED_AFTER_S, House
from hometone_shared.pages.sessions import SESSION_GOOD_FOR_S


def test_a_link_opens_once(house: House) -> None:
    visitor = Visitor(create_pages(house), house)
    link = f"/enter?key={house.keys.new()}"
    assert "Welcome" in visitor.follow(visitor.get(link)).text
    stranger = Visitor(visitor.app, house)
    refused = stranger.get(link)
    assert refused.status_code == 403
    assert "used already" in refused.text
    assert not stranger.cookies


def test_the_cookie_is_out_of_reach_of_scripts_and_other_sites(house: House) -> None:
    visitor = Visitor(create_pages(house), house)
    cookie = visitor.get(f"/enter?key={house.keys.new()}").headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert "path=/" in cookie


@pytest.mark.parametrize("path", ["/", "/me", "/unlock/spk-x", "/new", "/nothing"])
def test_without_a_session_there_is_the_entrance_and_nothing_else(house: House, mei: str, path: str) -> None:
    del mei
    visitor = Visitor(create_pages(house), house)
    answer = visitor.get(path)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/enter"
    assert "Mei" not in visitor.follow(answer).text


def test_without_a_session_nothing_can_be_posted(house: House) -> None:
    visitor = Visitor(create_pages(house), house)
    assert visitor.post("/lock").headers["location"] == "/enter"


@pytest.mark.parametrize(
    ("headers", "peer", "host"),
    [
        ({}, "192.168.1.7", HOST),
        ({}, "127.0.0.1", "evil.example:8573"),
        ({}, "127.0.0.1", "127.0.0.1:1"),
        ({"Origin": "http://evil.example"}, "127.0.0.1", HOST),
        ({"Origin": "null"}, "127.0.0.1", HOST),
    ],
)
def test_other_machines_names_and_pages_get_nothing(visitor: Visitor, mei: str, headers: dict[str, str], peer: str, host: str) -> None:
    del mei
    answer = visitor.request("GET", "/", headers=headers, peer=peer, host=host)
    assert answer.status_code == 403
    assert "Mei" not in answer.text


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}, {"Sec-Fetch-Site": "none"}])
def test_a_form_of_another_site_changes_nothing(visitor: Visitor, mei: str, headers: dict[str, str]) -> None:
    visitor.post(f"/unlock/{mei}", {"pin": "2468"})
    assert visitor.post("/lock", headers=headers).status_code == 403
    assert "Mei" in visitor.get("/").text


@pytest.mark.parametrize("token", ["", "wrong"])
def test_a_form_without_its_token_changes_nothing(visitor: Visitor, mei: str, token: str) -> None:
    answer = visitor.post(f"/unlock/{mei}", {"pin": "2468"}, token=token)
    assert answer.status_code == 400
    assert visitor.house.unlocked(visitor.house.browsers.each()[0].state) is None


def test_every_post_needs_a_token(visitor: Visitor) -> None:
    """No route is forgotten: each one answers 400 without the token, or leads back to the beginning because nobody is unlocked."""
    paths = [route.path for subject in SUBJECTS for route in subject.router.routes if "POST" in route.methods]
    assert len(paths) > 3
    for path in paths:
        address = path.replace("{", "").replace("}", "")
        answer = visitor.post(address, token="wrong")
        beginning = answer.status_code == 303 and answer.headers["location"] == "/"
        assert answer.status_code == 400 or beginning, path


def test_a_pin_unlocks_and_a_wrong_one_does_not(visitor: Visitor, mei: str) -> None:
    page = visitor.follow(visitor.post(f"/unlock/{mei}", {"pin": "1357"}))
    assert 'role="alert"' in page.text
    assert "1357" not in page.text
    assert visitor.post(f"/unlock/{mei}", {"pin": "2468"}).headers["location"] == "/me"
    assert "/lock" in visitor.get("/").text


def test_whoever_is_not_used_is_locked(visitor: Visitor, mei: str, clock: Clock) -> None:
    visitor.post(f"/unlock/{mei}", {"pin": "2468"})
    clock.now += LOCKED_AFTER_S - 1
    assert 'action="/lock"' in visitor.get("/").text
    clock.now += LOCKED_AFTER_S + 1
    assert 'action="/lock"' not in visitor.get("/").text


def test_a_page_that_asks_by_itself_keeps_nobody_unlocked(visitor: Visitor, mei: str, clock: Clock) -> None:
    visitor.post(f"/unlock/{mei}", {"pin": "2468"})
    for _ in range(4):
        clock.now += LOCKED_AFTER_S / 3
        visitor.get("/", headers={"X-Part": "1"})
    assert 'action="/lock"' not in visitor.get("/").text


def test_idle_people_are_locked_although_nobody_asks(visitor: Visitor, mei: str, clock: Clock) -> None:
    visitor.post(f"/unlock/{mei}", {"pin": "2468"})
    room = visitor.house.browsers.each()[0].state.room
    assert room is not None
    clock.now += LOCKED_AFTER_S + 1
    visitor.house.lock_idle()
    assert not room.is_open


def test_whoever_was_forgotten_by_another_process_is_gone(visitor: Visitor, mei: str) -> None:
    visitor.post(f"/unlock/{mei}", {"pin": "2468"})
    visitor.house.vault().revoke(mei)
    page = visitor.get("/")
    assert "Mei" not in page.text


def test_locking_and_leaving(visitor: Visitor, mei: str) -> None:
    visitor.post(f"/unlock/{mei}", {"pin": "2468"})
    room = visitor.house.browsers.each()[0].state.room
    assert room is not None
    assert "Locked" in visitor.follow(visitor.post("/lock")).text
    assert not room.is_open
    visitor.post("/leave")
    assert visitor.get("/").headers["location"] == "/enter"


def test_a_session_ends_by_itself(visitor: Visitor, clock: Clock) -> None:
    clock.now += SESSION_GOOD_FOR_S + 1
    assert visitor.get("/").headers["location"] == "/enter"


def test_the_language_is_switched_where_one_is_and_what_was_typed_stays(visitor: Visitor, mei: str) -> None:
    del mei
    answer = visitor.post("/language", {"to": "zh", "back": "/", "kept.name": "梅", "kept.pin": "2468"})
    assert answer.headers["location"] == "/"
    flash = visitor.house.browsers.each()[0].state.flash
    assert flash is not None
    assert flash.typed == {"name": "梅"}
    assert "欢迎" in visitor.get("/").text


@pytest.mark.parametrize("back", ["//evil.example", "http://evil.example", "/\\evil.example", "", "x"])
def test_the_language_switch_leads_nowhere_else(visitor: Visitor, back: str) -> None:
    assert visitor.post("/language", {"to": "en", "back": back}).headers["location"] == "/"


def test_pages_are_not_kept_and_load_nothing_from_elsewhere(visitor: Visitor) -> None:
    page = visitor.get("/")
    assert page.headers["cache-control"] == "no-store"
    assert "default-src 'none'" in page.headers["content-security-policy"]
    addresses = [part.split('"')[0] for part in page.text.split('href="')[1:] + page.text.split('src="')[1:]]
    assert all(address.startswith(("/", "#")) for address in addresses)
    style = next(address for address in addresses if address.endswith(".css"))
    assert "immutable" in visitor.get(style).headers["cache-control"]
    assert visitor.get("/static/0/hometone.css").status_code == 404


def test_what_is_not_there_is_said_in_words(visitor: Visitor) -> None:
    answer = visitor.get("/nothing")
    assert answer.status_code == 404
    assert "no such page" in answer.text


def test_nothing_is_made_on_the_disk_by_looking(visitor: Visitor) -> None:
    visitor.get("/")
    assert not visitor.house.home.exists()


@pytest.mark.parametrize("content", [b"--x\r\n", b"", b'--x\r\nContent-Disposition: form-data; name="_token"\r\n\r\n' + b"a" * 4096])
def test_damaged_forms_are_refused(visitor: Visitor, content: bytes) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x", "Origin": ORIGIN}
    assert visitor.request("POST", "/lock", headers=headers, content=content).status_code == 400
    assert visitor.request("POST", "/lock", headers={"Content-Type": "text/plain", "Origin": ORIGIN}, content=content).status_code == 400


def test_a_form_that_is_too_large_is_refused(visitor: Visitor) -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=x", "Origin": ORIGIN, "Content-Length": str(1 << 40)}
    assert visitor.request("POST", "/lock", headers=headers, content=b"x").status_code == 413
