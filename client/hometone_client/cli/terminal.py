"""What reaches a person at the terminal, or the program that called us.

Rules (after age's `tui.go`):

1. Messages go to standard error with the prefix `hometone: `, lower case, no full stop; a hint stands on a line of its own: `hint: ...`.
2. Results go to standard output. With `--json` that is exactly one JSON object, also when something failed, and nothing else.
3. An expected error never shows a traceback. An unexpected one says so in one line; `--debug` adds the traceback.
4. Nothing secret is printed: no PIN, no recording, no embedding, no path of a home that the person did not type herself.
5. Questions are asked of a person only: where there is no terminal, the missing option is named instead.

Messages are looked up by key in `data/messages.json`, English and Chinese. Errors of the rooms are English sentences, which
`hometone_shared.error_words` puts into Chinese; one that it does not know follows a Chinese word for its kind. With `--json` they stay
English.
"""

import getpass
import json
import os
import sys
import time
import traceback
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib import resources
from typing import Any, Final, TextIO

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from hometone_shared.command_line import Failure, Language, answer_json, failure_json
from hometone_shared.error_words import in_language
from hometone_shared.errors import UsageError

_PLAIN_INTERVAL_S: Final = 10.0
_PREFIX: Final = "hometone: "


def load_messages() -> dict[str, dict[Language, str]]:
    """The message table: {key: {"en": ..., "zh": ...}}."""
    text = resources.files("hometone_client.cli").joinpath("data/messages.json").read_text(encoding="utf-8")
    table: dict[str, dict[Language, str]] = json.loads(text)
    return table


class ProgressLine:
    """One running piece of work: how far, and how long it still takes."""

    def __init__(self, terminal: "Terminal", *, title: str, bar: Progress | None) -> None:
        """Made by `Terminal.progress`."""
        self._terminal = terminal
        self._title = title
        self._bar = bar
        self._task = bar.add_task(title, total=1.0) if bar else None
        self._started = time.monotonic()
        self._last = self._started

    def update(self, fraction: float, *, words: str = "", remaining_s: float | None = None) -> None:
        """Report progress.

        Args:
            fraction: Done so far, 0 to 1.
            words: What is being done now.
            remaining_s: Seconds still to go where the work knows better than elapsed time does.
        """
        done = min(1.0, max(0.0, fraction))
        title = f"{self._title}: {words}" if words else self._title
        if self._bar is not None and self._task is not None:
            left = self._terminal.minutes(remaining_s) if remaining_s is not None else ""
            self._bar.update(self._task, completed=done, description=f"{title} {left}".strip())
            return
        now = time.monotonic()
        if now - self._last < _PLAIN_INTERVAL_S:
            return
        self._last = now
        elapsed_s = now - self._started
        left_s = remaining_s if remaining_s is not None else (elapsed_s * (1 - done) / done if done > 0.02 else None)
        suffix = f", {self._terminal.minutes(left_s)}" if left_s is not None else ""
        self._terminal.line(f"{title}: {done:.0%}{suffix}")


class Terminal:
    """Everything that a command says, asks and answers."""

    def __init__(
        self,
        *,
        language: Language = "en",
        as_json: bool = False,
        debug: bool = False,
        stdin: TextIO | None = None,
        stdout: TextIO | None = None,
        stderr: TextIO | None = None,
    ) -> None:
        """Speak to these streams; the process's own where none is given."""
        self.language = language
        self.as_json = as_json
        self.debug = debug
        self._stdin = stdin or sys.stdin
        self._stdout = stdout or sys.stdout
        self._stderr = stderr or sys.stderr
        self._messages = load_messages()

    @property
    def interactive(self) -> bool:
        """Whether a person can be asked."""
        return not self.as_json and self._stdin.isatty() and self._stderr.isatty()

    def who(self, names: Sequence[str]) -> str:
        """Names for somebody who watches; only how many there are where the words go to a file, where nobody's name may stay."""
        if self._stderr.isatty() and not self.as_json:
            return self.words("list-comma").join(names)
        return self.words("people-one" if len(names) == 1 else "people", count=len(names))

    def words(self, key: str, **values: object) -> str:
        """A message of the table in the chosen language; a value called `why` is the sentence of an error, and put into it, too."""
        if "why" in values:
            values["why"] = in_language(str(values["why"]), self.language)
        return self._messages[key][self.language].format(**values)

    def minutes(self, seconds: float) -> str:
        """A length of time, rounded as people say it."""
        if seconds < 90:
            return self.words("seconds-left", seconds=max(1, round(seconds)))
        return self.words("minutes-left", minutes=round(seconds / 60))

    def line(self, text: str) -> None:
        """Print one message line (rule 1); silent with `--json`."""
        if not self.as_json:
            print(f"{_PREFIX}{text}", file=self._stderr, flush=True)

    def say(self, key: str, **values: object) -> None:
        """Print a message of the table."""
        self.line(self.words(key, **values))

    def hint(self, text: str) -> None:
        """Print a hint on a line of its own."""
        if text and not self.as_json:
            print(f"hint: {text}", file=self._stderr, flush=True)

    def text(self, text: str) -> None:
        """Show a longer text, such as that of a consent, to the person."""
        if not self.as_json:
            print(text, file=self._stderr, flush=True)

    def answer(self, command: str, values: Mapping[str, Any], *, lines: Sequence[str] = (), table: Table | None = None) -> None:
        """Give the result: the JSON object, or the lines and the table for a person (rule 2).

        Args:
            command: Name of the command, for instance `take add`.
            values: Documented keys (docs/cli.md).
            lines: The same in words.
            table: The same as a table.
        """
        if self.as_json:
            print(answer_json(command, values), file=self._stdout, flush=True)
            return
        for text in lines:
            print(text, file=self._stdout, flush=True)
        if table is not None:
            Console(file=self._stdout, highlight=False).print(table)

    def fail(self, command: str, error: BaseException, *, values: Mapping[str, Any] | None = None) -> int:
        """Say what went wrong (rules 1 to 3).

        Returns:
            The exit code.
        """
        failure = Failure.of(
            error,
            interrupted=(self.words("interrupted"), self.words("interrupted-hint")),
            unexpected=(self.words("unexpected"), self.words("unexpected-hint")),
        )
        if self.as_json:
            print(failure_json(command, failure, values or {}), file=self._stdout, flush=True)
        else:
            kinds = (f"error-{kind.__name__}" for kind in type(error).__mro__)  # the nearest kind that has a word
            word = next((self._messages[kind][self.language] for kind in kinds if kind in self._messages), "")
            told = in_language(failure.message, self.language)
            self.line(f"{word}{told}" if told == failure.message and told[:1].isascii() else told)
            self.hint(in_language(failure.hint, self.language))
        if self.debug:
            traceback.print_exception(error, file=self._stderr)
        return failure.exit_code

    def confirm(self, question: str, *, expected: str, option: str) -> bool:
        """Ask a person to type a word.

        Raises:
            UsageError: Nobody can be asked; names the option that answers instead.
        """
        if not self.interactive:
            raise UsageError("this needs a yes and there is nobody to ask", hint=f"add {option}")
        print(f"{_PREFIX}{question} ", end="", file=self._stderr, flush=True)
        return self._stdin.readline().strip().casefold() == expected.casefold()

    def ask_secret(self, key: str, *, option: str) -> str:
        """Ask for a PIN without showing it.

        Raises:
            UsageError: Nobody can be asked; names the option that answers instead.
        """
        if not self.interactive:
            raise UsageError("this needs a PIN and there is nobody to ask", hint=f"use {option}, or set HOMETONE_PIN")
        return getpass.getpass(f"{_PREFIX}{self.words(key)} ", stream=self._stderr)

    def wait_for_enter(self, key: str, **values: object) -> None:
        """Show a message and wait until the person presses Enter."""
        self.say(key, **values)
        self._stdin.readline()

    def read_line(self) -> str:
        """One line from the keyboard."""
        return self._stdin.readline()

    def meter(self, rms_dbfs: float, elapsed_s: float) -> None:
        """Show the level of the microphone while it records."""
        if self.interactive:
            bar = "#" * max(0, min(40, round((rms_dbfs + 60.0) * 40.0 / 60.0)))
            print(f"\r{_PREFIX}{elapsed_s:5.1f} s  [{bar:<40}] {rms_dbfs:6.1f} dBFS", end="", file=self._stderr, flush=True)

    def end_meter(self) -> None:
        """End the line of the meter."""
        if self.interactive:
            print(file=self._stderr, flush=True)

    @contextmanager
    def progress(self, key: str, **values: object) -> Iterator[ProgressLine]:
        """Show how far a longer piece of work is: a bar at a terminal, a line every ten seconds elsewhere, nothing with `--json`."""
        title = self.words(key, **values)
        if self.as_json or not self._stderr.isatty() or os.environ.get("TERM") == "dumb":
            self.line(title)
            yield ProgressLine(self, title=title, bar=None)
            return
        console = Console(file=self._stderr)
        columns = (
            TextColumn(f"{_PREFIX}{{task.description}}"),
            BarColumn(),
            TextColumn("{task.percentage:>3.0f} %"),
            TimeRemainingColumn(),
        )
        with Progress(*columns, console=console, transient=True) as bar:
            yield ProgressLine(self, title=title, bar=bar)
