"""`run.py`, which has to work before anything is installed: standard library only, resumable, plain words."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("hometone_run", ROOT / "run.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, "hometone_run", module)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "STAMPS", tmp_path / "stamps.json")
    return module


def test_help_needs_nothing_but_the_standard_library() -> None:
    command = [sys.executable, "-I", "-S", str(ROOT / "run.py"), "--help"]
    shown = subprocess.run(command, capture_output=True, encoding="utf-8", check=True).stdout
    for word in ("demo", "test", "setup", "examples:"):
        assert word in shown


def test_every_pinned_package_is_installed_by_exactly_one_step(run: ModuleType) -> None:
    steps = {step.name: step for step in run.install_steps()}
    lists = [line for name in ("build", "speaking", "adapting", "federating", "models", "testing") for line in run.pinned(name)]
    installed = [line for name, step in steps.items() if name != "hometone" for line in step.lines]
    assert sorted(lists) == sorted(installed)
    assert steps["torch"].lines == ("torch==2.13.0",)


def test_a_step_is_done_again_when_its_list_changes(run: ModuleType) -> None:
    step = run.InstallStep(name="speaking", title="x", lines=("numpy==2.4.6",))
    other = run.InstallStep(name="speaking", title="x", lines=("numpy==2.4.7",))
    assert step.fingerprint() != other.fingerprint()
    run.write_stamps({"speaking": step.fingerprint()})
    assert run.read_stamps() == {"speaking": step.fingerprint()}


def test_a_broken_stamp_file_means_that_nothing_is_known(run: ModuleType) -> None:
    run.STAMPS.write_text('{"speaking": ', encoding="utf-8")
    assert run.read_stamps() == {}
    assert not run.STAMPS.with_suffix(".new").exists()


@pytest.mark.parametrize(
    ("system", "machine", "first", "tries"),
    [
        ("linux", "x86_64", "torch==2.13.0+cpu", 3),
        ("linux", "aarch64", "torch==2.13.0", 1),
        ("darwin", "arm64", "torch==2.13.0", 1),
        ("win32", "AMD64", "torch==2.13.0", 1),
    ],
)
def test_cuda_is_never_asked_for_first(
    run: ModuleType, monkeypatch: pytest.MonkeyPatch, system: str, machine: str, first: str, tries: int
) -> None:
    monkeypatch.setattr(run.sys, "platform", system)
    monkeypatch.setattr(run.platform, "machine", lambda: machine)
    attempts = [arguments for _, arguments in run.torch_attempts("torch==2.13.0")]
    assert len(attempts) == tries
    assert attempts[0][-1] == first
    assert all("--no-deps" in arguments for arguments in attempts)


@pytest.mark.parametrize(
    ("line", "hint"),
    [
        ("ERROR: No matching distribution found for numpy==2.4.6", "no such version"),
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        ("Failed to establish a new connection: Temporary failure in name resolution", "no connection"),
        ("error: command 'gcc' failed: No such file or directory", "no compiler"),
        ("something else", "start again"),
    ],
)
def test_failures_of_pip_are_explained(run: ModuleType, line: str, hint: str) -> None:
    step = run.InstallStep(name="speaking", title="recording", lines=())
    stop = run.explain_pip(step, last_lines=["...", line])
    assert hint in stop.hint
    assert line in str(stop)


def test_all_checks_run_and_the_first_failure_decides(run: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    codes = (0, 3, 0, 5)
    fake = tuple(
        run.Check(name=f"c{number}", title="x", command=(sys.executable, "-c", f"import sys; sys.exit({code})"))
        for number, code in enumerate(codes)
    )
    monkeypatch.setattr(run, "checks", lambda: fake)
    assert run.run_checks([]) == 3
    assert run.run_checks(["c0"]) == 0


def test_too_old_a_python_is_refused_in_words(run: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "OLDEST_PYTHON", (99, 0))
    with pytest.raises(run.StopError, match="newer is needed"):
        run.require_python()


def test_interrupting_is_130(run: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    def interrupt() -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(run, "setup", interrupt)
    assert run.main(["setup"]) == 130
    assert "goes on from here" in capsys.readouterr().err


def test_ci_calls_the_command_of_the_readme() -> None:
    assert "run.py test" in (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert "python3 run.py demo" in readme
    assert "python3 run.py test" in readme


def test_the_sample_is_what_its_tables_say() -> None:
    for table in (ROOT / "sample").glob("*/takes.csv"):
        rows = table.read_text(encoding="utf-8").splitlines()[1:]
        assert {path.name for path in table.parent.glob("*.flac")} == {row.split(",")[0] for row in rows}
    assert json.dumps(sorted(path.parent.name for path in (ROOT / "sample").glob("*/takes.csv"))) == '["allison", "carlo"]'
