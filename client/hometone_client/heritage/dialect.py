"""A dialect pack as parts of an archive: the files of a folder, as they lie there.

An archive holds the pack itself and not only its name, because who opens it in twenty years will not have the Hometone of today. What it
may see: one folder that somebody named, or a pack that Hometone carries. What it must never do: follow a link out of it.
"""

import os
from importlib import resources
from pathlib import Path
from typing import Final

from hometone_client.heritage.contents import DIALECT, LONGEST_DIALECT, MOST_DIALECT_FILES
from hometone_shared.errors import UsageError

_CARRIED: Final = "hometone_client.dialects"


def pack_folder(pack: str) -> Path:
    """The folder of a pack: one that Hometone carries, by its name, or any other.

    Args:
        pack: Name or folder.

    Raises:
        UsageError: There is none.
    """
    if pack.replace("-", "").replace("_", "").isalnum():
        try:
            carried = Path(str(resources.files(_CARRIED).joinpath("data", pack)))
        except ModuleNotFoundError:
            carried = Path()
        if carried.is_dir() and carried != Path():
            return carried
    folder = Path(pack)
    if not folder.is_dir():
        raise UsageError("there is no dialect pack of that name, and no such folder", hint="give the folder of the pack")
    return folder


def pack_files(folder: Path) -> dict[str, bytes]:
    """The files of a pack, by the names that they have in an archive.

    Hidden files and compiled Python are left out; whether the names are fit for an archive, `Contents` says.

    Args:
        folder: As `pack_folder` gives it.

    Raises:
        UsageError: It is empty, cannot be read, is too large, or holds a link.
    """
    found: dict[str, bytes] = {}
    left = LONGEST_DIALECT
    try:
        for path in sorted(_files(folder)):
            data = path.read_bytes() if path.stat().st_size <= left else None
            if data is None or len(found) == MOST_DIALECT_FILES:
                raise UsageError("the dialect pack is too large for an archive", hint="a pack is word lists and tables, not sound")
            found[DIALECT + path.relative_to(folder).as_posix()] = data
            left -= len(data)
    except OSError as error:
        raise UsageError("the dialect pack cannot be read", hint="check its folder and its permissions") from error
    if not found:
        raise UsageError("the folder of the dialect pack is empty", hint="give the folder that holds its files")
    return found


def _files(folder: Path) -> list[Path]:
    files = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith((".", "__"))]
        for name in (*names, *folders):
            if (Path(place) / name).is_symlink():
                raise UsageError("the dialect pack holds a link", hint="put the file itself in its place")
        files += [Path(place) / name for name in names if not name.startswith((".", "__"))]
    return files
