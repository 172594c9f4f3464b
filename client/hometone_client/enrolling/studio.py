"""What recordings of one laptop share: its microphone, which one person uses at a time, and the recogniser, which is loaded once.

What it may see: levels and takes as they pass. What it must never do: keep a take, or write one anywhere.
"""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from hometone_client.enrolling.intake import Recogniser
from hometone_shared.errors import ResourceError

if TYPE_CHECKING:
    from hometone_client.audio import RawTake
    from hometone_client.audio.recorder import InputDevice, Level


class Microphone(Protocol):
    """Where takes come from."""

    def devices(self) -> "tuple[InputDevice, ...]":
        """All microphones.

        Raises:
            AudioError: The sound system does not answer.
        """
        ...

    def record(self, *, stop: threading.Event, device: int | None, on_level: "Callable[[Level], None]", max_duration_s: float) -> "RawTake":
        """Record until `stop` is set or the time is over.

        Raises:
            AudioError: The microphone refuses.
        """
        ...


class LaptopMicrophone:
    """The microphones of this computer."""

    def devices(self) -> "tuple[InputDevice, ...]":
        """All of them."""
        from hometone_client.audio.recorder import input_devices

        return input_devices()

    def record(self, *, stop: threading.Event, device: int | None, on_level: "Callable[[Level], None]", max_duration_s: float) -> "RawTake":
        """Record from one of them."""
        from hometone_client.audio.recorder import record

        return record(stop=stop, device=device, on_level=on_level, max_duration_s=max_duration_s)


class Studio:
    """One laptop's microphone and recogniser."""

    def __init__(self, *, models: Path, microphone: Microphone | None = None) -> None:
        """Nothing is opened yet.

        Args:
            models: The model folder.
            microphone: Where takes come from; the microphones of this computer if not given.
        """
        self.microphone: Microphone = microphone or LaptopMicrophone()
        self.recogniser = Recogniser(models)
        self._turn = threading.Lock()

    def take_turn(self) -> None:
        """Have the microphone for oneself until `end_turn`.

        Raises:
            ResourceError: Somebody else records at this moment.
        """
        if not self._turn.acquire(blocking=False):
            raise ResourceError("somebody else is recording on this computer", hint="wait until that recording is done, then try again")

    def end_turn(self) -> None:
        """Let others have it."""
        self._turn.release()

    def close(self) -> None:
        """Nothing is held that has to be let go."""
