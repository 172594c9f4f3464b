"""The icon, and finding pages that run."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from hometone_client.pages.desktop import icons, write_icons
from hometone_client.pages.running import FILE, running_pages, told_running
from hometone_shared.errors import StorageError, UsageError

HOME = Path("/home/mei/my home $HOME `date` 100%")


def test_a_desktop_entry_opens_this_very_home(tmp_path: Path) -> None:
    desktop = tmp_path / "Desktop"
    desktop.mkdir()
    written = write_icons(icons(HOME, platform="linux", desktop=desktop, programs=tmp_path / "share" / "applications"))
    assert len(written) == 3
    entry = (desktop / "hometone.desktop").read_text(encoding="utf-8")
    line = next(each for each in entry.splitlines() if each.startswith("Exec="))
    assert '\\$HOME \\`date\\` 100%%"' in line
    assert "Name[zh_CN]=乡音" in entry
    assert (desktop / "hometone.desktop").stat().st_mode & 0o100
    picture = next(each for each in entry.splitlines() if each.startswith("Icon=")).removeprefix("Icon=")
    assert Path(picture).read_text(encoding="utf-8").startswith("<svg")


def test_the_shell_of_a_mac_reads_the_line_as_it_is_meant(tmp_path: Path) -> None:
    (path,) = write_icons(icons(HOME, platform="darwin", desktop=tmp_path))
    line = path.read_text(encoding="utf-8").splitlines()[-1].removeprefix("exec ")
    assert shlex.split(line)[-1] == str(HOME)


def test_windows_gets_a_batch_file(tmp_path: Path) -> None:
    (path,) = write_icons(icons(HOME, platform="win32", desktop=tmp_path))
    assert f'"{HOME}"' in path.read_text(encoding="utf-8")


def test_the_line_works(tmp_path: Path) -> None:
    (path,) = write_icons(icons(tmp_path, platform="darwin", desktop=tmp_path))
    line = shlex.split(path.read_text(encoding="utf-8").splitlines()[-1].removeprefix("exec "))
    assert line[0] == sys.executable
    assert subprocess.run([*line, "--help"], capture_output=True, timeout=60, check=False).returncode == 0


def test_a_file_of_somebody_else_stays(tmp_path: Path) -> None:
    (tmp_path / "Hometone.bat").write_text("echo mine")
    with pytest.raises(UsageError, match="another file"):
        write_icons(icons(HOME, platform="win32", desktop=tmp_path))
    assert (tmp_path / "Hometone.bat").read_text() == "echo mine"


def test_an_icon_of_ours_is_made_anew(tmp_path: Path) -> None:
    for _ in range(2):
        write_icons(icons(HOME, platform="win32", desktop=tmp_path))


def test_a_desktop_that_is_no_folder_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        write_icons(icons(HOME, platform="win32", desktop=tmp_path / "file" / "Desktop"))


def test_pages_are_told_while_they_run_and_forgotten_afterwards(tmp_path: Path) -> None:
    home = tmp_path / "home"
    with told_running(home, url="http://127.0.0.1:1", token="t" * 43):
        assert (home / FILE).stat().st_mode & 0o077 == 0
    assert not (home / FILE).exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b'{"url": 5}',
        json.dumps({"url": "http://evil.example:80", "token": "x"}).encode(),
        json.dumps({"url": "http://127.0.0.1:99999", "token": "x"}).encode(),
        json.dumps({"url": "file:///etc/passwd", "token": "x"}).encode(),
        json.dumps({"url": "http://127.0.0.1:1", "token": "x\r\nHost: y"}).encode(),
    ],
)
def test_a_damaged_or_foreign_file_leads_nowhere(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    assert running_pages(tmp_path) is None
