"""An icon that opens the pages, for people who do not type commands.

Linux: a desktop entry (freedesktop.org, Desktop Entry Specification 1.5) on the desktop and among the programs. macOS: a file that the
Finder runs. Windows: a batch file on the desktop. What it may see: where this program lies. What it must never do: replace a file that
is not ours.
"""

import shlex
import sys
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Final

import platformdirs

from hometone_shared.errors import StorageError, UsageError
from hometone_shared.pages.rendering import SHARED

_MARK: Final = "hometone open"
"""Stands in every file that was written here."""


@dataclass(frozen=True, slots=True)
class Icon:
    """A file to be written.

    Attributes:
        path: Where.
        text: What stands in it.
        executable: Whether it is run itself.
    """

    path: Path
    text: str
    executable: bool = False


def command(home: Path) -> list[str]:
    """The line that opens the pages of a home with this very program."""
    return [sys.executable, "-m", "hometone_client.cli", "open", "--home", str(home)]


def icons(home: Path, *, platform: str = sys.platform, desktop: Path | None = None, programs: Path | None = None) -> tuple[Icon, ...]:
    """The files of an icon.

    Args:
        home: The home whose pages are opened.
        platform: As `sys.platform`.
        desktop: The folder that people see; the user's by default.
        programs: Where programs are listed on Linux; the user's by default.
    """
    desktop = desktop or Path(platformdirs.user_desktop_dir())
    line = command(home)
    if platform == "win32":
        quoted = " ".join(f'"{part}"' for part in line)
        return (Icon(desktop / "Hometone.bat", f"@rem {_MARK}\r\n@{quoted}\r\n"),)
    if platform == "darwin":
        return (Icon(desktop / "Hometone.command", f"#!/bin/sh\n# {_MARK}\nexec {shlex.join(line)}\n", executable=True),)
    programs = programs or Path(platformdirs.user_data_dir()) / "applications"
    picture = programs.parent / "icons" / "hometone.svg"
    svg = resources.files(SHARED).joinpath("static", "icon.svg").read_text(encoding="utf-8")
    entry = (
        f"[Desktop Entry]\nType=Application\nVersion=1.5\nName=Hometone\nName[zh_CN]=乡音\n"
        f"Comment={_MARK}\nExec={' '.join(_desktop_quoted(part) for part in line)}\nIcon={picture}\n"
        "Terminal=true\nCategories=AudioVideo;Accessibility;\n"
    )
    return (
        Icon(picture, svg.rstrip("\n") + f"<!-- {_MARK} -->\n"),
        Icon(programs / "hometone.desktop", entry),
        *([Icon(desktop / "hometone.desktop", entry, executable=True)] if desktop.is_dir() else []),
    )


def write_icons(found: tuple[Icon, ...]) -> tuple[Path, ...]:
    """Write an icon; an older one of ours is replaced.

    Raises:
        UsageError: Something else of that name is there.
        StorageError: The disk refuses.
    """
    try:
        for icon in found:
            if icon.path.exists() and _MARK not in icon.path.read_text(encoding="utf-8", errors="replace"):
                raise UsageError(f"there is another file called {icon.path.name} already", hint="move it away and try again")
        for icon in found:
            icon.path.parent.mkdir(parents=True, exist_ok=True)
            icon.path.write_text(icon.text, encoding="utf-8", newline="")
            if icon.executable:
                icon.path.chmod(0o755)
    except OSError as error:
        raise StorageError("the icon cannot be written", hint="check that your desktop is a folder that you may write to") from error
    return tuple(icon.path for icon in found)


def _desktop_quoted(part: str) -> str:
    """An argument of `Exec`, quoted as the specification asks."""
    for letter in ("\\", '"', "`", "$"):
        part = part.replace(letter, "\\" + letter)
    return '"' + part.replace("%", "%%") + '"'
