"""Recordings from a telephone or another device: several files at once, each judged by itself, the good ones kept.

The work goes on in a thread while somebody watches. A damaged file among good ones costs only itself. `close` (she was locked, or went
away) ends it; what was kept by then is kept, the rest is dropped.

What it may see: the bytes of the files. What it must never do: write them anywhere but sealed.
"""

import logging
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hometone_client.enrolling.intake import Spoken, assess, keep
from hometone_client.enrolling.studio import Studio
from hometone_client.speakers.room import SpeakerRoom
from hometone_shared.errors import AudioError, ConsentError, HometoneError, StorageError, TakeRejectedError, UsageError, VaultError

if TYPE_CHECKING:
    from hometone_client.takes import QualityFinding

_LOG: Final = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Imported:
    """What became of one file.

    Attributes:
        name: Of the file, as she knows it.
        seconds: Its length; 0 if it could not be read.
        kept: Whether it is among her takes now.
        findings: What is worth saying about it.
        error: Why it could not be read or kept.
    """

    name: str
    seconds: float = 0.0
    kept: bool = False
    findings: "tuple[QualityFinding, ...]" = ()
    error: HometoneError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far it is.

    Attributes:
        results: Files that are done, in their order.
        count: All files.
        running: Whether it goes on.
    """

    results: tuple[Imported, ...]
    count: int
    running: bool


class Importing:
    """The files that one person has brought; safe to use from several threads."""

    def __init__(self, studio: Studio) -> None:
        """None yet."""
        self._studio = studio
        self._lock = threading.Lock()
        self._results: list[Imported] = []
        self._count = 0
        self._running = False
        self._closed = threading.Event()

    @property
    def progress(self) -> Progress:
        """How far it is."""
        with self._lock:
            return Progress(results=tuple(self._results), count=self._count, running=self._running)

    def start(self, files: Iterable[tuple[str, bytes]], *, room: SpeakerRoom, spoken: Spoken) -> None:
        """Begin.

        Args:
            files: Names and bytes.
            room: Her things, unlocked.
            spoken: In which language, if known.

        Raises:
            UsageError: There are none, or others are still being looked at.
        """
        waiting = list(files)
        if not waiting:
            raise UsageError("no recording was chosen", hint="choose one or more sound files")
        with self._lock:
            if self._running:
                raise UsageError("other recordings are still being looked at", hint="wait until they are done")
            self._results, self._count, self._running = [], len(waiting), True
        threading.Thread(target=self._run, args=(waiting, room, spoken), name="importing", daemon=True).start()

    def close(self) -> None:
        """End it."""
        self._closed.set()

    def _run(self, waiting: list[tuple[str, bytes]], room: SpeakerRoom, spoken: Spoken) -> None:
        while waiting and not self._closed.is_set():
            name, content = waiting.pop(0)
            result = self._one(name, content, room=room, spoken=spoken)
            with self._lock:
                self._results.append(result)
        with self._lock:
            self._running = False

    def _one(self, name: str, content: bytes, *, room: SpeakerRoom, spoken: Spoken) -> Imported:
        from hometone_client.audio import decode

        seconds = 0.0
        findings: tuple[QualityFinding, ...] = ()
        try:
            take = decode(content)
            seconds = take.duration_s
            assessed = assess(take, spoken=spoken, recogniser=self._studio.recogniser)
            findings = assessed.findings
            keep(room, assessed, spoken=spoken)
        except TakeRejectedError:
            return Imported(name=name, seconds=seconds, findings=findings)
        except (ConsentError, StorageError, VaultError) as error:
            self._closed.set()  # no other file would do better
            return Imported(name=name, seconds=seconds, findings=findings, error=error.alone())
        except HometoneError as error:
            return Imported(name=name, seconds=seconds, findings=findings, error=error.alone())
        except Exception as error:
            _LOG.error("an imported recording failed: %s", type(error).__name__)  # never its name
            failure = AudioError("this file is not a sound recording that can be read", hint="export it again, for instance as WAV")
            return Imported(name=name, seconds=seconds, error=failure)
        return Imported(name=name, seconds=seconds, kept=True, findings=findings)
