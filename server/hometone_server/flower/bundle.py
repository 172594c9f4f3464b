"""The application bundle (FAB): what Flower calls the program of a run, and what every run names by its hash.

Laptops never run it; they pin its hash. The coordinator's executor runs it after it has compared the hash with that of the bundle it has on
disk. So that two machines with the same files have the same hash, the archive is built here, stored and not deflated (compressors differ),
with fixed dates, in the order of the names. Flower reads it like its own (contract test).
"""

import hashlib
import io
import tomllib
import zipfile
from pathlib import Path, PurePosixPath
from typing import Any, Final

import hometone_server
from hometone_shared.errors import FederationError

CONFIG_FILE: Final = "pyproject.toml"
_CONTENT: Final = ".info/CONTENT"
_DATE: Final = (2026, 1, 1, 0, 0, 0)
_UNIX: Final = 3
_MOST_BYTES: Final = 1 << 20


def default_bundle() -> Path:
    """The folder of this coordinator's own bundle: `server/federation` of the checkout that it runs from."""
    return Path(hometone_server.__file__).resolve().parents[1] / "federation"


def bundle_contents(folder: Path) -> dict[str, bytes]:
    """Name and content of every file that the bundle holds: its configuration and the Python files beside it, nothing else.

    Raises:
        FederationError: There is no bundle, it is too large, or it holds something that is not a plain Python file.
    """
    try:
        found = sorted(path for path in folder.rglob("*") if "__pycache__" not in path.parts and not path.is_dir())
        if any(path.is_symlink() or (path.suffix != ".py" and path != folder / CONFIG_FILE) for path in found):
            raise FederationError(
                "the bundle holds a file that does not belong there", hint="it is its pyproject.toml and Python files only"
            )
        contents = {PurePosixPath(path.relative_to(folder)).as_posix(): path.read_bytes() for path in found}
    except OSError as error:
        raise FederationError("the bundle cannot be read", hint="start the coordinator from a complete checkout") from error
    if CONFIG_FILE not in contents:
        raise FederationError("there is no bundle", hint="start the coordinator from a complete checkout")
    if sum(map(len, contents.values())) > _MOST_BYTES:
        raise FederationError("the bundle is too large")
    return contents


def build_bundle(folder: Path) -> bytes:
    """The archive: one byte string for one set of files.

    Raises:
        FederationError: As `bundle_contents`.
    """
    contents = bundle_contents(folder)
    names = [CONFIG_FILE, *(name for name in contents if name != CONFIG_FILE)]
    # Flower's list: path, SHA-256, size in bits.
    lines = [f"{name},{hashlib.sha256(contents[name]).hexdigest()},{len(contents[name]) * 8}" for name in names]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_STORED) as archive:
        for name, data in [*((name, contents[name]) for name in names), (_CONTENT, "\n".join(lines).encode())]:
            entry = zipfile.ZipInfo(name, date_time=_DATE)
            entry.create_system, entry.external_attr = _UNIX, 0o100644 << 16
            archive.writestr(entry, data)
    return out.getvalue()


def bundle_sha256(folder: Path | None = None) -> str:
    """SHA-256 of the archive, hexadecimal: what descriptors, plans and runs name.

    Raises:
        FederationError: As `bundle_contents`.
    """
    return hashlib.sha256(build_bundle(folder or default_bundle())).hexdigest()


def bundle_settings(folder: Path) -> tuple[str, dict[str, Any]]:
    """`module:attribute` of the ServerApp, and the run's settings with their defaults.

    Raises:
        FederationError: The configuration does not have them.
    """
    try:
        app = tomllib.loads(bundle_contents(folder)[CONFIG_FILE].decode())["tool"]["flwr"]["app"]
        return str(app["components"]["serverapp"]), dict(app.get("config", {}))
    except (ValueError, KeyError, TypeError) as error:
        raise FederationError("the bundle's configuration cannot be read") from error
