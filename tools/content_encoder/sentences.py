"""Texts for the base to speak: words of a dictionary strung together, so that every phoneme meets many neighbours.

They make little sense and need none: what is learnt is how phonemes sound, not what people say. The words come from packages that the
project uses anyway (the lists of BIP-39 in `mnemonic`, the dictionaries of `misaki` and `jieba`), the small words between them from here.
Neither the sentences of campaigns nor those that voices are judged by are used.
"""

import json
import unicodedata
from functools import cache
from importlib.resources import files

import numpy as np

LANGUAGES = {"en": 0.22, "en-gb": 0.07, "zh": 0.2, "es": 0.16, "fr": 0.12, "it": 0.11, "pt": 0.07, "mixed": 0.05}
"""Share of each language in the corpus; "mixed" is Mandarin with English words."""

COINED_LANGUAGES = {"es": 0.4, "fr": 0.2, "it": 0.2, "pt": 0.15, "en": 0.05}
"""Shares where words are coined: the languages whose lists are short, and hold no long words and no endings."""

_BIP39 = {"en": "english", "es": "spanish", "fr": "french", "it": "italian", "pt": "portuguese"}
_SMALL = {
    "en": "the a of to and in is for your you on with have this that not are press enter please number call now we will be one if they "
    "from there which their would been more when who what into some could other than then only over also our two first these may after "
    "any most where does through she he her his I'm don't it's thank there's extension message party's",
    "es": "el la los las de del que y a en un una es por con para no se su al lo como más pero sus le ya o este sí porque esta entre "
    "cuando muy sin sobre también me hasta hay donde quien desde todo nos durante todos uno les ni contra otros ese eso ante ellos e esto "
    "usted marque número por favor después está han gracias ahora llamada mensaje presione ha sido oprima para escuchar",
    "fr": "le la les de des du un une et à en dans est pour pas que qui sur se ne ce au aux avec il elle nous vous ils sont plus par mais "
    "ou où comme tout cette ces son sa ses leur bien être fait peut même encore veuillez appuyez votre numéro appel message après "
    "maintenant merci s'il vous plaît c'est n'est d'une l'autre qu'il j'ai aujourd'hui deux trois",
    "it": "il lo la i gli le di del della che e a in un una è per con non si su al come più ma anche se da dal ha sono questo questa "
    "quando molto senza tra dopo ancora tutto ci essere stato suo sua loro prego digitare numero chiamata messaggio adesso grazie "
    "l'altro dell'anno c'è un'ora premere attendere due tre",
    "pt": "o a os as de do da dos das que e em um uma é por com para não se na no ao mais como mas foi ele ela tem seu sua ou quando muito "
    "nos já está eu também só pelo pela até isso entre depois sem mesmo aos seus quem nas me esse eles você número mensagem agora "
    "obrigado são então",
    "zh": "的 了 在 是 我 有 他 这 们 就 不 会 要 也 和 你 对 能 都 着 过 吗 呢 吧 把 被 让 给 从 到 很 最 更 还 没 又 再 请 一个 什么 "
    "怎么 因为 所以 可以 知道 我们 他们 自己 这个 那个 儿子 女儿",
}
_LONGEST_ZH_WORD = 4
_LONGEST_COINED = 18


_ENDINGS = {
    "en": "s ed ing tion ment ly er able ness ity ation",
    "es": "s es ción ciones miento mente idad ado ada ados ando iendo aron ieron ía ían aba ar er ir ido encia ante ario ísimo amos "
    "emos ará ería",
    "fr": "s es ation ement ment ité er ez ait aient ant ence eur euse ique able ons era issement é ée",
    "it": "i e zione mento mente ità ato ata ando endo are ere ire ito ita enza ante ario issimo ava iamo erà eria",
    "pt": "s es ção ções mento mente dade ado ada ando endo aram eram ia iam ava ar er ir ido ência ante ário íssimo amos ará eria",
}


def _coined(language: str, generator: np.random.Generator) -> str:
    """A word that nobody knows: the beginning of one, the end of another, often an ending; long ones from three."""
    words, _ = _words(language)
    first, second, third = (str(word) for word in generator.choice(words, 3))
    middle = third[1:-2] if generator.random() < 0.25 else ""
    coined = first[: int(generator.integers(2, len(first) + 1))] + middle + second[int(generator.integers(0, max(1, len(second) - 2))) :]
    if generator.random() < 0.5:
        coined = coined.rstrip("aeiouáéíóúàèìòùâêôãõ") + str(generator.choice(_ENDINGS[language].split()))
    return coined if len(coined) <= _LONGEST_COINED else coined[:_LONGEST_COINED]


def _has_only(word: str, *, letters: int) -> bool:
    return word.isalpha() and word.islower() and letters <= len(word) <= 12


@cache
def _words(language: str) -> tuple[tuple[str, ...], np.ndarray | None]:
    """Content words of a language and, where known, how often each is to be drawn."""
    if language == "zh":
        pairs = [line.split(" ") for line in (files("jieba") / "dict.txt").read_text(encoding="utf-8").splitlines()]
        known = [(pair[0], int(pair[1])) for pair in pairs if len(pair[0]) <= _LONGEST_ZH_WORD and int(pair[1]) >= 20]
        known = [(word, count) for word, count in known if all("\u4e00" <= character <= "\u9fff" for character in word)]
        weights = np.sqrt([count for _, count in known])
        return tuple(word for word, _ in known), weights / weights.sum()
    text = (files("mnemonic") / "wordlist" / f"{_BIP39[language]}.txt").read_text(encoding="utf-8")
    words = [unicodedata.normalize("NFC", word) for word in text.split()]
    if language == "en":
        gold = json.loads((files("misaki") / "data" / "us_gold.json").read_text(encoding="utf-8"))
        extra = sorted(word for word in gold if _has_only(word, letters=3) and word.isascii())
        weights = np.concatenate([np.full(len(words), 0.6 / len(words)), np.full(len(extra), 0.4 / len(extra))])
        return tuple(words + extra), weights / weights.sum()
    return tuple(words), None


def sentence(language: str, generator: np.random.Generator, *, coined: bool = False) -> str:
    """One sentence of about three to seven seconds.

    Args:
        language: One of `LANGUAGES`.
        generator: Draws the words.
        coined: Two words in three are coined (one of `COINED_LANGUAGES`).
    """
    spoken = "en" if language == "en-gb" else "zh" if language == "mixed" else language
    words, weights = _words(spoken)
    small = _SMALL[spoken].split()
    count = int(generator.integers(4, 11))
    parts: list[str] = []
    for place in range(count):
        if generator.random() < 0.6:
            parts.extend(str(word) for word in generator.choice(small, int(generator.integers(1, 3))))
        if generator.random() < 0.06:
            parts.append(str(int(generator.integers(0, 100 if generator.random() < 0.6 else 10_000))))
        elif language == "mixed" and generator.random() < 0.3:
            english, shares = _words("en")
            parts.append(" " + " ".join(str(word) for word in generator.choice(english, int(generator.integers(1, 3)), p=shares)) + " ")
        elif coined and generator.random() < 0.67:
            parts.append(_coined(spoken, generator))
        else:
            parts.append(str(generator.choice(words, p=weights)))
        if place + 1 < count and generator.random() < 0.12:
            parts[-1] += "，" if spoken == "zh" else str(generator.choice([",", ",", ";", ":", " —"]))
    joined = ("" if spoken == "zh" else " ").join(parts)
    end = str(generator.choice([".", ".", ".", "?", "!"]))
    return joined + {".": "。", "?": "？", "!": "！"}[end] if spoken == "zh" else joined[0].upper() + joined[1:] + end
