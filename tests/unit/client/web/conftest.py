"""Lets the tests of this folder import `desk_speaker` beside them."""

import sys
from pathlib import Path

import hometone_client.assistant  # noqa: F401 - before the tests import wyoming.audio: it quiets what that module warns of

sys.path.insert(0, str(Path(__file__).parent))
