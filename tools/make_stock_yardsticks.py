"""Remakes client/hometone_client/evaluation/data/stock_yardsticks.npz: what the stock voices measure like.

Usage: python tools/make_stock_yardsticks.py

Each of the base's stock voices (Kokoro-82M, Apache-2.0) reads three of eight English sentences; kept are the cepstral statistics and the
GE2E embedding of each utterance. They are the floor of both yardsticks of likeness, and the whitening of the second. Takes about six
minutes on one core. Nobody's recordings go into it.
"""

from pathlib import Path

import numpy as np

from hometone_client.base.runtime import SAMPLE_RATE_HZ, BaseRuntime
from hometone_client.base.styles import stock_names, stock_style
from hometone_client.embedding.ge2e import SpeakerEncoder
from hometone_client.evaluation.timbre import cepstral_statistics
from hometone_client.models import ensure
from hometone_client.text import Frontend

# Harvard sentences (IEEE, 1969) joined in pairs, and two from the care of the old.
SENTENCES = (
    "The birch canoe slid on the smooth planks, and glue the sheet to the dark blue background.",
    "It's easy to tell the depth of a well; these days a chicken leg is a rare dish.",
    "Rice is often served in round bowls, while the juice of lemons makes fine punch.",
    "The box was thrown beside the parked truck, and the hogs were fed chopped corn and garbage.",
    "Four hours of steady work faced us, but a large size in stockings is hard to sell.",
    "The boy was there when the sun rose, and a rod is used to catch pink salmon.",
    "Please remember to take your medicine after breakfast, and call me if you feel unwell.",
    "We are going to walk through the garden together on Thursday, whatever the weather.",
)
EACH = 3
TARGET = Path(__file__).parents[1] / "client/hometone_client/evaluation/data/stock_yardsticks.npz"


def main() -> None:
    """Let every stock voice speak, and write the table."""
    runtime = BaseRuntime(ensure("kokoro-82m-v1.0"))
    encoder = SpeakerEncoder(ensure("ge2e"))
    read = [next(iter(Frontend().utterances(sentence, language="en"))).tokens for sentence in SENTENCES]
    statistics, embeddings = [], []
    for number, name in enumerate(stock_names()):
        speech = []
        for turn in range(EACH):
            tokens = read[(number * EACH + turn) % len(read)]
            style = stock_style(name, len(tokens))
            speech.append(runtime.decode(runtime.prosody(tokens, style), style, seed=number))
        statistics.append([cepstral_statistics(samples, SAMPLE_RATE_HZ) for samples in speech])
        embeddings.append([encoder.embed(samples, SAMPLE_RATE_HZ) for samples in speech])
    np.savez_compressed(
        TARGET,
        names=np.array(stock_names()),
        statistics=np.array(statistics, dtype=np.float32),
        embeddings=np.array(embeddings, dtype=np.float16),
    )


if __name__ == "__main__":
    main()
