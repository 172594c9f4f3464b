"""Fifty sentences in which Mandarin and English meet: are they understood, do they pause, does the pitch jump (requirements 22 and 36)?

Three ways of saying them: `pasted` (every stretch of one language is a sentence of its own, its edges trimmed, put one behind another:
the baseline), `plain` (one utterance, as the base decides it) and `joined` (with `speaking.joins`). Voices: one Mandarin and one English
stock voice, and a mixture of English voices as of somebody who enrolled in English (`base.readers` reads Mandarin for it).

* Pause: the longest stretch 40 dB below the loudest 5 ms within 150 ms of a switch without a mark (the closure of a plosive counts too).
* Jump: semitones between the last and the first three voiced frames (median of 5 ms frames of WORLD's Harvest on the sound, within
  200 ms) on both sides of a boundary between words; inside a language the same.
* Chinese: characters and syllables without tone of what Whisper base hears as Chinese, in the whole sentence or in its Chinese stretches
  cut out by the phonemes' times, whichever is better; where an English word stands, up to eight units of any kind count nothing, because
  the recogniser translates (coffee comes back as 咖啡).
* English: a word counts as heard when its letters, a fifth of them wrong at most, are in that text, or in what is heard as English in the
  English stretches cut out of the sound by the phonemes' times. Short words cut out are hard for this recogniser: read differences.

    python benchmarks/mixed_language.py [--voices zf_xiaoxiao af_heart mixture] [--ways pasted plain joined] [--cache FILE] [--json]

One seed; about 5 CPU seconds a sentence, voice and way. With --cache what is done is kept and not done again.
"""

import argparse
import json
from dataclasses import replace
from itertools import groupby, pairwise
from pathlib import Path

import numpy as np
import pyworld
from pypinyin import Style, lazy_pinyin

from hometone_client.base.styles import TYPICAL_TOKENS, stock_style
from hometone_client.evaluation.normalisation import units
from hometone_client.evaluation.recognition import WhisperTranscriber
from hometone_client.models import ensure, model_folder
from hometone_client.speaking import Sessions, finishing
from hometone_client.speaking.joins import joined
from hometone_client.speaking.synthesizer import in_language
from hometone_client.speaking.timing import timings
from hometone_client.text.characters import is_han
from hometone_client.text.words import MARKS
from hometone_client.voices import F0Map, stock_parameters

RATE_HZ = 24_000
WAYS = ("pasted", "plain", "joined")
MIXTURE = {"af_heart": 0.5, "bf_emma": 0.3, "af_bella": 0.2}
SENTENCES = Path(__file__).parent / "data" / "mixed_sentences.json"
WILD = "*"


def voice_of(name, sessions):
    if name != "mixture":
        return stock_parameters(name, base_sha256=sessions.base_sha256)
    stock = stock_parameters("af_heart", base_sha256=sessions.base_sha256)
    style = sum(weight * stock_style(part, TYPICAL_TOKENS) for part, weight in MIXTURE.items())
    return replace(stock, style=style.astype(np.float32), f0_map=F0Map(reference_hz=200.0, target_hz=190.0), languages=("en",))


def language(word):
    return None if word.text in MARKS else "zh" if any(map(is_han, word.text)) else "en"


def said(utterance, voice, runtime, *, way):
    """Sound of one utterance and its words with language and time."""
    voice = in_language(voice, utterance.language)
    prosody = runtime.prosody(utterance.tokens, voice.style)
    prosody = joined(prosody, utterance) if way == "joined" else prosody
    sound = runtime.decode(replace(prosody, f0_hz=voice.f0_map(prosody.f0_hz)), voice.style, seed=1)
    kept = finishing.kept(sound)
    finished = finishing.edged(sound[kept], pause_s=0.0)
    times = iter(timings(prosody.durations, utterance.tokens, sound=sound, kept=kept, total=finished.size))
    spans, end = [], 0.0
    for symbol in ("", *utterance.phonemes, ""):
        if (time := next(times, None)) is None or time.symbol != symbol:
            spans.append((end, end))
            continue
        spans.append((time.start_s, time.end_s))
        end = time.end_s
    words = [(w.text, language(w), spans[w.start + 1][0], spans[w.stop][1]) for w in utterance.words]
    return finished, words


def spoken(text, voice, runtime, frontend, *, way):
    pieces = [text]
    if way == "pasted":
        runs = groupby(text, key=lambda c: "zh" if is_han(c) else "en" if c.isalpha() else None)
        pieces, last = [""], None
        for kind, run in runs:
            if kind and last and kind != last:
                pieces.append("")
            pieces[-1] += "".join(run)
            last = kind or last
    sound, words = np.zeros(0, np.float32), []
    for piece in pieces:
        for utterance in frontend.utterances(piece):
            part, its = said(utterance, voice, runtime, way=way)
            at = sound.size / RATE_HZ
            its = [w for w in its if w[1] or way != "pasted" or w[0] in piece]  # full stops that only the pasting brings
            words += [(t, kind, a + at, b + at) for t, kind, a, b in its]
            sound = np.concatenate([sound, part])
    return sound, words


def pause_ms(sound, at_s):
    level = np.sqrt(np.mean(sound[: sound.size // 120 * 120].reshape(-1, 120) ** 2, axis=1))
    quiet = level < level.max() * 0.01
    runs, i = [], 0
    for is_quiet, run in groupby(quiet):
        n = len(list(run))
        if is_quiet and i <= (at_s + 0.15) * 200 and i + n >= (at_s - 0.15) * 200:
            runs.append(5 * n)
        i += n
    return max(runs, default=0)


def boundaries(sound, words):
    f0, times = pyworld.harvest(sound.astype(np.float64), RATE_HZ, f0_floor=60.0, f0_ceil=600.0)
    found = []
    for a, b in pairwise(words):
        if not a[1] or not b[1]:
            continue
        at = (a[3] + b[2]) / 2
        ends = f0[(times > max(a[2], at - 0.2)) & (times <= at) & (f0 > 0)][-3:]
        begins = f0[(times > at) & (times < min(b[3], at + 0.2)) & (f0 > 0)][:3]
        jump = None
        if ends.size and begins.size:
            jump = abs(float(12 * np.log2(np.median(begins) / np.median(ends))))
        found.append({"switch": a[1] != b[1], "pause_ms": pause_ms(sound, at), "jump": jump})
    return found


def distance(reference, heard, *, same):
    """Edits from reference to heard; a wildcard takes up to eight units for nothing."""
    row = list(range(len(heard) + 1))
    for want in reference:
        if want == WILD:
            row = [min(row[max(0, j - 8) : j + 1]) for j in range(len(row))]
            continue
        new = [row[0] + 1]
        for j, got in enumerate(heard):
            new.append(min(row[j] + (not same(want, got)), row[j + 1] + 1, new[j] + 1))
        row = new
    return row[-1]


def syllable(character):
    return lazy_pinyin(character, style=Style.NORMAL)[0]


def letters_missed(word, text):
    """Share of a word's letters that no part of the text has."""
    word, text = ("".join(c for c in part.casefold() if c.isascii() and c.isalpha()) for part in (word, text))
    row = [0] * (len(text) + 1)
    for i, want in enumerate(word):
        new = [i + 1]
        for j, got in enumerate(text):
            new.append(min(row[j] + (want != got), row[j + 1] + 1, new[j] + 1))
        row = new
    return min(row) / max(1, len(word))


def stretches(sound, words, language):
    """The stretches of one language cut out, half a second of silence around each."""
    gap = np.zeros(RATE_HZ // 2, np.float32)
    parts = [gap]
    for kind, run in groupby((word for word in words if word[1]), key=lambda word: word[1]):
        these = list(run)
        if kind == language:
            parts += [sound[max(0, int((these[0][2] - 0.03) * RATE_HZ)) : int((these[-1][3] + 0.05) * RATE_HZ)], gap]
    return np.concatenate(parts)


def chinese_errors(reference, text):
    """Errors in characters and in syllables without tone."""
    got = units(text, "mixed")
    count = sum(unit != WILD for unit in reference)
    characters = distance(reference, got, same=str.__eq__)
    return min(count, characters), min(count, distance(reference, got, same=lambda a, b: syllable(a) == syllable(b)))


def heard_scores(sound, words, transcriber):
    chinese = transcriber(sound, RATE_HZ, "zh")
    reference = []
    for text, kind, _, _ in words:
        if kind == "zh":
            reference += units(text, "mixed")
        elif kind == "en" and reference[-1:] != [WILD]:
            reference.append(WILD)
    count = sum(unit != WILD for unit in reference)
    english = [text for text, kind, _, _ in words if kind == "en"]
    alone = ""
    if any(letters_missed(word, chinese) > 0.2 for word in english):
        alone = transcriber(stretches(sound, words, "en"), RATE_HZ, "en")
    errors = chinese_errors(reference, chinese)
    if errors[1]:
        apart = transcriber(stretches(sound, words, "zh"), RATE_HZ, "zh")
        errors = min(errors, chinese_errors(reference, apart), key=lambda pair: pair[::-1])
    missed = [word for word in english if min(letters_missed(word, chinese), letters_missed(word, alone)) > 0.2]
    return {
        "chinese": chinese,
        "english": alone,
        "characters": count,
        "character_errors": errors[0],
        "syllable_errors": errors[1],
        "words": len(english),
        "missed": missed,
    }


def summary(rows):
    switches = [b for row in rows for b in row["boundaries"] if b["switch"]]
    jumps = [[b["jump"] for row in rows for b in row["boundaries"] if b["switch"] is s and b["jump"] is not None] for s in (True, False)]
    total = {key: sum(row[key] for row in rows) for key in ("characters", "character_errors", "syllable_errors", "words")}
    return {
        "sentences": len(rows),
        "switches": len(switches),
        "longest_pause_ms": max(b["pause_ms"] for b in switches),
        "pauses_above_250_ms": sum(b["pause_ms"] > 250 for b in switches),
        "jump_switch": [float(np.percentile(jumps[0], q)) for q in (50, 95)],
        "jump_inside": [float(np.percentile(jumps[1], q)) for q in (50, 95)],
        "character_error": total["character_errors"] / total["characters"],
        "syllable_error": total["syllable_errors"] / total["characters"],
        "english_words_missed": sum(len(row["missed"]) for row in rows) / total["words"],
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--voices", nargs="+", default=["zf_xiaoxiao", "af_heart", "mixture"])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--every", type=int, default=1, help="only every n-th sentence")
    parser.add_argument("--cache", type=Path)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()

    done = {}
    if arguments.cache and arguments.cache.is_file():
        for line in arguments.cache.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            done[row["voice"], row["way"], row["text"]] = row
    sessions = Sessions(model_folder(), threads=arguments.threads)
    transcriber = WhisperTranscriber(ensure("whisper-base"), threads=arguments.threads)
    texts = [case["text"] for case in json.loads(SENTENCES.read_text(encoding="utf-8"))["sentences"]][:: arguments.every]
    table = {}
    for name in arguments.voices:
        voice = voice_of(name, sessions)
        for text in texts:
            for way in arguments.ways:
                key = (name, way, text)
                if key not in done:
                    sound, words = spoken(text, voice, sessions.runtime(voice), sessions.frontend, way=way)
                    row = {"voice": name, "way": way, "text": text, "boundaries": boundaries(sound, words)}
                    done[key] = row | heard_scores(sound, words, transcriber)
                    if arguments.cache:
                        with arguments.cache.open("a", encoding="utf-8") as file:
                            file.write(json.dumps(done[key], ensure_ascii=False) + "\n")
        for way in arguments.ways:
            table[f"{name} {way}"] = summary([done[name, way, text] for text in texts])
    if arguments.json:
        print(json.dumps(table, indent=1))
        return
    print("| voice, way | longest pause | jump at switches (50 %, 95 %) | inside | characters | syllables | English words missed |")
    for name, row in table.items():
        jumps = ["/".join(f"{x:.1f}" for x in row[key]) for key in ("jump_switch", "jump_inside")]
        errors = [f"{row[key]:.3f}" for key in ("character_error", "syllable_error", "english_words_missed")]
        print("| " + " | ".join([name, f"{row['longest_pause_ms']} ms ({row['pauses_above_250_ms']})", *jumps, *errors]) + " |")


if __name__ == "__main__":
    main()
