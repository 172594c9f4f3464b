"""Each package's wheel holds its own package, all of its data, and nothing of its neighbours."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("shared", "keys", "client", "server")


@pytest.mark.parametrize("folder", PACKAGES)
def test_wheel_holds_its_package_and_nothing_else(folder: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    package = ROOT / folder / f"hometone_{folder}"
    wanted = {path for path in package.rglob("*") if path.is_file() and "__pycache__" not in path.parts}
    for path in [*wanted, ROOT / folder / "pyproject.toml"]:
        target = source / path.relative_to(ROOT / folder)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(path.read_bytes())
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        "--wheel-dir",
        str(tmp_path),
        str(source),
    ]
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names == {path.relative_to(ROOT / folder).as_posix() for path in wanted}
    assert f"hometone_{folder}/py.typed" in names
