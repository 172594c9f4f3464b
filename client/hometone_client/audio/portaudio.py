"""The sound driver: sounddevice (PortAudio), with its faults in words, and the devices that it knows.

The only module of Hometone that imports sounddevice, and only when it is used: `recorder` and `player` come here for it. It decides nothing
about sound and writes nothing anywhere.
"""

import threading
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

from hometone_shared.errors import AudioError

_LOCK: Final = threading.Lock()
_users: set[int] = set()
"""Who uses the driver now; devices are looked for anew only where nobody does."""
INSTALL_HINT: Final = "install PortAudio (Debian, Ubuntu: libportaudio2)"


class Device(Protocol):
    """What a microphone and a loudspeaker have in common."""

    @property
    def index(self) -> int:
        """PortAudio's number; it may change when devices are plugged in or out."""
        ...

    @property
    def name(self) -> str:
        """As the driver calls it."""
        ...

    @property
    def is_default(self) -> bool:
        """Whether the system would choose it."""
        ...


D = TypeVar("D", bound=Device)


@dataclass(frozen=True, slots=True)
class Listed:
    """A device as PortAudio lists it.

    Attributes:
        index: Its number.
        name: As the driver calls it.
        inputs: Most input channels that it offers.
        outputs: Most output channels that it offers.
        sample_rate_hz: The rate it prefers.
        is_default_input: Whether the system would choose it to record.
        is_default_output: Whether the system would choose it to play.
    """

    index: int
    name: str
    inputs: int
    outputs: int
    sample_rate_hz: int
    is_default_input: bool
    is_default_output: bool


@dataclass(frozen=True, slots=True)
class Words:
    """What is said of a device that fails.

    Attributes:
        kind: `microphone` or `loudspeaker`.
        instead: What to do where there is no driver.
    """

    kind: str
    instead: str = ""


@contextmanager
def driver(words: Words) -> Generator[Any, None, None]:
    """The sounddevice module, with its faults in words. Importing it loads the PortAudio library and looks for devices.

    Args:
        words: What is being used.

    Raises:
        AudioError: PortAudio is not installed, does not start, or refuses the device.
    """
    try:
        import sounddevice
    except (ImportError, OSError) as error:
        hint = f"{INSTALL_HINT}, {words.instead}" if words.instead else INSTALL_HINT
        raise AudioError(f"the {words.kind} driver PortAudio is not installed", hint=hint) from error
    user = object()
    with _LOCK:
        _users.add(id(user))
    try:
        yield sounddevice
    except sounddevice.PortAudioError as error:
        raise AudioError(
            f"the {words.kind} cannot be used", hint=f"close other programs that use it, or choose another {words.kind}"
        ) from error
    finally:
        with _LOCK:
            _users.discard(id(user))


def listed(words: Words) -> tuple[Listed, ...]:
    """Every device of this computer, in the order of the driver; those that were plugged in meanwhile are among them.

    PortAudio looks for devices when it starts. It is started anew, unless sound is being recorded or played at this moment.

    Raises:
        AudioError: As of `driver`.
    """
    with driver(words) as sounddevice:
        with _LOCK:
            if len(_users) == 1:
                sounddevice._terminate()  # noqa: SLF001 - the way that its author names (python-sounddevice, issue 125)
                sounddevice._initialize()  # noqa: SLF001
        found: list[dict[str, Any]] = list(sounddevice.query_devices())
        default_input, default_output = (int(number) for number in sounddevice.default.device)
    return tuple(
        Listed(
            index=index,
            name=str(device["name"]),
            inputs=int(device["max_input_channels"]),
            outputs=int(device["max_output_channels"]),
            sample_rate_hz=round(float(device["default_samplerate"])),
            is_default_input=index == default_input,
            is_default_output=index == default_output,
        )
        for index, device in enumerate(found)
    )


def chosen(devices: Sequence[D], wanted: int | str | None, *, kind: str, none_here: Callable[[], AudioError]) -> D:
    """The device that was meant.

    Args:
        devices: All of the kind.
        wanted: Its number, its name or a part of it; None takes the system's choice.
        kind: `microphone` or `loudspeaker`.
        none_here: Makes the error for a computer without any.

    Raises:
        AudioError: There is none, or no such.
    """
    if not devices:
        raise none_here()
    if wanted is None:
        return next((each for each in devices if each.is_default), devices[0])
    if isinstance(wanted, int):
        found = [each for each in devices if each.index == wanted]
    else:
        found = [each for each in devices if each.name == wanted] or [each for each in devices if wanted.casefold() in each.name.casefold()]
    if not found:
        raise AudioError(f"there is no such {kind}", hint="choose one from the list: " + ", ".join(each.name for each in devices))
    return found[0]
