"""A plan: sentences, words and phonemes of a text as a voice would say them, numbered, with durations and F0, as JSON.

It is at the same time a document of controls (`controls`) that changes nothing: whoever wants something changed writes it into the entry of
the word and gives the file back.
"""

from collections.abc import Iterable
from typing import Any, Final

import numpy as np

from hometone_client.base.prosody import Prosody
from hometone_client.editing.controls import VERSION
from hometone_client.text.utterance import Utterance
from hometone_client.voices.parameters import F0_RANGE_HZ

_FRAME_S: Final = 0.025
_PLAIN: Final[dict[str, Any]] = {"pitch_semitones": 0.0, "range": 1.0, "rate": 1.0, "gain_db": 0.0}


def plan(sentences: Iterable[tuple[Utterance, Prosody]]) -> dict[str, Any]:
    """Return the plan of some sentences.

    Args:
        sentences: In order, each with how the voice says it.

    Returns:
        A document of controls. What is said stands under "said": texts and symbols, "start_s" and "duration_s" counted within the sentence
        before its ends are trimmed, and "f0_hz", the median of the voiced frames or null.
    """
    document: dict[str, Any] = {"version": VERSION, "sentences": [], "words": [], "phonemes": []}
    for number, (utterance, prosody) in enumerate(sentences):
        whole = _said({"text": utterance.text, "language": utterance.language}, prosody, 0, len(utterance.tokens))
        document["sentences"].append({"sentence": number, "said": whole, **_PLAIN})
        for index, word in enumerate(utterance.words):
            said = _said({"text": word.text}, prosody, word.start, word.stop)
            document["words"].append({"sentence": number, "word": index, "said": said, **_PLAIN, "emphasis": "none"})
        for index, symbol in enumerate(utterance.phonemes):
            said = _said({"symbol": symbol}, prosody, index, index + 1)
            document["phonemes"].append({"sentence": number, "phoneme": index, "said": said, "pitch_semitones": 0.0, "duration": 1.0})
    return document


def _said(known: dict[str, Any], prosody: Prosody, start: int, stop: int) -> dict[str, Any]:
    first, last = int(prosody.starts[start + 1]), int(prosody.starts[stop + 1])
    f0_hz = prosody.f0_hz[2 * first : 2 * last]
    voiced = f0_hz[f0_hz >= F0_RANGE_HZ[0]]
    height = round(float(np.median(voiced)), 1) if voiced.size else None
    return {**known, "start_s": round(first * _FRAME_S, 3), "duration_s": round((last - first) * _FRAME_S, 3), "f0_hz": height}
