"""Finds the pages of this home if they are served already, so that a second `hometone open` shows them instead of failing.

`<home>/pages.json` holds the address and the token of the server that runs, readable by this user alone (mode 0600); it goes when the
server ends. Whoever can read it is the user whose pages they are. A file that a killed server left behind leads nowhere and is replaced;
where another user has taken the port since, it is his server that answers, and it is not believed.
"""

import http.client
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from hometone_client.pages.site import LINK_PATH
from hometone_client.web.peers import is_stranger
from hometone_client.web.server import loopback_address
from hometone_client.web.token import write_token
from hometone_shared.errors import HometoneError

FILE: Final = "pages.json"
_PATIENCE_S: Final = 3.0
_LONGEST: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """Pages that are served.

    Attributes:
        url: Their address.
        link: A fresh one-time link.
    """

    url: str
    link: str


def link_of(url: str, key: str) -> str:
    """The link that opens a session."""
    return f"{url}/enter?key={key}"


def running_pages(home: Path) -> Running | None:
    """The pages that are served for this home, if they answer."""
    try:
        fields = json.loads((home / FILE).read_bytes()[:_LONGEST])
        url, token = str(fields["url"]), str(fields["token"])
        place = urlsplit(url)
        loopback_address(place.hostname or "")
        connection = http.client.HTTPConnection(place.hostname or "", place.port or 80, timeout=_PATIENCE_S)
        try:
            connection.request("POST", LINK_PATH, headers={"Authorization": f"Bearer {token}", "Content-Length": "0"})
            peer, here = connection.sock.getpeername()[:2], connection.sock.getsockname()[:2]
            answer = connection.getresponse()
            if is_stranger(peer, here):
                return None
            body = answer.read(_LONGEST)
        finally:
            connection.close()
        if answer.status != http.client.OK:
            return None
        return Running(url=url, link=link_of(url, str(json.loads(body)["key"])))
    except (OSError, ValueError, KeyError, TypeError, HometoneError, http.client.HTTPException):
        return None


@contextmanager
def told_running(home: Path, *, url: str, token: str) -> Iterator[None]:
    """Say that the pages are served, for as long as the block lasts.

    Raises:
        StorageError: The home cannot be written.
    """
    with suppress(OSError):
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
    path = home / FILE
    text = json.dumps({"url": url, "token": token, "process": os.getpid()})
    write_token(path, text)
    try:
        yield
    finally:
        with suppress(OSError):
            if path.read_text(encoding="ascii").strip() == text:
                path.unlink()
