"""The pinned lists: everything pinned, each package once, nothing that drags CUDA in, every reason written down."""

import tomllib
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).resolve().parents[2]
GROUPS = ("build", "speaking", "adapting", "federating", "models", "testing")


def pins(group: str) -> list[Requirement]:
    lines = (ROOT / "requirements" / f"{group}.txt").read_text(encoding="utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def test_every_version_is_pinned_exactly() -> None:
    for group in GROUPS:
        for pin in pins(group):
            assert [clause.operator for clause in pin.specifier] == ["=="], str(pin)


def test_each_package_stands_on_one_list() -> None:
    names = [pin.name for group in GROUPS for pin in pins(group)]
    assert sorted(names) == sorted(set(names))


def test_torch_is_the_agreed_one_and_brings_no_cuda() -> None:
    torch = [pin for group in GROUPS for pin in pins(group) if pin.name == "torch"]
    assert [str(pin) for pin in torch] == ["torch==2.13.0"]
    assert not [pin.name for group in GROUPS for pin in pins(group) if pin.name.startswith(("nvidia-", "cuda-", "triton"))]


def test_speaking_needs_no_torch() -> None:
    """Requirement 56, at installation."""
    assert {"torch", "torchaudio", "onnxscript"}.isdisjoint(pin.name for pin in pins("speaking"))


def test_every_dependency_has_its_reason_in_the_docs() -> None:
    roots = tomllib.loads((ROOT / "requirements" / "roots.toml").read_text(encoding="utf-8"))
    page = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")
    for group in (*GROUPS, "left_out"):
        for name, reason in roots[group].items():
            assert f"| {name} |" in page.lower()
            assert reason in page
