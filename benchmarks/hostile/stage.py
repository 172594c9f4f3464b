"""What every hostile case needs: a copy of the home, a folder for its files, and the command."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from command_bench import Ran, run

from hometone_keys import DeviceSecretSource, Vault
from hometone_keys.custody import Custody

SPEAKERS = ("mei", "otto")
GOOD = (0,)
USAGE, CONSENT, WRONG_PIN, DAMAGED, DISK, AUDIO, REJECTED, TEXT, MODEL, RESOURCE, INTERRUPTED = 2, 3, 5, 6, 7, 8, 9, 10, 11, 12, 130


class WrongError(Exception):
    """What a case itself saw that should not be."""


class LeftOut(Exception):  # noqa: N818 - not an error
    """This machine cannot play this case."""


@dataclass(slots=True)
class Stage:
    """Where one case plays: a copy of the home, and a folder for its files."""

    home: Path
    folder: Path
    pin_file: Path
    speakers: tuple[str, ...] = SPEAKERS

    def line(self, *arguments: str | bytes | Path, **options: object) -> Ran:
        """Run the command in the case's folder, with temporary files in a folder that is looked at afterwards."""
        words = [argument if isinstance(argument, bytes) else str(argument) for argument in arguments]
        temporary = self.folder / "tmp"
        temporary.mkdir(exist_ok=True)
        extra = {"TMPDIR": str(temporary), **options.pop("extra", {})}  # type: ignore[dict-item]
        return run(self.home, *words, cwd=self.folder, extra=extra, **options)  # type: ignore[arg-type]

    def take(self, *files: str | bytes | Path, speaker: str = "mei", **options: object) -> Ran:
        pin = ("--pin-file", self.pin_file)
        return self.line("take", "add", "--language", "en", *pin, speaker, "--", *files, **options)

    def say(self, text: str, *more: str | Path, out: Path | None = None, voice: str = "mei", **options: object) -> Ran:
        pin = ("--pin-file", self.pin_file)
        target = out or self.folder / "speech.wav"
        return self.line("say", *pin, "--out", target, *more, "--", voice, text, **options)

    def file(self, name: str | bytes, data: bytes = b"") -> Path:
        path = self.folder / os.fsdecode(name)
        path.write_bytes(data)
        return path


Act = Callable[[Stage], Ran]


@dataclass(frozen=True, slots=True)
class Case:
    """One line that cannot go well, and the exit codes that are right for it; `why` says why success is."""

    name: str
    act: Act
    codes: tuple[int, ...]
    why: str = ""


@contextmanager
def opened(home: Path) -> Iterator[Vault]:
    with Vault(home, device_secret_source=DeviceSecretSource(custody=Custody.FILE)) as vault:
        yield vault
