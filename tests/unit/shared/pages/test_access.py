"""Who may speak to a server on loopback."""

import pytest

from hometone_shared.pages.access import CONTENT_SECURITY_POLICY, PAGE_HEADERS, is_foreign, is_loopback, may_change, names_this_server

OURS = {"scheme": "http", "host": "127.0.0.1:8573"}


@pytest.mark.parametrize(
    ("address", "loopback"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("192.168.1.2", False), ("", False), ("localhost", False)],
)
def test_only_addresses_of_this_machine_are_loopback(address: str, *, loopback: bool) -> None:
    assert is_loopback(address) is loopback


@pytest.mark.parametrize(
    ("host", "ours"),
    [
        ("127.0.0.1:8573", True),
        ("LOCALHOST:8573", True),
        ("[::1]:8573", True),
        ("127.0.0.1", False),
        ("127.0.0.1:80", False),
        ("evil.example:8573", False),
        ("127.0.0.1.evil.example:8573", False),
        ("[::1]", False),
        ("", False),
    ],
)
def test_the_host_header_names_this_machine_and_port(host: str, *, ours: bool) -> None:
    assert names_this_server(host, port=8573) is ours


@pytest.mark.parametrize("host", ["localhost", "[::1]", "127.0.0.1"])
def test_without_a_port_the_usual_one_is_meant(host: str) -> None:
    assert names_this_server(host, port=80)


@pytest.mark.parametrize("origin", ["null", "https://127.0.0.1:8573", "http://127.0.0.1:1", "http://evil.example", ""])
def test_another_origin_is_foreign(origin: str) -> None:
    assert is_foreign(origin, **OURS)
    assert not may_change("POST", origin=origin, fetch_site=None, **OURS)
    assert not may_change("POST", origin=origin, fetch_site="cross-site", **OURS)


def test_our_own_pages_may_change_something() -> None:
    ours = "http://127.0.0.1:8573"
    assert not is_foreign(ours, **OURS)
    assert not is_foreign(None, **OURS)
    assert may_change("POST", origin=ours, fetch_site=None, **OURS)
    assert may_change("POST", origin=None, fetch_site="same-origin", **OURS)
    assert may_change("GET", origin=None, fetch_site=None, **OURS)


@pytest.mark.parametrize("fetch_site", ["cross-site", "same-site", "none", ""])
def test_what_does_not_come_from_a_page_of_ours_changes_nothing(fetch_site: str) -> None:
    assert not may_change("POST", origin="http://127.0.0.1:8573", fetch_site=fetch_site, **OURS)
    assert not may_change("POST", origin=None, fetch_site=None, **OURS)


def test_pages_load_nothing_from_elsewhere_and_nothing_inline() -> None:
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert "http" not in CONTENT_SECURITY_POLICY
    assert PAGE_HEADERS["Cache-Control"] == "no-store"
