"""The real `hometone` command, watched: started by tests with a folder for what is seen, and the words of the command.

    python observed_laptop.py FOLDER --home HOME node

Nothing is replaced; two things are looked at. (1) Every byte that this process hands to TLS, and every byte that it writes to a plain
socket of the network: `FOLDER/sent.jsonl`, one line a write, with the connection's number, whether it was TLS, and where it goes. (2) What
must not be among it: every speaker's update before and after clipping, and every device's vector before and after the noise:
`FOLDER/secret-<n>.npz`.
"""

import base64
import functools
import json
import socket
import ssl
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


class Observer:
    """Writes down what it sees."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._sent = (folder / "sent.jsonl").open("a", encoding="ascii")
        self._lock = threading.Lock()
        self._numbers: dict[int, tuple[object, int]] = {}
        self._secrets = 0

    def sent(self, connection: socket.socket, data: bytes, *, tls: bool) -> None:
        with self._lock:
            # The object is kept, so that its id stays its own.
            _, number = self._numbers.setdefault(id(connection), (connection, len(self._numbers)))
            line = {"connection": number, "tls": tls, "to": _peer(connection), "data": base64.b64encode(data).decode("ascii")}
            self._sent.write(json.dumps(line) + "\n")
            self._sent.flush()

    def secret(self, **arrays: Any) -> None:
        with self._lock:
            self._secrets += 1
            np.savez(self._folder / f"secret-{self._secrets}.npz", **{name: np.array(value) for name, value in arrays.items()})


def _peer(connection: socket.socket) -> str:
    try:
        host, port = connection.getpeername()[:2]
    except OSError:
        return "nowhere"
    return f"{host}:{port}"


def watch_sockets(observer: Observer) -> None:
    """(1) `SSLSocket.sendall` and `sendfile` go through `send`, and that through the TLS object or, without one, the plain socket."""

    def watched(kind: type, name: str, *, tls: bool) -> None:
        original = getattr(kind, name)

        @functools.wraps(original)
        def send(self: socket.socket, data: Any, *rest: Any) -> Any:
            whole = b"".join(data) if name == "sendmsg" else bytes(data)
            taken = original(self, data, *rest)
            if tls or (not isinstance(self, ssl.SSLSocket) and self.family in {socket.AF_INET, socket.AF_INET6}):
                observer.sent(self, whole if taken is None else whole[:taken], tls=tls)
            return taken

        setattr(kind, name, send)

    for name in ("send", "write"):
        watched(ssl.SSLSocket, name, tls=True)
    for name in ("send", "sendall", "sendto", "sendmsg"):
        watched(socket.socket, name, tls=False)


def watch_updates(observer: Observer) -> None:
    """(2) Around the two functions that make an update exact and noisy, where rounds call them."""
    from hometone_client.federation import contribution, participation

    encode: Callable[..., Any] = contribution.encode
    add_noise: Callable[..., Any] = participation.add_noise

    @functools.wraps(encode)
    def watched_encode(update: Any, **settings: Any) -> Any:
        clipped = encode(update, **settings)
        observer.secret(update=update, own=clipped.values)
        return clipped

    @functools.wraps(add_noise)
    def watched_add_noise(update: Any, **settings: Any) -> Any:
        noisy = add_noise(update, **settings)
        observer.secret(clipped=update.values, noisy=noisy.residues, plan=settings["plan_digest"])
        return noisy

    contribution.encode = watched_encode
    participation.add_noise = watched_add_noise


def main() -> None:
    observer = Observer(Path(sys.argv[1]))
    watch_sockets(observer)
    watch_updates(observer)
    from hometone_client.cli.entrance import run

    sys.exit(run(sys.argv[2:]))


if __name__ == "__main__":
    main()
