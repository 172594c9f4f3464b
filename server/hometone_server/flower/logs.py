"""Logs of the coordinator's processes: one file each below `logs/`, rotated, without keys and without addresses of laptops.

What it may see: whatever Flower, uvicorn and this room log. What it must never do: write a key, a token or a network address to the disk:
every line passes through `redacted` first. Flower logs a refused laptop's whole public key, for instance.
"""

import logging
import logging.handlers
import re
from pathlib import Path
from typing import Final

_MOST_BYTES: Final = 1 << 20
_BACKUPS: Final = 3
_SECRETS: Final = (
    re.compile(r"-----BEGIN [A-Z ]+-----.*?(?:-----END [A-Z ]+-----|$)", re.DOTALL),
    re.compile(r"ecdsa-sha2-\S+ \S+"),
    re.compile(r"\b[0-9a-fA-F]{32,}\b"),
    re.compile(r"[A-Za-z0-9+/_-]{40,}={0,2}"),
    re.compile(r"\b(?:\d{1,3}\.){3}\d{1,3}(?::\d+)?\b"),
    re.compile(r"\[?\b(?:[0-9a-fA-F]{1,4}:){3,7}[0-9a-fA-F]{1,4}\]?(?::\d+)?"),
)


def redacted(text: str) -> str:
    """The text without keys, hashes, tokens and network addresses, in one line."""
    for pattern in _SECRETS:
        text = pattern.sub("[...]", text)
    return " ".join(text.split())


class _Redacting(logging.Formatter):
    """One line a record; of an exception its class only, since its text and its frames hold whatever they hold."""

    def format(self, record: logging.LogRecord) -> str:
        """Write a record down."""
        failed = f" ({record.exc_info[0].__name__})" if record.exc_info and record.exc_info[0] else ""
        return f"{self.formatTime(record)} {record.levelname.lower()} {record.name}: {redacted(record.getMessage())}{failed}"


def open_log(path: Path) -> None:
    """Send all of this process's logging to one file and nowhere else.

    Args:
        path: The file; its folder exists.
    """
    handler = logging.handlers.RotatingFileHandler(path, maxBytes=_MOST_BYTES, backupCount=_BACKUPS, encoding="utf-8")
    handler.setFormatter(_Redacting())
    root = logging.getLogger()
    for other in list(root.handlers):
        root.removeHandler(other)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    logging.getLogger("hometone").setLevel(logging.INFO)


def adopt_flower() -> None:
    """Take Flower's logger, which prints to the terminal by itself, into this process's log; to be called after flwr was imported."""
    flower = logging.getLogger("flwr")
    for handler in list(flower.handlers):
        flower.removeHandler(handler)
    flower.propagate = True
    flower.setLevel(logging.WARNING)
