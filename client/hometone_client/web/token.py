"""The bearer token of the local API: random, new at each start, readable by the user alone."""

import os
import secrets
from pathlib import Path

from hometone_shared.errors import StorageError


def new_token() -> str:
    """Return 256 random bits as URL-safe text."""
    return secrets.token_urlsafe(32)


def write_token(path: Path, token: str) -> None:
    """Write the token where programs of the same user can read it (mode 0600; on Windows the folder's own rights apply).

    A file that is already there is replaced, never written into: its old mode does not matter, and a link is not followed.

    Raises:
        StorageError: The folder cannot be written.
    """
    fresh = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                file.write(token + "\n")
            fresh.replace(path)
        finally:
            fresh.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError("the token of the local API cannot be written", hint="choose a folder that you may write to") from error
