"""Options and exit codes that docs/cli.md does not mention fail here; so do README commands that do not exist."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from hometone_client.cli.entrance import app, run
from hometone_server.cli.entrance import app as coordinator
from hometone_shared import errors
from hometone_shared.command_line import INTERRUPTED_EXIT_CODE, UNEXPECTED_EXIT_CODE

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "cli.md").read_text(encoding="utf-8")


def commands() -> Iterator[tuple[str, Any]]:
    def walk(name: str, command: Any) -> Iterator[tuple[str, Any]]:
        children = getattr(command, "commands", None)
        if children is None:
            yield name, command
            return
        for child_name, child in children.items():
            yield from walk(f"{name} {child_name}".strip(), child)

    yield from walk("", typer.main.get_command(app))


def section(name: str) -> str:
    """The part of the page about a command: its own, or that of its group."""
    for heading in (name, name.split(" ", maxsplit=1)[0]):
        found = re.search(rf"^## {heading}\b.*?(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
        if found:
            break
    assert found, f"docs/cli.md has no section on {name}"
    return found.group()


@pytest.mark.parametrize("name", [name for name, _ in commands()])
def test_every_option_is_documented(name: str) -> None:
    command = dict(commands())[name]
    text = section(name)
    for parameter in command.params:
        for option in (*parameter.opts, *parameter.secondary_opts):
            if option.startswith("--") and option != "--help":
                assert f"`{option}" in text, f"{name} {option}"


def test_the_ten_commands_are_there() -> None:
    names = {name for name, _ in commands()}
    fixed = {"doctor", "enroll", "take add", "train", "say", "voices", "evaluate", "serve", "revoke"}
    assert fixed <= names
    assert {name for name in names if name.startswith("queue ")} == {"queue add", "queue list", "queue remove", "queue run"}


def test_options_of_every_command_are_documented() -> None:
    for parameter in typer.main.get_command(app).params:
        for option in parameter.opts:
            assert f"`{option}" in PAGE, option


def test_every_exit_code_is_documented() -> None:
    codes = {kind.exit_code for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, errors.HometoneError)}
    for code in codes | {0, UNEXPECTED_EXIT_CODE, INTERRUPTED_EXIT_CODE}:
        assert f"| {code} |" in PAGE, code


@pytest.mark.parametrize("page", ["README.md", "docs/cli.md"])
def test_commands_shown_in_the_docs_exist_with_their_options(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    known = dict(commands())
    shown = re.findall(r"^ {4}(?:echo .*\| )?hometone ([^#\n]+)", text, re.MULTILINE)
    assert shown
    for line in shown:
        words = line.split()
        name = " ".join(words[:2]) if words[0] in {"take", "queue", "receipt", "witness", "panel", "announce", "heritage"} else words[0]
        assert name in known, line
        options = {option for parameter in known[name].params for option in (*parameter.opts, *parameter.secondary_opts)} | {"--json"}
        assert {word for word in words if word.startswith("--")} <= options, line


def test_help_runs() -> None:
    assert run(["--help"]) == 0


COORDINATOR_PAGE = (ROOT / "docs" / "coordinator.md").read_text(encoding="utf-8")


def coordinator_commands() -> dict[str, Any]:
    return dict(typer.main.get_command(coordinator).commands)


@pytest.mark.parametrize("name", sorted(coordinator_commands()))
def test_every_option_of_the_coordinator_is_documented(name: str) -> None:
    found = re.search(rf"^## {name}\b.*?(?=^## |\Z)", COORDINATOR_PAGE, re.MULTILINE | re.DOTALL)
    assert found, name
    for parameter in coordinator_commands()[name].params:
        for option in (*parameter.opts, *parameter.secondary_opts):
            if option.startswith("--") and option != "--help":
                assert f"`{option}" in found.group(), f"{name} {option}"
        if not parameter.opts[0].startswith("--"):
            assert parameter.opts[0].upper() in found.group()


def test_commands_of_the_coordinator_shown_in_the_docs_exist() -> None:
    for line in re.findall(r"^ {4}hometone-coordinator ([^#\n]+)", COORDINATOR_PAGE, re.MULTILINE):
        words = line.split()
        options = {option for parameter in coordinator_commands()[words[0]].params for option in parameter.opts}
        assert {word for word in words if word.startswith("--")} <= options, line
