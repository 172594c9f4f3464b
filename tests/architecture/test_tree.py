"""What the repository may and may not contain."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SECRET_MARKS = ("BEGIN PRIVATE KEY", "BEGIN OPENSSH PRIVATE KEY", "BEGIN ENCRYPTED PRIVATE KEY")
HOME_PATH = re.compile(r"(?:/home/|/Users/|C:\\\\?Users\\\\?)(?!example|mei\b|somebody)[a-z0-9]+", re.IGNORECASE)
SMALL_BYTES = 3_000_000
WEIGHTS_BYTES = 20_000_000


def tracked() -> list[Path]:
    """Every file that belongs to the repository (git's list where there is a git, otherwise the tree without what is made here)."""
    git = shutil.which("git")
    if git and (ROOT / ".git").exists():
        listed = subprocess.run([git, "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout.decode()
        return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]
    made_here = {".venv", "build", "dist", "models", "demo-output", "__pycache__"}
    return [path for path in ROOT.rglob("*") if path.is_file() and not made_here & set(path.parts) and ".egg-info" not in str(path)]


def texts() -> list[tuple[Path, str]]:
    found = []
    for path in tracked():
        try:
            found.append((path, path.read_text(encoding="utf-8")))
        except UnicodeDecodeError:
            continue
    return found


def test_no_path_of_anybodys_home() -> None:
    offenders = [str(path.relative_to(ROOT)) for path, text in texts() if HOME_PATH.search(text) and path != Path(__file__)]
    assert offenders == []


def test_no_private_key_in_the_repository() -> None:
    """Requirement 46."""
    offenders = [
        str(path.relative_to(ROOT)) for path, text in texts() if path != Path(__file__) and any(mark in text for mark in SECRET_MARKS)
    ]
    assert offenders == []


def test_no_large_file_but_weights_with_a_model_card() -> None:
    large = [path for path in tracked() if path.stat().st_size > SMALL_BYTES]
    card = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
    assert [str(path.relative_to(ROOT)) for path in large if path.suffix != ".onnx" or path.name not in card] == []
    assert sum(path.stat().st_size for path in large) < WEIGHTS_BYTES


def test_recordings_lie_only_in_the_sample_with_their_licences() -> None:
    sounds = [path for path in tracked() if path.suffix.lower() in {".wav", ".flac", ".mp3", ".opus", ".ogg", ".m4a"}]
    assert sounds
    for sound in sounds:
        assert sound.parent.parent == ROOT / "sample" or sound.is_relative_to(ROOT / "tests"), sound
        if sound.parent.parent == ROOT / "sample":
            assert (sound.parent / "LICENCE.txt").is_file()
            assert (sound.parent / "ATTRIBUTION.txt").is_file()


@pytest.mark.parametrize("forbidden", ["utils", "helpers", "common", "misc", "manager"])
def test_no_module_without_a_reason(forbidden: str) -> None:
    offenders = [path for path in tracked() if path.suffix == ".py" and forbidden in (path.stem, path.parent.name)]
    assert offenders == []
