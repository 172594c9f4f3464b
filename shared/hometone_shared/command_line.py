"""What the two commands agree on: where options may stand, and what an answer looks like to a program.

Programs and people use both `hometone` and `hometone-coordinator`. So options of every command may stand anywhere on a line, answers and
exit codes have one form (docs/cli.md, "Answers"), and the language of messages is chosen in one way. Nothing here prints.
"""

import json
import locale
import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from hometone_shared.errors import HometoneError

Language = Literal["en", "zh"]
LANGUAGES: Final[tuple[Language, ...]] = ("en", "zh")

UNEXPECTED_EXIT_CODE: Final = 70
"""EX_SOFTWARE of sysexits.h: a mistake in Hometone itself."""
INTERRUPTED_EXIT_CODE: Final = 130
"""128 + SIGINT, as shells report it."""


@dataclass(frozen=True, slots=True)
class CommonOptions:
    """Options that hold for every command.

    Attributes:
        flags: Those without a value, such as `--json`.
        with_value: Those with one, such as `--home`.
        groups: Commands whose name has two words, by the first.
    """

    flags: tuple[str, ...]
    with_value: tuple[str, ...]
    groups: Collection[str] = ()

    def hoisted(self, arguments: Sequence[str]) -> list[str]:
        """Move these options to the front; what follows `--` is left alone."""
        front: list[str] = []
        rest: list[str] = []
        waiting = list(arguments)
        while waiting:
            argument = waiting.pop(0)
            if argument == "--":
                rest += [argument, *waiting]
                break
            if argument in self.flags or argument.split("=", 1)[0] in self.with_value:
                front.append(argument)
                if argument in self.with_value and waiting:
                    front.append(waiting.pop(0))
            else:
                rest.append(argument)
        return front + rest

    def command_name(self, hoisted: Sequence[str]) -> str:
        """The command on a hoisted line, for the answer: `take add`, `say`."""
        words = list(hoisted)
        while words and words[0].startswith("-"):
            words = words[2:] if words[0] in self.with_value else words[1:]
        return " ".join(words[:2] if words and words[0] in self.groups else words[:1])


def chosen_language(asked: str | None, environment: Mapping[str, str]) -> Language:
    """The language of messages: what was asked for, else that of the locale, else English."""
    names = ("HOMETONE_LANG", "LC_ALL", "LC_MESSAGES", "LANG")
    wanted = asked or next((environment[name] for name in names if environment.get(name)), None) or locale.getlocale()[0]
    return "zh" if (wanted or "").lower().startswith(("zh", "chinese")) else "en"


def finite(value: Any) -> Any:
    """A copy of JSON data in which NaN and infinities, which JSON lacks, are null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return value


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong, as both a person and a program are told.

    Attributes:
        kind: Name of the error's class.
        message: One sentence.
        hint: What can be done about it, or nothing.
        exit_code: Of the process.
    """

    kind: str
    message: str
    hint: str
    exit_code: int

    @classmethod
    def of(cls, error: BaseException, *, interrupted: tuple[str, str], unexpected: tuple[str, str]) -> "Failure":
        """Read an error.

        Args:
            error: A deliberate one, Ctrl+C, or a mistake of ours, of which the class alone is told.
            interrupted: Message and hint for Ctrl+C, in the person's language.
            unexpected: The same for a mistake.
        """
        if isinstance(error, HometoneError):
            return cls(type(error).__name__, error.message, error.hint, error.exit_code)
        if isinstance(error, KeyboardInterrupt):
            return cls("Interrupted", *interrupted, INTERRUPTED_EXIT_CODE)
        message, hint = unexpected
        return cls("UnexpectedError", f"{message} ({type(error).__name__})", hint, UNEXPECTED_EXIT_CODE)


def answer_json(command: str, values: Mapping[str, Any]) -> str:
    """The one JSON object of a command that succeeded."""
    return json.dumps({"ok": True, "command": command, **finite(values)}, ensure_ascii=False, sort_keys=True)


def failure_json(command: str, failure: Failure, values: Mapping[str, Any]) -> str:
    """The one JSON object of a command that failed, with whatever else is known."""
    found = {"kind": failure.kind, "message": failure.message, "hint": failure.hint, "exit_code": failure.exit_code}
    return json.dumps({"ok": False, "command": command, "error": found, **finite(values)}, ensure_ascii=False, sort_keys=True)
