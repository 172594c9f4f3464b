"""Real speech for these tests: Carlo Flora's telephone prompts (CC-BY 3.0), as the repository carries them."""

from pathlib import Path

import pytest

from hometone_client.audio import RawTake, decode

SAMPLE = Path(__file__).parents[4] / "sample" / "carlo"


@pytest.fixture(scope="session")
def spoken_file() -> Path:
    """4.4 s of Italian, 16 kHz: «Prego digitare il proprio numero di conferenza seguito dal tasto cancelletto.»"""
    return SAMPLE / "enrol-00.flac"


@pytest.fixture(scope="session")
def spoken(spoken_file: Path) -> RawTake:
    """The same, decoded."""
    return decode(spoken_file)
