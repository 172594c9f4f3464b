"""Text to phoneme tokens of the base voice: `Frontend().utterances(text)` yields one `Utterance` per sentence, lazily.

Importing this package loads no dictionary and no foreign library; each language loads what it needs when its first sentence comes.
Never torch, never the network.
"""

from hometone_client.text.frontend import LANGUAGES, Frontend
from hometone_client.text.utterance import MAX_TOKENS, Utterance

__all__ = ["LANGUAGES", "MAX_TOKENS", "Frontend", "Utterance"]
