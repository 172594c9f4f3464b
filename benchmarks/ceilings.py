"""What real speakers reach on the yardsticks: the ceilings of docs/evaluation.md, as a Markdown table.

    python benchmarks/ceilings.py FOLDER

FOLDER holds `metadata.csv` with the columns file, text, language, speaker and split (`enrol`, `heldout`), and the recordings that it names.
Enrolment takes are set beside held-out takes of the same person, as a perfect voice would be.
"""

import csv
import sys
from collections import defaultdict
from pathlib import Path

import soundfile

from hometone_client.evaluation.yardsticks import Clip, Yardsticks, compare

# Speakers whose texts are not what is said: isolated syllables, unreliable transcripts (README of the recordings).
WITHOUT_TEXTS = ("gcin_", "fil_")
COLUMNS = (
    "likeness", "timbre", "error_rate", "distillmos", "dnsmos_overall", "spectrum_distance", "f0_median", "f0_range", "rate",
)  # fmt: skip


def main(folder):
    takes = defaultdict(list)
    with (folder / "metadata.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["split"] in {"enrol", "heldout"}:
                samples, rate = soundfile.read(folder / row["file"], dtype="float32")
                takes[row["speaker"], row["split"]].append(Clip(samples, rate, row["text"], row["language"]))
    everything = Yardsticks()
    without_texts = Yardsticks(measures=everything.measures - {"errors", "rate"})
    print("| speaker | " + " | ".join(COLUMNS) + " |")
    print("|---" * (len(COLUMNS) + 1) + "|")
    for speaker in sorted({name for name, _ in takes}):
        yardsticks = without_texts if speaker.startswith(WITHOUT_TEXTS) else everything
        enrolled, held_out = (yardsticks.measure(takes[speaker, split]) for split in ("enrol", "heldout"))
        rows = {row.name: row for row in compare(enrolled, held_out)}
        language = takes[speaker, "heldout"][0].language
        rows |= {kind: rows[f"{kind}_{language}"] for kind in ("error_rate", "rate") if f"{kind}_{language}" in rows}
        print(f"| {speaker} | " + " | ".join(cell(rows.get(column)) for column in COLUMNS) + " |", flush=True)


def cell(row):
    """Held-out figure (ceiling), then that of the enrolment takes, then the floor."""
    if row is None:
        return "-"
    figures = [row.real, row.synthetic] + ([] if row.floor is None else [row.floor])
    return " / ".join(f"{figure:.{row.decimals}f}" for figure in figures)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
