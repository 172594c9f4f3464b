"""Make a voice from a speaker's enrolment takes and set it beside her held-out takes: every figure of docs/results.md about voices.

    python benchmarks/adaptation.py sample/allison/takes.csv [--tier standard] [--sentences 8] [--chinese 5] [--json FILE]
    python benchmarks/adaptation.py METADATA.csv --speaker NAME

The table needs the columns file (relative to it), text, language and split (enrol or heldout); `speaker` where it holds several. The voice
stays in memory and is gone at the end. Without a held-out text in a language the base speaks, the package's own English sentences are
spoken. Errors stand beside those of the plain mixture of stock voices nearest to the speaker on the same sentences. With --chinese, so many
Mandarin and as many mixed sentences are spoken too, beside the base's own Mandarin voices.
"""

import argparse
import csv
import datetime as dt
import json
import resource
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import soundfile

from hometone_client.adaptation import AdaptationSettings, EnrolmentTake, adapt
from hometone_client.adaptation.checkpoint import MemoryStore
from hometone_client.adaptation.mixture import nearest_mixture
from hometone_client.base.styles import TYPICAL_TOKENS, stock_style
from hometone_client.embedding.ge2e import centroid
from hometone_client.evaluation import yardsticks
from hometone_client.evaluation.held_out import held_out_sentences, languages
from hometone_client.models import model_folder
from hometone_client.speaking import Sessions, SpeakingSettings, Synthesizer
from hometone_client.voices import VoiceParameters

RATE_HZ = 24_000
CHINESE_VOICES = ("zf_xiaobei", "zf_xiaoxiao", "zm_yunxi", "zm_yunyang")

Sentence = tuple[str, str]


def rows(table: Path, speaker: str | None, split: str) -> list[dict[str, str]]:
    """The table's rows of one speaker and split."""
    with table.open(encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row["split"] == split and speaker in {None, row.get("speaker")}]


def plain(style: np.ndarray, base_sha256: str) -> VoiceParameters:
    """A style of the base's own, as a voice."""
    created = dt.datetime.now(dt.UTC).replace(microsecond=0)
    return VoiceParameters(style=style, base_sha256=base_sha256, recipe="stock-1", created=created)


def spoken(voice: VoiceParameters, sentences: Sequence[Sentence], sessions: Sessions) -> list[yardsticks.Clip]:
    """What a voice makes of some sentences."""
    synthesizer = Synthesizer(model_folder(), voice, sessions=sessions)
    clips = []
    for text, language in sentences:
        chosen = None if language in {"mixed", "zh"} else language
        parts = [part.samples for part in synthesizer.speak(text, language=chosen, settings=SpeakingSettings(seed=1))]
        clips.append(yardsticks.Clip(np.concatenate(parts), RATE_HZ, text, language))
    return clips


def errors(clips: Sequence[yardsticks.Clip], recognising: yardsticks.Yardsticks) -> float:
    """Pooled errors, percent."""
    counted = recognising.measure(clips).errors(clips[0].language)
    return round(100 * counted.rate, 2) if counted is not None else float("nan")


def chinese(voice: VoiceParameters, count: int, sessions: Sessions, recognising: yardsticks.Yardsticks) -> dict[str, dict[str, float]]:
    """Errors in Mandarin and mixed sentences, percent: the voice, and the base's own Mandarin voices."""
    found: dict[str, dict[str, float]] = {}
    for language in ("zh", "mixed"):
        sentences = [(text, language) for text in held_out_sentences(language)[:count]]
        found[language] = {"voice": errors(spoken(voice, sentences, sessions), recognising)}
        for name in CHINESE_VOICES:
            stock = plain(stock_style(name, TYPICAL_TOKENS), voice.base_sha256)
            found[language][name] = errors(spoken(stock, sentences, sessions), recognising)
    return found


def main() -> None:
    """Adapt, speak, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("--speaker")
    parser.add_argument("--tier", default="standard")
    parser.add_argument("--sentences", type=int, default=8)
    parser.add_argument("--chinese", type=int, default=0)
    parser.add_argument("--without-words", action="store_true", help="as if nobody knew what is said")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    folder = arguments.table.parent

    def sounds(split: str) -> list[yardsticks.Clip]:
        chosen = rows(arguments.table, arguments.speaker, split)
        read = [soundfile.read(folder / row["file"], dtype="float32") for row in chosen]
        return [yardsticks.Clip(samples, rate, row["text"], row["language"]) for (samples, rate), row in zip(read, chosen, strict=True)]

    enrolment, held = sounds("enrol"), sounds("heldout")
    takes = [
        EnrolmentTake(
            samples=clip.samples, sample_rate_hz=clip.rate, text=None if arguments.without_words else clip.text, language=clip.language
        )
        for clip in enrolment
    ]
    wall, cpu = time.monotonic(), time.process_time()
    made = adapt(
        takes,
        settings=AdaptationSettings.for_tier(arguments.tier),
        models=None,
        checkpoint=MemoryStore(),
        progress=lambda step: print(f"\r{step.words:12} {step.fraction:4.0%}", end="", file=sys.stderr, flush=True),
    )
    cost = {
        "wall_s": round(time.monotonic() - wall, 1),
        "cpu_s": round(time.process_time() - cpu, 1),
        "peak_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
    }
    sentences = [(clip.text, clip.language) for clip in held if len(clip.text) > 20 and clip.language in languages()]
    sentences = sentences[: arguments.sentences] or [(text, "en") for text in held_out_sentences("en")[: arguments.sentences]]
    measuring, sessions = yardsticks.Yardsticks(threads=2), Sessions(model_folder())
    recognising = yardsticks.Yardsticks(measures=frozenset({"errors"}), threads=2)
    synthetic = measuring.measure(spoken(made.voice, sentences, sessions))
    mixture = nearest_mixture(centroid([measuring.encoder.embed(clip.samples, clip.rate) for clip in enrolment]), enrolment[0].language)
    unadapted = errors(spoken(plain(mixture.style, made.voice.base_sha256), sentences, sessions), recognising)
    figures = yardsticks.compare(synthetic, measuring.measure(held))
    others = chinese(made.voice, arguments.chinese, sessions, recognising) if arguments.chinese else {}
    print(f"\n{arguments.speaker or folder.name} ({held[0].language}), {arguments.tier}: {cost}")
    print(yardsticks.table(figures))
    print(f"errors of the plain mixture on the same sentences: {unadapted} %")
    for language, found in others.items():
        print(f"errors in {language}: {found}")
    print(json.dumps(made.record))
    if arguments.json:
        result = {
            "cost": cost,
            "figures": {row.name: row.as_dict() for row in figures},
            "mixture_errors": unadapted,
            "chinese": others,
            "record": made.record,
        }
        arguments.json.write_text(json.dumps(result, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
