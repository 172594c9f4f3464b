"""A microphone that hears what a test gives it."""

import threading
from collections.abc import Callable

from hometone_client.audio import RawTake
from hometone_client.audio.recorder import InputDevice, Level
from hometone_shared.errors import AudioError

PATIENCE_S = 30.0


class FakeMicrophone:
    """Hears one level and then a take, when it is stopped; or refuses."""

    def __init__(self, take: RawTake, *, names: tuple[str, ...] = ("built in",)) -> None:
        self.take = take
        self.names = names
        self.refuses: AudioError | None = None
        self.devices_used: list[int | None] = []
        self.longest: list[float] = []
        self.heard = threading.Event()

    def devices(self) -> tuple[InputDevice, ...]:
        return tuple(
            InputDevice(index=number, name=name, channels=1, sample_rate_hz=16_000, is_default=number == 0)
            for number, name in enumerate(self.names)
        )

    def record(self, *, stop: threading.Event, device: int | None, on_level: Callable[[Level], None], max_duration_s: float) -> RawTake:
        self.devices_used.append(device)
        self.longest.append(max_duration_s)
        if self.refuses is not None:
            raise self.refuses
        on_level(Level(rms_dbfs=-25.0, peak_dbfs=-8.0, elapsed_s=2.0))
        self.heard.set()
        stop.wait(PATIENCE_S)
        self.heard.clear()
        return self.take
