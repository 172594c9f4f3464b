"""Who may speak to a server on loopback, and what its pages may do (docs/pages.md, section 2). Decides; knows no web framework.

* The peer is on this machine, and the Host header names this machine and this port: a page that rebinds its own name to 127.0.0.1 still
  sends its own name (DNS rebinding).
* No Origin but our own. What changes something must moreover come from a page of ours: browsers say so in `Origin` or `Sec-Fetch-Site`, and
  pages of others cannot choose what these say.
* What a page may load is named by the content security policy: our own files, and nothing from inside the page.

What it may see: headers and addresses. What it must never do: let somebody in because a header is missing.
"""

import ipaddress
from collections.abc import Mapping
from typing import Final

LOOPBACK_NAMES: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})
CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; media-src 'self' blob:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
PAGE_HEADERS: Final[Mapping[str, str]] = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""Headers of every page. The browser itself needs no microphone: the laptop records. With `no-referrer` forms would say `Origin: null`."""
_SAFE_METHODS: Final = frozenset({"GET", "HEAD"})


def is_loopback(address: str) -> bool:
    """Whether a peer's address is of this machine."""
    try:
        return ipaddress.ip_address(address).is_loopback
    except ValueError:
        return False


def names_this_server(host: str, *, port: int) -> bool:
    """Whether a Host header names this machine and the server's port.

    Args:
        host: The header.
        port: Where the server listens.
    """
    name, separator, told = host.lower().rpartition(":")
    if not separator or host.endswith("]"):
        name, told = host.lower(), "80"
    return name in LOOPBACK_NAMES and told == str(port)


def is_foreign(origin: str | None, *, scheme: str, host: str) -> bool:
    """Whether a request says that it comes from a page of somebody else."""
    return origin is not None and origin != f"{scheme}://{host}"


def may_change(method: str, *, origin: str | None, fetch_site: str | None, scheme: str, host: str) -> bool:
    """Whether a request may change something: it reads only, or shows that it comes from a page of ours.

    Args:
        method: Of the request.
        origin: Its `Origin`.
        fetch_site: Its `Sec-Fetch-Site`.
        scheme: Of the server.
        host: The Host header, checked before.
    """
    if method in _SAFE_METHODS:
        return True
    if fetch_site is not None and fetch_site != "same-origin":
        return False
    return fetch_site == "same-origin" or (origin is not None and not is_foreign(origin, scheme=scheme, host=host))
