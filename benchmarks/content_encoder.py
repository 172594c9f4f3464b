"""How well the posterior encoder hears: words kept when real takes are said in another voice, and what `noise_scale` changes.

    python benchmarks/content_encoder.py FOLDER [--takes 12] [--speakers ast_en_allison zh] [--noise-scales 0 0.667] [--json FILE]

FOLDER holds `metadata.csv` (file, text, language, speaker, split) and the recordings that it names; the held-out takes of each speaker are
converted to a stock voice (content: the posterior's mean; F0: WORLD's of the source, moved to the target's median; energy: the source's at
a typical level). Mandarin: synthetic sources, held-out sentences by stock voices. Printed: word (character) error of the sources and of the
conversions, likeness (GE2E cosine to the target's own speech, and to the source's takes), and the likeness of the target's own synthesis.

Second table: held-out sentences at `noise_scale` 0 and 0.667: word error and how far F0, durations and content differ between seeds.
"""

import argparse
import csv
import json
from collections import defaultdict
from itertools import pairwise
from pathlib import Path

import numpy as np
import soundfile

from hometone_client.adaptation.preparation import analyse, unaligned_phrase
from hometone_client.base.prosody import VOICED_HZ, Prosody
from hometone_client.base.runtime import SAMPLE_RATE_HZ, BaseRuntime
from hometone_client.base.styles import stock_style
from hometone_client.content.posterior import PosteriorEncoder
from hometone_client.content.variation import varied
from hometone_client.embedding.ge2e import SpeakerEncoder, centroid, similarity
from hometone_client.evaluation.error_rates import count_errors, pool
from hometone_client.evaluation.held_out import held_out_sentences
from hometone_client.evaluation.recognition import WhisperTranscriber
from hometone_client.models import ensure
from hometone_client.text import Frontend

TARGETS = {
    "ast_en_allison": "am_michael",
    "ast_es_allison": "em_alex",
    "ast_it_carlo": "if_sara",
    "ast_fr_june": "am_fenrir",
    "foq_en_joe": "af_heart",
}
MANDARIN = (("zf_xiaoxiao", "zm_yunxi"), ("zm_yunjian", "zf_xiaobei"))
LANGUAGES = ("en", "zh", "es", "fr", "it", "pt")
READS = {"en": "af_heart", "zh": "zf_xiaoxiao", "es": "ef_dora", "fr": "ff_siwis", "it": "if_sara", "pt": "pf_dora"}


class Judge:
    def __init__(self, threads):
        base = ensure("kokoro-82m-v1.0")
        self.base = BaseRuntime(base, threads=threads)
        self.encoder = PosteriorEncoder(ensure("whisper-base").parent, threads=threads)
        self.hear = WhisperTranscriber(ensure("whisper-base"), threads=threads)
        self.speaker = SpeakerEncoder(ensure("ge2e"), threads=threads)
        self.frontend = Frontend()

    def say(self, text, voice, language, *, seed=0):
        """Sound and F0 of a stock voice."""
        utterance = next(iter(self.frontend.utterances(text, language=language)))
        style = stock_style(voice, len(utterance.tokens))
        prosody = self.base.prosody(utterance.tokens, style)
        return self.base.decode(prosody, style, seed=seed), prosody.f0_hz

    def target(self, voice, language):
        """Median F0, centroid, and likeness of its own sentences to it."""
        said = [self.say(text, voice, language) for text in held_out_sentences(language)[:6]]
        f0 = np.concatenate([curve[curve > VOICED_HZ] for _, curve in said])
        embedded = [self.speaker.embed(sound, SAMPLE_RATE_HZ) for sound, _ in said]
        middle = centroid(embedded[:3])
        return float(np.median(f0)), middle, float(np.mean([similarity(each, middle) for each in embedded[3:]]))

    def convert(self, samples, rate, voice, median_hz, source_hz):
        """One take in another voice, float32 at 24 kHz."""
        phrase = unaligned_phrase(analyse(samples, rate))
        content = self.encoder.posterior(phrase.samples, SAMPLE_RATE_HZ).sample(0.0)
        f0_hz = (phrase.f0_hz * np.float32(median_hz / source_hz)).astype(np.float32)
        style = stock_style(voice, 80)
        return self.base.decode(Prosody(content, f0_hz, phrase.energy, np.array([content.shape[2]])), style, seed=0)

    def row(self, name, voice, takes):
        """Figures of one speaker; takes are (samples, rate, text, language)."""
        language = takes[0][3]
        median_hz, middle, own = self.target(voice, language)
        f0 = [analyse(samples, rate).f0_hz for samples, rate, _, _ in takes]
        source_hz = float(np.median(np.concatenate([curve[curve > VOICED_HZ] for curve in f0])))
        source_middle = centroid([self.speaker.embed(samples, rate) for samples, rate, _, _ in takes])
        before, after, near, far = [], [], [], []
        for samples, rate, text, spoken in takes:
            made = self.convert(samples, rate, voice, median_hz, source_hz)
            before.append(count_errors(text, self.hear(samples, rate, spoken), spoken))
            heard = self.hear(made, SAMPLE_RATE_HZ, spoken)
            after.append(count_errors(text, heard, spoken))
            embedded = self.speaker.embed(made, SAMPLE_RATE_HZ)
            near.append(similarity(embedded, middle))
            far.append(similarity(embedded, source_middle))
            if self.verbose and after[-1].errors:
                print(f"    {text!r} -> {heard!r}", flush=True)
        return {
            "source": name,
            "target": voice,
            "takes": len(takes),
            "units": pool(before).length,
            "error_source": pool(before).rate,
            "error_converted": pool(after).rate,
            "likeness_target": float(np.mean(near)),
            "likeness_own": own,
            "likeness_source": float(np.mean(far)),
        }

    def variation(self, language, noise_scale, seeds):
        """Errors and differences between seeds of the held-out sentences of one language."""
        counts, semitones, lengths, contents, totals = [], [], [], [], []
        for text in held_out_sentences(language):
            for utterance in self.frontend.utterances(text, language=language):
                style = stock_style(READS[language], len(utterance.tokens))
                plain = self.base.prosody(utterance.tokens, style)
                said = [varied(plain, utterance.tokens, noise_scale=noise_scale, seed=seed) for seed in seeds]
                for one, other in pairwise(said):
                    lengths.append(float(np.mean(one.durations != other.durations)))
                    totals.append(abs(np.log(one.durations.sum() / other.durations.sum())))
                    fitted, against = (each.retimed(plain.durations) for each in (one, other))
                    both = (fitted.f0_hz > VOICED_HZ) & (against.f0_hz > VOICED_HZ)
                    semitones.append(float(np.sqrt(np.mean((12 * np.log2(fitted.f0_hz[both] / against.f0_hz[both])) ** 2))))
                    contents.append(float(np.sqrt(np.mean((fitted.content - against.content) ** 2)) / plain.content.std()))
                for seed, prosody in zip(seeds, said, strict=True):
                    heard = self.hear(self.base.decode(prosody, style, seed=seed), SAMPLE_RATE_HZ, language)
                    counts.append(count_errors(utterance.text, heard, language))
        return {
            "language": language,
            "noise_scale": noise_scale,
            "sentences": len(counts),
            "error": pool(counts).rate,
            "f0_semitones": float(np.mean(semitones)),
            "tokens_of_other_length": float(np.mean(lengths)),
            "length_change": float(np.mean(totals)),
            "content_change": float(np.mean(contents)),
        }


def recordings(folder, most):
    takes = defaultdict(list)
    with (folder / "metadata.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["speaker"] in TARGETS and row["split"] == "heldout":
                takes[row["speaker"]].append(row)
    for speaker, rows in sorted(takes.items()):
        chosen = rows[:: max(1, len(rows) // most)][:most]
        sounds = [soundfile.read(folder / row["file"], dtype="float32") for row in chosen]
        yield speaker, [(samples, rate, row["text"], row["language"]) for (samples, rate), row in zip(sounds, chosen, strict=True)]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--takes", type=int, default=100, help="of each speaker, at most")
    parser.add_argument("--speakers", nargs="*", default=[*TARGETS, "zh"])
    parser.add_argument("--noise-scales", nargs="*", type=float, default=[0.0, 0.667])
    parser.add_argument("--languages", nargs="*", default=list(LANGUAGES))
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--verbose", action="store_true", help="print what was misheard")
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    judge = Judge(chosen.threads)
    judge.verbose = chosen.verbose
    rows, varying = [], []
    head("source", "target", "takes", "units", "error of source", "converted", "likeness to target", "target's own", "likeness to source")
    for speaker, takes in recordings(chosen.folder, chosen.takes):
        if speaker in chosen.speakers:
            rows.append(printed(judge.row(speaker, TARGETS[speaker], takes)))
    if "zh" in chosen.speakers:
        for source, target in MANDARIN:
            said = [(judge.say(text, source, "zh")[0], SAMPLE_RATE_HZ, text, "zh") for text in held_out_sentences("zh")[: chosen.takes]]
            rows.append(printed(judge.row(source, target, said)))
    if chosen.noise_scales:
        head("language", "noise scale", "sentences", "error", "F0 between seeds, st", "tokens of other length", "length", "content")
        for language in chosen.languages:
            varying += [printed(judge.variation(language, noise_scale, range(chosen.seeds))) for noise_scale in chosen.noise_scales]
    if chosen.json:
        chosen.json.write_text(json.dumps({"conversion": rows, "variation": varying}, indent=2), encoding="utf-8")


def head(*columns):
    print("| " + " | ".join(columns) + " |\n" + "|---" * len(columns) + "|", flush=True)


def printed(row):
    print("| " + " | ".join(f"{value:.3f}" if isinstance(value, float) else str(value) for value in row.values()) + " |", flush=True)
    return row


if __name__ == "__main__":
    main()
