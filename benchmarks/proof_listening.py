"""How well listening to oneself tells good sentences from spoiled ones, and what it costs (docs/proof-listening.md).

Good ones are spoken by stock voices; spoiled ones are the same with one thing wrong:

    swallowed        one word of at least four sounds cut out
    skipped          a third of the words cut out, at least two
    cut off          the last third of the sound missing
    repeated         a quarter of the words, at least two, said twice
    noise            white noise 5 dB above the speech
    hurried          spoken at length_scale 0.3
    other language   read by the rules of another language (some of these are still understood, and then rightly pass)

Every sentence is heard once and written to the cache, so that the run can be broken off and gone on with; the table is made of what is
there.

    python benchmarks/proof_listening.py --cache heard.jsonl [--minutes 60] [--shard 0/2] [--show] [--json]
    python benchmarks/proof_listening.py --cache heard.jsonl --minutes 0        only the table
"""

import argparse
import json
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hometone_client.models import ensure, model_folder
from hometone_client.prooflistening.listener import BOUNDS, Heard, Hearing, checked_language, judged
from hometone_client.speaking import Sessions, SpeakingSettings, SpokenSentence, Synthesizer
from hometone_client.takes import Transcriber
from hometone_client.text import Frontend, Utterance
from hometone_client.text.utterance import WordSpan
from hometone_client.voices import VoiceRegistry
from hometone_shared.errors import TextError

ROOT = Path(__file__).resolve().parents[1]
RATE_HZ = 24_000
SPOILS = ("swallowed", "skipped", "repeated", "cut off", "noise", "hurried", "other language")
OTHER = {"en": "it", "es": "fr", "fr": "en", "it": "fr", "pt": "en"}
ZH_VOICES = ("zf_xiaoxiao", "zm_yunxi", "zf_xiaobei", "zm_yunjian", "zf_xiaoyi", "zm_yunyang", "zf_xiaoni", "zm_yunxia")
VOICES = {
    "en": ("af_heart", "am_michael", "bf_emma", "af_bella", "am_fenrir", "bm_george", "af_nicole", "am_puck"),
    "en-gb": ("bf_emma", "bm_george"),
    "zh": ZH_VOICES,
    "mixed": ZH_VOICES,
    "es": ("ef_dora", "em_alex"),
    "fr": ("ff_siwis",),
    "it": ("if_sara", "im_nicola"),
    "pt": ("pf_dora", "pm_alex"),
}
SHORT = {
    "en": "Good morning.|Lunch is ready.|Please sit down.|The bus is late.|Open the window, please.|Your daughter called.|It is raining.|"
    "Drink some water.|Where is my coat?|Time for bed.|Happy birthday!|Yes, of course.|Thank you very much.|The doctor is here.|"
    "See you tomorrow.|Mind the step.|Supper at six.|Close the door.|How are you today?|I am fine.",
    "zh": "早上好。|吃饭了。|请坐。|下雨了。|记得吃药。|您女儿来电话了。|谢谢大家。|明天见。|小心台阶。|该睡觉了。|生日快乐！|医生来了。|"
    "多喝水。|请开一下窗户。|我的外套在哪里？|您今天好吗？|班车晚点了。|六点开饭。|请关门。|不客气。",
    "es": "Buenos días.|La comida está lista.|Está lloviendo.|Hasta mañana.|Cierre la puerta, por favor.",
    "fr": "Bonjour à tous.|Le dîner est prêt.|Il fait froid ce soir.|À demain.|Fermez la porte, s'il vous plaît.",
    "it": "Buonasera a tutti.|La cena è pronta.|Oggi piove.|A domani.|Chiuda la porta, per favore.",
    "pt": "Bom dia a todos.|O jantar está pronto.|Está chovendo.|Até amanhã.|Feche a porta, por favor.",
}
Samples = NDArray[np.float32]


def corpus() -> list[tuple[int, str, str, str]]:
    """(number, set, language, text) in a fixed order that mixes languages; hard ones have figures, names and abbreviations."""
    found: list[tuple[str, str, str]] = []
    held_out = json.loads((ROOT / "client/hometone_client/evaluation/data/held_out_sentences.json").read_text(encoding="utf-8"))
    for language, texts in held_out.items():
        found += [("everyday", language, text) for text in texts] if language != "about" else []
    for language, joined in SHORT.items():
        found += [("short", language, text) for text in joined.split("|")]
    for name, step in (("english", 2), ("mandarin", 2), ("romance", 2), ("mixed", 1)):
        cases = json.loads((ROOT / f"tests/vectors/text/{name}.json").read_text(encoding="utf-8"))["cases"][::step]
        found += [("hard", case.get("language") or ("mixed" if name == "mixed" else "zh"), case["text"]) for case in cases]
    return [(int(number), *found[number]) for number in np.random.default_rng(7).permutation(len(found))]


def word_times(sentence: SpokenSentence) -> list[tuple[float, float, int]]:
    """(start in s, end in s, sounds) of every word that is said."""
    times, utterance = sentence.timings, sentence.utterance
    size = len(utterance.phonemes)
    lead = next(i for i in range(len(times) - size + 1) if "".join(t.symbol for t in times[i : i + size]) == utterance.phonemes)
    found = []
    for word in utterance.words:
        letters = sum(symbol.isalpha() for symbol in utterance.phonemes[word.start : word.stop])
        if letters >= 2:
            found.append((times[lead + word.start].start_s, times[lead + word.stop - 1].end_s, letters))
    return found


def joined(*parts: Samples) -> Samples:
    """Pieces with 5 ms of fading at each edge, so that nothing clicks."""
    faded = []
    for part in parts:
        piece, edge = part.copy(), min(120, part.size // 2)
        ramp = np.linspace(0.0, 1.0, edge, dtype=np.float32)
        piece[:edge] *= ramp
        piece[piece.size - edge :] *= ramp[::-1]
        faded.append(piece)
    return np.concatenate(faded)


def spoiled(kind: str, sentence: SpokenSentence, generator: np.random.Generator) -> Samples | None:
    """The sound with one thing wrong; None where the sentence is too short for it."""
    sound, words = sentence.samples, word_times(sentence)

    def at(seconds: float) -> int:
        return round(seconds * RATE_HZ)

    if kind == "noise":
        level = np.sqrt(np.mean(sound[np.abs(sound) > 0.01] ** 2)) * 10 ** (5 / 20)
        return np.asarray(sound + level * generator.standard_normal(sound.size), dtype=np.float32)
    if kind == "cut off" and len(words) >= 3:
        first, last = words[0][0], words[-1][1]
        return joined(sound[: at(first + (last - first) * 0.65)])
    long_words = [word for word in words if word[2] >= 4]
    if kind == "swallowed" and long_words and len(words) >= 2:
        start, end, _ = long_words[int(generator.integers(len(long_words)))]
        return joined(sound[: at(start)], sound[at(end) :])
    if (kind == "skipped" and len(words) >= 4) or (kind == "repeated" and len(words) >= 2):
        count = min(len(words), max(2, len(words) // (3 if kind == "skipped" else 4)))
        begin = int(generator.integers(len(words) - count + 1))
        start, end = at(words[begin][0]), at(words[begin + count - 1][1])
        return joined(sound[:start], sound[end:]) if kind == "skipped" else joined(sound[:end], sound[start:end], sound[end:])
    return None


class Collector:
    """Speaks, spoils and hears; each result is a line of the cache."""

    def __init__(self, cache: Path) -> None:
        models = model_folder()
        self._sessions = Sessions(models, threads=1)
        self._registry = VoiceRegistry(base_sha256=self._sessions.base_sha256)
        self._transcriber = Transcriber(ensure("whisper-base", folder=models), threads=1)
        self._models, self._cache = models, cache
        self._done = {tuple(row["key"][:2]) for row in rows(cache)}
        self._voices: dict[str, Synthesizer] = {}

    def collect(self, *, minutes: float, shard: int, shards: int) -> None:
        """Go through the corpus: good ones with a first spoil each, then further spoils."""
        until = time.monotonic() + 60 * minutes
        todo = [line for place, line in enumerate(corpus()) if place % shards == shard]
        with self._cache.open("a", encoding="utf-8") as target:
            for turn in range(3):
                for number, name, language, text in todo:
                    if time.monotonic() >= until:
                        return
                    kinds = [*(("good",) if turn == 0 else ()), SPOILS[(number + turn * 3) % len(SPOILS)]]
                    kinds = [kind for kind in kinds if (number, kind) not in self._done]
                    for row in self._rows(number, name, language, text, kinds=kinds) if kinds else ():
                        target.write(json.dumps(row, ensure_ascii=False) + "\n")
                        target.flush()

    def _rows(self, number: int, name: str, language: str, text: str, *, kinds: list[str]) -> Iterator[dict[str, Any]]:
        voice = VOICES[language][number % len(VOICES[language])]
        if voice not in self._voices:
            self._voices[voice] = Synthesizer(self._models, self._registry.get(voice).load(), sessions=self._sessions)
        read_as = None if language in {"mixed", "zh"} else language
        started = time.process_time()
        spoken = list(self._voices[voice].speak(text, language=read_as, settings=SpeakingSettings(seed=number)))
        cost = time.process_time() - started
        for place, sentence in enumerate(spoken):
            utterance = sentence.utterance
            checked = checked_language(utterance)
            for kind in kinds:
                generator = np.random.default_rng([number, place, len(kind)])
                sound = self._sound(kind, sentence, voice=voice, read_as=read_as, seed=number, generator=generator)
                begun = time.process_time()
                languages = [utterance.language.partition("-")[0], *(["en"] if checked == "mixed" else [])]
                heard = None if sound is None else {each: self._heard(sound, each) for each in languages}
                yield {
                    "key": [number, kind, place],
                    "kind": kind,
                    "heard": heard,
                    "hear_cpu": round(time.process_time() - begun, 3),
                    "speak_cpu": round(cost, 2) if kind == "good" else None,
                    "set": name,
                    "language": checked,
                    "reads": utterance.language,
                    "voice": voice,
                    "text": utterance.text,
                    "words": [word.text for word in utterance.words],
                    "phonemes": utterance.phonemes,
                    "seconds": round(sentence.samples.size / RATE_HZ, 2),
                }

    def _sound(
        self, kind: str, sentence: SpokenSentence, *, voice: str, read_as: str | None, seed: int, generator: np.random.Generator
    ) -> Samples | None:
        text, synthesizer = sentence.utterance.text, self._voices[voice]
        if kind == "good":
            return sentence.samples
        if kind == "hurried":
            settings = SpeakingSettings(seed=seed, length_scale=0.3)
            return np.concatenate([part.samples for part in synthesizer.speak(text, language=read_as, settings=settings)])
        if kind == "other language":
            other = OTHER.get(sentence.utterance.language.partition("-")[0])
            try:
                parts = [] if other is None else list(synthesizer.speak(text, language=other, settings=SpeakingSettings(seed=seed)))
            except TextError:
                return None
            return np.concatenate([part.samples for part in parts]) if parts else None
        return spoiled(kind, sentence, generator)

    def _heard(self, sound: Samples, language: str) -> list[Any]:
        found = self._transcriber.transcribe(np.ascontiguousarray(sound), RATE_HZ, language=language)
        return [found.text, found.doubtful]


def rows(cache: Path) -> list[dict[str, Any]]:
    """What was heard so far."""
    return [json.loads(line) for line in cache.read_text(encoding="utf-8").splitlines()] if cache.exists() else []


def judgement(row: dict[str, Any], frontend: Frontend) -> Hearing:
    """What the listener makes of a line of the cache."""
    language = row["reads"]
    words = tuple(WordSpan(text=word, start=0, stop=0) for word in row["words"])
    utterance = Utterance(text=row["text"], language=language, phonemes=row["phonemes"], tokens=(1,), pause_after_s=0.0, words=words)
    checked = checked_language(utterance) or language
    texts = [Heard(text, doubtful) for text, doubtful in row["heard"].values()]
    found = judged(utterance, texts[:1], language=checked, frontend=frontend)
    return judged(utterance, texts, language=checked, frontend=frontend) if checked == "mixed" and not found.understood else found


def table(found: list[dict[str, Any]]) -> dict[str, Any]:
    """Shares that did not pass for understood, by kind and language; and the cost."""
    frontend = Frontend()
    counts: dict[str, dict[str, list[int]]] = defaultdict(lambda: defaultdict(lambda: [0, 0]))
    for row in found:
        hearing = judgement(row, frontend)
        row["hearing"] = hearing
        for column in (hearing.language, "all", *((row["set"],) if row["kind"] == "good" else ())):
            counts[row["kind"]][column][0] += not hearing.understood
            counts[row["kind"]][column][1] += 1
    good = [row for row in found if row["kind"] == "good" and row["language"] != "mixed" and row["key"][2] == 0]
    costs = {
        "hear_cpu_s": round(statistics.median(row["hear_cpu"] for row in good), 2),
        "speak_cpu_s": round(statistics.median(row["speak_cpu"] for row in good), 2),
        "sentence_s": round(statistics.median(row["seconds"] for row in good), 2),
        "ratio": round(sum(row["hear_cpu"] for row in good) / sum(row["speak_cpu"] for row in good), 2),
    }
    return {"not_understood": {kind: {key: list(pair) for key, pair in line.items()} for kind, line in counts.items()}, "cost": costs}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, nargs="+", required=True, help="files of what was heard; the first one grows")
    parser.add_argument("--minutes", type=float, default=60.0, help="how long to speak and listen; 0 makes the table only")
    parser.add_argument("--shard", default="0/1", help="which part of the corpus, for several processes")
    parser.add_argument("--show", action="store_true", help="list good ones with errors and spoiled ones that passed")
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    if chosen.minutes > 0:
        shard, shards = map(int, chosen.shard.split("/"))
        Collector(chosen.cache[0]).collect(minutes=chosen.minutes, shard=shard, shards=shards)
    found = [row for cache in chosen.cache for row in rows(cache) if row["heard"] is not None]
    result = table(found)
    if chosen.show:
        for row in found:
            hearing = row["hearing"]
            if (row["kind"] == "good" and hearing.errors.errors) or (row["kind"] != "good" and hearing.understood):
                figures = f"{hearing.error_rate:.2f} -{hearing.errors.missing} +{hearing.errors.extra}"
                verdict = "passes" if hearing.understood else "fails"
                print(f"{row['kind']:<15}{hearing.language:<7}{verdict:<7}{figures}  {row['text']} | {hearing.text}")
    if chosen.json:
        print(json.dumps(result))
        return
    columns = [*BOUNDS, "all"]
    print(f"{'not understood of':<17}" + "".join(f"{column:>9}" for column in columns))
    for kind in ("good", *SPOILS):
        cells = (result["not_understood"].get(kind, {}).get(column) for column in columns)
        print(f"{kind:<17}" + "".join(f"{'' if cell is None else f'{cell[0]}/{cell[1]}':>9}" for cell in cells))
    for name in ("everyday", "short", "hard"):
        cell = result["not_understood"].get("good", {}).get(name)
        print(f"good, {name:<11}" + (f"{cell[0]}/{cell[1]}" if cell else ""))
    print(result["cost"])


if __name__ == "__main__":
    main()
