"""Judge synthetic speech against a person's own takes.

    python benchmarks/yardsticks.py SYNTHETIC... --reference TAKES... [--language en] [--only likeness spectrum] [--json]

The text of a file stands in a text file of the same name beside it (`hello.wav`, `hello.txt`), or in a CSV given with --texts that has
the columns `file`, `text` and `language`. Without texts, error rates and speaking rates are left out.
"""

import argparse
import csv
import json
import sys
from pathlib import Path

import soundfile

from hometone_client.evaluation.yardsticks import ALL_MEASURES, Clip, Yardsticks, compare, table


def _read_clips(paths, language, texts):
    clips = []
    for path in paths:
        samples, rate = soundfile.read(path, dtype="float32", always_2d=True)
        text, spoken_language = texts.get(path.name, ("", language))
        beside = path.with_suffix(".txt")
        if not text and beside.is_file():
            text = beside.read_text(encoding="utf-8").strip()
        clips.append(Clip(samples.mean(axis=1), rate, text, spoken_language))
    return clips


def _read_texts(path):
    if path is None:
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        return {Path(row["file"]).name: (row["text"], row["language"]) for row in csv.DictReader(file)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("synthetic", nargs="+", type=Path)
    parser.add_argument("--reference", nargs="+", type=Path, required=True)
    parser.add_argument("--language", default="en")
    parser.add_argument("--texts", type=Path)
    parser.add_argument("--only", nargs="+", choices=sorted(ALL_MEASURES), default=sorted(ALL_MEASURES))
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()

    texts = _read_texts(arguments.texts)
    synthetic = _read_clips(arguments.synthetic, arguments.language, texts)
    real = _read_clips(arguments.reference, arguments.language, texts)
    measures = frozenset(arguments.only)
    if not all(clip.text for clip in synthetic + real):
        print("no texts: error rates and speaking rates are left out", file=sys.stderr)
        measures -= {"errors", "rate"}
    yardsticks = Yardsticks(measures=measures)
    rows = compare(yardsticks.measure(synthetic), yardsticks.measure(real))
    print(json.dumps({row.name: row.as_dict() for row in rows}, indent=1) if arguments.json else table(rows))


if __name__ == "__main__":
    main()
