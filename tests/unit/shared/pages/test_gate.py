"""Whom the pages' gate hears, and whom it turns away before a body is read."""

import dataclasses

import pytest

from hometone_shared.pages.flash import Flash
from hometone_shared.pages.gate import Asked, local_path, refusal, session_name

OURS = Asked(
    method="POST",
    scheme="http",
    peer="127.0.0.1",
    port=8574,
    hosts=["127.0.0.1:8574"],
    origin="http://127.0.0.1:8574",
    fetch_site="same-origin",
    length="10",
)


def status(**changes):
    told = refusal(dataclasses.replace(OURS, **changes), most_bytes=100)
    return None if told is None else told[0]


def test_a_form_of_ours_is_heard_and_so_is_a_plain_visit():
    assert status() is None
    assert status(method="GET", origin=None, fetch_site=None, length="0") is None
    assert status(method="GET", origin=None, fetch_site="cross-site", length="0") is None  # a link elsewhere may lead here
    assert status(method="GET", origin=None, fetch_site="same-site", fetch_dest="document", length="0") is None
    assert status(method="GET", origin=None, fetch_site="same-origin", fetch_dest="image", length="0") is None
    assert status(method="GET", origin=None, fetch_site="none", fetch_dest="audio", length="0") is None


@pytest.mark.parametrize("site", ["same-site", "cross-site", "x"])
@pytest.mark.parametrize("dest", ["image", "audio", "iframe", "empty", "x", ""])
def test_a_page_of_another_site_or_port_loads_nothing_from_here(site, dest):
    assert status(method="GET", origin=None, fetch_site=site, fetch_dest=dest, length="0") == 403


@pytest.mark.parametrize(
    "changes",
    [
        {"peer": "192.0.2.7"},
        {"peer": None},
        {"port": None},
        {"hosts": []},
        {"hosts": ["127.0.0.1:8574", "127.0.0.1:8574"]},
        {"hosts": ["evil.example:8574"]},
        {"hosts": ["127.0.0.1:9999"]},
        {"origin": "http://evil.example"},
        {"origin": "null"},
        {"origin": None, "fetch_site": None},
        {"fetch_site": "cross-site"},
        {"fetch_site": "none"},
    ],
)
def test_everybody_else_is_turned_away(changes):
    assert status(**changes) == 403


@pytest.mark.parametrize("length", ["101", "-1", "x", "", "٣", "9" * 13, "9" * 5000])
def test_a_body_that_is_too_long_or_says_no_length_is_not_read(length):
    assert status(length=length) == 413


def test_a_session_is_found_among_cookies_and_nowhere_in_nonsense():
    assert session_name("a=1; hometone=abc; b=2", cookie="hometone") == "abc"
    assert session_name("a=1", cookie="hometone") == ""
    assert session_name("", cookie="hometone") == ""
    assert session_name("a=1;;;[=\x00", cookie="hometone") == ""


def test_a_cookie_that_cannot_be_read_is_no_session(monkeypatch):
    from http import cookies

    monkeypatch.setattr("hometone_shared.pages.gate.SimpleCookie", lambda _text: (_ for _ in ()).throw(cookies.CookieError("no")))
    assert session_name("x", cookie="hometone") == ""


@pytest.mark.parametrize(
    ("asked", "goes"),
    [("/rounds", "/rounds"), ("//evil.example", "/"), ("https://evil.example", "/"), ("/\\evil", "/"), ("/a\nb", "/"), ("", "/")],
)
def test_going_back_stays_here(asked, goes):
    assert local_path(asked) == goes


def test_what_a_page_leaves_is_empty_unless_said():
    left = Flash(path="/")
    assert (left.notice, dict(left.values), left.error, dict(left.typed)) == ("", {}, None, {})
