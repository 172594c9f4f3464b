"""Whether a request to pages on loopback is heard at all (docs/pages.md, section 2, rules 1 and 2). Decides; knows no web framework.

1. The peer is on this machine, exactly one Host header names it, and no other origin asks; pages of others may lead here, and load nothing,
   not even without reading it. 2. What changes something comes from a page of ours. 3. It says a length that is within bounds, or none.

What it may see: addresses and headers. What it must never do: look at a body, or let somebody in because a header is missing.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Final

from hometone_shared.pages.access import is_foreign, is_loopback, may_change, names_this_server

_FORBIDDEN, _TOO_LARGE = 403, 413
_LONGEST_LENGTH: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is known of a request before its body is read.

    Attributes:
        method: GET, POST, ...
        scheme: Of the server.
        peer: Address of whoever asks; None if unknown.
        port: Where the server listens; None if unknown.
        hosts: All Host headers.
        origin: The Origin header.
        fetch_site: The Sec-Fetch-Site header.
        fetch_dest: The Sec-Fetch-Dest header.
        length: The Content-Length header, or "0".
    """

    method: str
    scheme: str
    peer: str | None
    port: int | None
    hosts: Sequence[str]
    origin: str | None
    fetch_site: str | None
    length: str
    fetch_dest: str | None = None


def refusal(asked: Asked, *, most_bytes: int) -> tuple[int, str] | None:
    """Status and text of a refusal; None if the request is heard.

    Args:
        asked: The request.
        most_bytes: How long its body may be.
    """
    if asked.peer is None or not is_loopback(asked.peer):  # (1)
        return _FORBIDDEN, "this server answers this computer only"
    if len(asked.hosts) != 1 or asked.port is None or not names_this_server(asked.hosts[0], port=asked.port):
        return _FORBIDDEN, "this server answers to the name of this computer only"
    host = asked.hosts[0]
    if is_foreign(asked.origin, scheme=asked.scheme, host=host) or _loads_from_elsewhere(asked):
        return _FORBIDDEN, "pages of other sites may not use this server"
    if not may_change(asked.method, origin=asked.origin, fetch_site=asked.fetch_site, scheme=asked.scheme, host=host):  # (2)
        return _FORBIDDEN, "only pages of this server may change anything"
    length = asked.length
    if not (length.isascii() and length.isdecimal()) or len(length) > _LONGEST_LENGTH or int(length) > most_bytes:  # (3)
        return _TOO_LARGE, "too large"
    return None


def _loads_from_elsewhere(asked: Asked) -> bool:
    """Whether a page of another site, or of another port, asks for something inside itself: a picture, a sound, a frame."""
    return asked.fetch_site not in {None, "same-origin", "none"} and asked.fetch_dest not in {None, "document"}


def session_name(cookies: str, *, cookie: str) -> str:
    """The name of a session in a Cookie header, or "".

    Args:
        cookies: The header.
        cookie: Name of the cookie.
    """
    try:
        found = SimpleCookie(cookies).get(cookie)
    except CookieError:
        return ""
    return found.value if found is not None else ""


def local_path(path: str) -> str:
    """A path of this server, for going back to; the beginning if it is anything else."""
    is_local = path.startswith("/") and not path.startswith("//") and "\\" not in path and path.isprintable()
    return path if is_local else "/"
