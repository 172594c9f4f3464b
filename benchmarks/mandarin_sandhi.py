"""Tone sandhi on a hundred cases (`tests/vectors/text/sandhi.json`): how many are read with the expected surface tones?

Beside it two baselines: pypinyin's readings with its own tone sandhi, and jieba's words with pypinyin's readings and no sandhi, which is
what misaki gives the base (`ZHG2P.legacy_call`).

    python benchmarks/mandarin_sandhi.py [--json]

Seconds. Prints the cases that are not right.
"""

import argparse
import json
from itertools import groupby
from pathlib import Path

from pypinyin import Style, lazy_pinyin

from hometone_client.text.characters import is_han, readable
from hometone_client.text.pronunciation import mandarin
from hometone_client.text.reading import spoken_form

CASES = Path(__file__).parents[1] / "tests" / "vectors" / "text" / "sandhi.json"


def own(run):
    return "".join(str(syllable.tone) for word in mandarin.readings(run) for syllable in word)


def pypinyins(words, *, sandhi):
    syllables = [s for word in words for s in lazy_pinyin(word, style=Style.TONE3, neutral_tone_with_five=True, tone_sandhi=sandhi)]
    return "".join(syllable[-1] for syllable in syllables)


READINGS = {
    "this frontend": own,
    "pypinyin with sandhi, by phrase": lambda run: pypinyins([run], sandhi=True),
    "pypinyin with sandhi, by jieba's words": lambda run: pypinyins(mandarin.segment(run), sandhi=True),
    "jieba and pypinyin without sandhi (misaki)": lambda run: pypinyins(mandarin.segment(run), sandhi=False),
}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    cases = json.loads(CASES.read_text(encoding="utf-8"))["cases"]
    right, wrong = dict.fromkeys(READINGS, 0), []
    for case in cases:
        spoken = spoken_form(readable(case["text"]), language="zh", latin="en")
        runs = ["".join(run) for han, run in groupby(spoken, key=is_han) if han]
        for name, read in READINGS.items():
            tones = "".join(map(read, runs))
            ok = tones in {case["tones"], *case.get("or", [])}
            right[name] += ok
            if not ok and name == "this frontend":
                wrong.append(f"{case['text']}: {tones}, expected {case['tones']}")
    if arguments.json:
        print(json.dumps({"cases": len(cases), "right": right, "wrong": wrong}, ensure_ascii=False, indent=1))
        return
    for name, count in right.items():
        print(f"{name:45} {count} of {len(cases)}")
    print("\n".join(wrong))


if __name__ == "__main__":
    main()
