"""Text + voice -> sound, sentence by sentence. onnxruntime and numpy only: never torch, never the network (requirement 56)."""

from hometone_client.speaking.sessions import Sessions
from hometone_client.speaking.settings import SpeakingSettings
from hometone_client.speaking.synthesizer import SpokenSentence, Synthesizer
from hometone_client.speaking.timing import MouthShape, PhonemeTiming, mouth_shapes

__all__ = ["MouthShape", "PhonemeTiming", "Sessions", "SpeakingSettings", "SpokenSentence", "Synthesizer", "mouth_shapes"]
