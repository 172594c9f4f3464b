"""What reaches the coordinator at the terminal, or the program that called us.

The rules are those of the `hometone` command:

1. Messages go to standard error with the prefix `hometone-coordinator: `, a hint on a line of its own; results to standard output.
2. With `--json` standard output is exactly one JSON object, also when something failed, and nothing else.
3. An expected error never shows a traceback; `--debug` adds one to an unexpected error.
4. Nothing secret is printed, but for the one-time code that `invite` is there to print.

Messages are looked up in `data/messages.json`, English and Chinese; the sentences of errors, which are English, in
`hometone_shared.error_words`. With `--json` errors stay English.
"""

import json
import sys
import time
import traceback
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import resources
from typing import Any, Final

from rich.console import Console
from rich.table import Table

from hometone_shared.command_line import Failure, Language, answer_json, failure_json
from hometone_shared.error_words import in_language

_PREFIX: Final = "hometone-coordinator: "


@cache
def messages() -> dict[str, dict[Language, str]]:
    """The message table."""
    text = resources.files("hometone_server.cli").joinpath("data/messages.json").read_text(encoding="utf-8")
    table: dict[str, dict[Language, str]] = json.loads(text)
    return table


class Terminal:
    """Everything that a command says and answers."""

    def __init__(self, *, language: Language = "en", as_json: bool = False, debug: bool = False) -> None:
        """Speak to the process's own streams."""
        self.language = language
        self.as_json = as_json
        self.debug = debug

    def words(self, key: str, **values: object) -> str:
        """A message of the table; values called `why` and `told` may be sentences of errors, and are put into the language, too."""
        for name in {"why", "told"} & set(values):
            values[name] = in_language(str(values[name]), self.language)
        return messages()[key][self.language].format(**values)

    def line(self, text: str) -> None:
        """One message line; silent with `--json`."""
        if not self.as_json:
            print(f"{_PREFIX}{text}", file=sys.stderr, flush=True)

    def say(self, key: str, **values: object) -> None:
        """A message of the table."""
        self.line(self.words(key, **values))

    def hint(self, text: str) -> None:
        """A hint on a line of its own."""
        if text and not self.as_json:
            print(f"hint: {text}", file=sys.stderr, flush=True)

    def answer(self, command: str, values: Mapping[str, Any], *, lines: Sequence[str] = (), table: Table | None = None) -> None:
        """Give the result: the JSON object, or lines and table for a person."""
        if self.as_json:
            print(answer_json(command, values), flush=True)
            return
        for text in lines:
            print(text, flush=True)
        if table is not None:
            Console(highlight=False).print(table)

    def fail(self, command: str, error: BaseException, *, values: Mapping[str, Any] | None = None) -> int:
        """Say what went wrong and return the exit code."""
        failure = Failure.of(
            error,
            interrupted=(self.words("interrupted"), self.words("interrupted-hint")),
            unexpected=(self.words("unexpected"), self.words("unexpected-hint")),
        )
        if self.as_json:
            print(failure_json(command, failure, values or {}), flush=True)
        else:
            self.line(in_language(failure.message, self.language))
            self.hint(in_language(failure.hint, self.language))
        if self.debug:
            traceback.print_exception(error, file=sys.stderr)
        return failure.exit_code


def when(seconds: float | None) -> str:
    """A moment as people write it, local time."""
    return "" if seconds is None else time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))
