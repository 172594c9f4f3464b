"""Seconds that pass when a test says so."""


class Clock:
    """In the place of `time.monotonic`."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now
