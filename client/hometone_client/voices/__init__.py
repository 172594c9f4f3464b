"""What makes a voice: its parameters, the bytes they are kept as, and the list of voices that this laptop can speak with."""

from hometone_client.voices.container import VoiceSource, from_bytes, to_bytes
from hometone_client.voices.parameters import DenseDelta, F0Map, LowRankDelta, SharedRelease, Tremor, VoiceParameters
from hometone_client.voices.registry import Voice, VoiceRegistry, stock_parameters

__all__ = [
    "DenseDelta",
    "F0Map",
    "LowRankDelta",
    "SharedRelease",
    "Tremor",
    "Voice",
    "VoiceParameters",
    "VoiceRegistry",
    "VoiceSource",
    "from_bytes",
    "stock_parameters",
    "to_bytes",
]
