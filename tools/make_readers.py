"""Remakes client/hometone_client/base/data/readers.json: which stock voices read a language for voices that were not recorded in it.

Usage: python tools/make_readers.py

The names are chosen by hand, by how well a recogniser understands them (docs/results.md); the pitch is measured here, on the sentences of
the language's campaign.
"""

import json
import sys
from pathlib import Path

import numpy as np

from hometone_client.base.readers import mean_style
from hometone_client.base.runtime import BaseRuntime
from hometone_client.models.catalogue import BASE, packages_base
from hometone_client.takes.campaigns import campaigns
from hometone_client.text import Frontend

VOICES = {"zh": ["zf_xiaobei", "zf_xiaoxiao"]}
VOICED_HZ = 55.0


def main() -> None:
    """Measure and write."""
    base, frontend = BaseRuntime(packages_base()), Frontend()
    readers = {}
    for language, names in VOICES.items():
        campaign = next(each for each in campaigns().values() if each.language == language)
        style = mean_style(names)
        utterances = [u for sentence in campaign.sentences for u in frontend.utterances(sentence, language=language)]
        f0 = np.concatenate([base.prosody(utterance.tokens, style).f0_hz for utterance in utterances])
        readers[language] = {"voices": names, "f0_hz": round(float(np.median(f0[f0 > VOICED_HZ])), 1)}
    about = f"Stock voices of {BASE} (Apache-2.0, hexgrad) whose prosody reads a language, and the median F0 of it; tools/make_readers.py"
    path = Path(__file__).parents[1] / "client/hometone_client/base/data/readers.json"
    path.write_text(json.dumps({"about": about, "readers": readers}, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(f"{readers}\n")


if __name__ == "__main__":
    main()
