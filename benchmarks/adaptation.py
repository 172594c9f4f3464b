"""Make a voice from a speaker's enrolment takes and set it beside her held-out takes: every figure of docs/results.md about voices.

    python benchmarks/adaptation.py sample/allison/takes.csv [--tier standard] [--sentences 8] [--json FILE]
    python benchmarks/adaptation.py METADATA.csv --speaker NAME

The table needs the columns file (relative to it), text, language and split (enrol or heldout); `speaker` where it holds several. The voice
stays in memory and is gone at the end. Without a held-out text in a language the base speaks, the package's own English sentences are
spoken.
"""

import argparse
import csv
import json
import resource
import sys
import time
from pathlib import Path

import numpy as np
import soundfile

from hometone_client.adaptation import AdaptationSettings, EnrolmentTake, adapt
from hometone_client.adaptation.checkpoint import MemoryStore
from hometone_client.evaluation import yardsticks
from hometone_client.evaluation.held_out import held_out_sentences, languages
from hometone_client.models import model_folder
from hometone_client.speaking import SpeakingSettings, Synthesizer

RATE_HZ = 24_000


def rows(table: Path, speaker: str | None, split: str) -> list[dict[str, str]]:
    """The table's rows of one speaker and split."""
    with table.open(encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row["split"] == split and speaker in {None, row.get("speaker")}]


def main() -> None:
    """Adapt, speak, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("table", type=Path)
    parser.add_argument("--speaker")
    parser.add_argument("--tier", default="standard")
    parser.add_argument("--sentences", type=int, default=8)
    parser.add_argument("--without-words", action="store_true", help="as if nobody knew what is said")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    folder = arguments.table.parent

    def sounds(split: str) -> list[tuple[np.ndarray, int, str, str]]:
        chosen = rows(arguments.table, arguments.speaker, split)
        read = [soundfile.read(folder / row["file"], dtype="float32") for row in chosen]
        return [(samples, rate, row["text"], row["language"]) for (samples, rate), row in zip(read, chosen, strict=True)]

    enrolment, held = sounds("enrol"), sounds("heldout")
    takes = [
        EnrolmentTake(samples=samples, sample_rate_hz=rate, text=None if arguments.without_words else text, language=language)
        for samples, rate, text, language in enrolment
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
    language = held[0][3]
    texts = [(text, spoken) for _, _, text, spoken in held if len(text) > 20 and spoken in languages()][: arguments.sentences]
    texts = texts or [(text, "en") for text in held_out_sentences("en")[: arguments.sentences]]
    voice = Synthesizer(model_folder(), made.voice)
    synthetic = [
        (
            np.concatenate([part.samples for part in voice.speak(text, language=spoken, settings=SpeakingSettings(seed=1))]),
            RATE_HZ,
            text,
            spoken,
        )
        for text, spoken in texts
    ]
    measuring = yardsticks.Yardsticks(threads=2)
    real = measuring.measure([yardsticks.Clip(*clip) for clip in held])
    figures = yardsticks.compare(measuring.measure([yardsticks.Clip(*clip) for clip in synthetic]), real)
    print(f"\n{arguments.speaker or folder.name} ({language}), {arguments.tier}: {cost}")
    print(yardsticks.table(figures))
    print(json.dumps(made.record))
    if arguments.json:
        result = {"cost": cost, "figures": {row.name: row.as_dict() for row in figures}, "record": made.record}
        arguments.json.write_text(json.dumps(result, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
