"""How well a spoken phrase tells whose it is: the likeness at which as many strangers pass as owners are refused (requirement 54).

    python benchmarks/consent_phrase.py FOLDER

FOLDER holds `metadata.csv` with the columns file, speaker, gender and split (`enrol`, `heldout`), and the recordings that it names. As on a
laptop, an owner is the centroid of her `enrol` takes. A phrase is a stretch of `heldout` speech as long as six words take. A speaker who
is there under two names is told by SAME_PERSON, and is no stranger to herself.
"""

import csv
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np
import soundfile

from hometone_client.embedding.ge2e import SpeakerEncoder, centroid
from hometone_client.models import ensure, model_folder
from hometone_client.speakers.spoken_phrase import LEAST_LIKENESS, STRETCH_S, phrase_likeness

SAME_PERSON = {"ast_es_allison": "ast_en_allison"}
STRETCHES = (1, 2)


def main(folder):
    kept = Remembering(SpeakerEncoder(ensure("ge2e", folder=model_folder()), threads=1))
    takes, genders = defaultdict(list), {}
    with (folder / "metadata.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["split"] in {"enrol", "heldout"}:
                takes[row["speaker"], row["split"]].append(soundfile.read(folder / row["file"], dtype="float32"))
                genders[row["speaker"]] = row["gender"]
    speakers = sorted(genders)
    owners = {name: centroid(kept.embed_many(takes[name, "enrol"])) for name in speakers}
    for count in STRETCHES:
        seconds = count * STRETCH_S
        own, other, alike = [], [], []
        for owner in speakers:
            for name in speakers:
                phrases = cut(takes[name, "heldout"], seconds)
                scores = [phrase_likeness(owners[owner], samples, rate, encoder=kept) for samples, rate in phrases]
                if name == owner:
                    own += scores
                elif SAME_PERSON.get(name, name) != SAME_PERSON.get(owner, owner):
                    other += scores
                    alike += scores if genders[name] == genders[owner] else []
        report(f"{seconds} s", np.array(own), np.array(other), np.array(alike))


class Remembering:
    """The encoder, which embeds each stretch once."""

    def __init__(self, encoder):
        self.encoder, self.found = encoder, {}

    def embed_many(self, utterances):
        for samples, rate in utterances:
            if samples.tobytes() not in self.found:
                self.found[samples.tobytes()] = self.encoder.embed(samples, rate)
        return [self.found[samples.tobytes()] for samples, _ in utterances]


def cut(recordings, seconds):
    """Held-out speech in stretches of one length, each from one or two neighbouring takes."""
    rate = recordings[0][1]
    speech, size = np.concatenate([samples for samples, _ in recordings]), round(seconds * rate)
    return [(speech[start : start + size], rate) for start in range(0, speech.size - size + 1, size)]


def report(title, own, other, alike):
    def errors(strangers):
        steps = np.unique(np.concatenate([own, strangers]))
        refused, passed = (own[:, None] < steps).mean(axis=0), (strangers[:, None] >= steps).mean(axis=0)
        at = int(np.argmin(abs(refused - passed)))
        return f"threshold {steps[at]:.3f}, owners refused {refused[at]:.1%}, strangers passed {passed[at]:.1%}"

    print(f"{title}: {own.size} own phrases, {other.size} by others ({alike.size} of the same gender)")
    print(f"  own {own.mean():.3f} (5 % below {np.quantile(own, 0.05):.3f}), others {other.mean():.3f}", end=" ")
    print(f"(5 % above {np.quantile(other, 0.95):.3f})")
    print(f"  equal error, all strangers: {errors(other)}")
    print(f"  equal error, same gender:   {errors(alike)}")
    at = LEAST_LIKENESS
    print(
        f"  at {at}: owners refused {(own < at).mean():.1%}, strangers {(other >= at).mean():.1%}, same gender {(alike >= at).mean():.1%}"
    )


if __name__ == "__main__":
    main(Path(sys.argv[1]))
