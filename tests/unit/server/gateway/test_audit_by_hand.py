"""The program of docs/log.md, which shares no code with Hometone, agrees with the gateway, and notices what it should."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from hometone_shared.records.signing import Envelope

PAGE = Path(__file__).resolve().parents[4] / "docs" / "log.md"


@pytest.fixture
def audit(tmp_path):
    (program,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)
    (tmp_path / "audit.py").write_text(program, encoding="utf-8")

    def run(descriptor, checkpoint, *parts):
        files = {"descriptor": descriptor, "checkpoint": checkpoint, **{f"entries-{at}": part for at, part in enumerate(parts)}}
        for name, data in files.items():
            (tmp_path / name).write_bytes(data)
        command = [sys.executable, "audit.py", *files]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    return run


def test_the_program_of_the_page(gateway, home, log, audit):
    key = home.signing_key({})
    log.append_all(Envelope.sign("hometone/test/v1", {"number": number, "text": "社区 é"}, key) for number in range(11))

    def get(path):
        return gateway.ask("GET", path).content

    descriptor, note = get("/descriptor"), get("/log/checkpoint")
    parts = [get("/log/entries?first=0&last=6"), get("/log/entries?first=7&last=10")]
    result = audit(descriptor, note, *parts)
    assert (result.returncode, result.stdout) == (0, f"11 entries, {log.checkpoint().root.hex()}\n"), result.stderr
    assert "missing" in audit(descriptor, note, parts[0]).stderr
    assert "not those" in audit(descriptor, note, *reversed(parts)).stderr
    assert audit(descriptor, note.replace(b"\n11\n", b"\n12\n"), *parts).returncode != 0
    log.append(Envelope.sign("hometone/test/v1", {"number": 99}, key))
    mixed = note[: note.index(b"\n\n")] + get("/log/checkpoint")[get("/log/checkpoint").index(b"\n\n") :]
    assert "InvalidSignature" in audit(descriptor, mixed, *parts).stderr
