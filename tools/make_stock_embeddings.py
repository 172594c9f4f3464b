"""Remakes client/hometone_client/adaptation/data/stock_embeddings.npz: where the stock voices lie in the speaker encoder's space.

Usage: python tools/make_stock_embeddings.py   (about four minutes on one core)

Every stock voice speaks two English sentences at a fixed seed; their GE2E embeddings are averaged. They belong to public synthetic
voices, not to people. `adaptation.mixture` looks for the mixture of stock voices that lies nearest to a speaker.
"""

import sys
from pathlib import Path

import numpy as np

from hometone_client.base.runtime import SAMPLE_RATE_HZ, BaseRuntime
from hometone_client.base.styles import stock_names, stock_style
from hometone_client.embedding.ge2e import SpeakerEncoder
from hometone_client.models.catalogue import ensure
from hometone_client.text import Frontend

SENTENCES = ("The weather was very good today, so I walked to the park.", "Please remember to take your medicine before the evening meal.")
TARGET = Path(__file__).parents[1] / "client/hometone_client/adaptation/data/stock_embeddings.npz"


def main() -> None:
    """Speak, embed, write."""
    base, encoder = BaseRuntime(ensure("kokoro-82m-v1.0"), threads=1), SpeakerEncoder(ensure("ge2e"))
    utterances = [u for sentence in SENTENCES for u in Frontend().utterances(sentence, language="en")]
    rows = []
    for name in stock_names():
        styles = [stock_style(name, len(u.tokens)) for u in utterances]
        sounds = [base.decode(base.prosody(u.tokens, style), style, seed=0) for u, style in zip(utterances, styles, strict=True)]
        mean = np.mean([encoder.embed(sound, SAMPLE_RATE_HZ) for sound in sounds], axis=0)
        rows.append(mean / np.linalg.norm(mean))
        sys.stdout.write(f"{name}\n")
    TARGET.parent.mkdir(exist_ok=True)
    np.savez_compressed(TARGET, names=np.array(stock_names()), embeddings=np.stack(rows).astype(np.float16))


if __name__ == "__main__":
    main()
