"""Time, memory and cost are measured, and work that does not fit is refused before it begins (requirements 19, 31)."""

import time

import pytest

from hometone_client.jobs.usage import Meter, available_mib, peak_memory_mib, require_memory
from hometone_shared.errors import ResourceError


def test_usage_counts_clock_processor_and_cost() -> None:
    meter = Meter(price_per_hour=3600.0)
    ending = time.process_time() + 0.05
    while time.process_time() < ending:
        pass
    usage = meter.usage()
    assert usage.wall_s >= 0.05
    assert usage.cpu_s == pytest.approx(0.05, abs=0.03)
    assert usage.cost == pytest.approx(usage.wall_s, abs=0.02)
    assert Meter().usage().cost is None


def test_peak_memory_grows_with_what_was_held() -> None:
    before = peak_memory_mib()
    held = bytearray(before * (1 << 20) // 2 + (64 << 20))
    held[::4096] = b"x" * len(held[::4096])
    assert peak_memory_mib() > before


def test_too_little_memory_is_refused_with_figures() -> None:
    require_memory(100, available=100)
    with pytest.raises(ResourceError, match="needs 101 MiB of memory and 100 MiB are free"):
        require_memory(101, available=100)
    assert available_mib() > 0
