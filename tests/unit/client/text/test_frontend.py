"""The way from text to utterances: order, budget, laziness, languages, refusals, and what is loaded when."""

import itertools
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hometone_client.text import LANGUAGES, MAX_TOKENS, Frontend, Utterance
from hometone_client.text.frontend import TOKEN_BUDGET
from hometone_client.text.sentences import clauses, sentences
from hometone_client.text.utterance import encode, vocabulary
from hometone_shared.errors import TextError, UsageError


def read(text: str, language: str | None = None) -> list[Utterance]:
    return list(Frontend().utterances(text, language=language))


def test_vocabulary_is_that_of_kokoro() -> None:
    table = vocabulary()
    assert len(table) == 114
    assert (table[";"], table["ᵻ"], table[" "]) == (1, 177, 16)
    assert max(table.values()) < 178
    assert min(table.values()) > 0


def test_tokens_are_padded_with_zero_at_both_ends() -> None:
    (utterance,) = read("Hello.", "en")
    assert utterance.tokens == encode(utterance.phonemes)
    assert utterance.input_ids == (0, *utterance.tokens, 0)


def test_a_symbol_outside_the_vocabulary_is_refused() -> None:
    with pytest.raises(TextError, match="no sound"):
        encode("€")


def test_mixed_sentence_is_one_utterance() -> None:
    (utterance,) = read("Let's go to the 超市吧")
    assert utterance.language == "zh"
    assert utterance.phonemes == "lˈɛts ɡˌO tə ðə ꭧʰau→ʂɨ↘ pa."


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("hello", None, "en"),
        ("hello", "zh", "en"),
        ("hello", "en-gb", "en-gb"),
        ("bonjour", "fr", "fr"),
        ("你好", None, "zh"),
        ("你好", "fr", "zh"),
        ("我爱Paris", "fr", "zh"),
    ],
)
def test_language_of_an_utterance(text: str, language: str | None, expected: str) -> None:
    assert read(text, language)[0].language == expected


def test_explicit_language_reads_the_latin_words_inside_chinese() -> None:
    assert "paʁˈi" in read("我爱Paris", "fr")[0].phonemes
    assert "pˈɛɹəs" in read("我爱Paris")[0].phonemes


def test_unknown_language_is_refused_with_the_list() -> None:
    with pytest.raises(UsageError) as caught:
        read("hallo", "de")
    assert all(language in caught.value.hint for language in LANGUAGES)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Привет", "П"),
        ("你好，Привет", "Cyrillic"),
        ("こんにちは", "Japanese kana"),
        ("안녕", "Korean"),
        ("مرحبا", "Arabic"),
        ("ㄅㄆ", "bopomofo"),
        ("√2", "√"),
        ("שלום", "Hebrew"),
        ("\ue000你", "U+E000"),
    ],
)
def test_unreadable_characters_are_named_before_anything_is_spoken(text: str, named: str) -> None:
    with pytest.raises(TextError) as caught:
        Frontend().utterances("Read me first. " + text)
    assert named in caught.value.message


@pytest.mark.parametrize("text", ["", " \n\t", "…", "—", "😀👍🏽", "!!!", "\u200b\ufeff", "。。。", "***", "'", "( )", "- -"])
def test_nothing_readable_is_an_error(text: str) -> None:
    with pytest.raises(TextError, match="nothing to read"):
        read(text)


def test_decoration_is_left_out_and_words_stay() -> None:
    plain = read("你好，大家好！")[0].phonemes
    assert read("😀你好，👋🏽大家好！🎉")[0].phonemes == plain
    assert read("• 你好，大家好！")[0].phonemes == plain
    assert read("你\u200b好，大家\ufeff好！")[0].phonemes == plain
    assert read("** 你好，大家好！**")[0].phonemes == plain


def test_full_width_forms_read_as_the_usual_ones() -> None:
    assert read("ＡＢＣ１２３！")[0].phonemes == read("ABC123!")[0].phonemes


@pytest.mark.parametrize(
    ("text", "count"),
    [
        ("Dr. Smith met Mr. Jones. They talked.", 2),
        ("It costs 3.50 dollars. Cheap!", 2),
        ("See e.g. www.example.com for more.", 1),
        ("第一句。第二句！第三句？", 3),
        ("他说：“好。”然后走了。", 2),
        ("Really?! Yes.", 2),
        ("J. R. Smith came.", 1),
        ("Line one\nLine two", 2),
        ("1. Take it\n2. Drink it", 2),
        ("Wait... what", 1),
        ("It is 8 a.m. now. He left at 9 p.m. She stayed.", 3),
        ("\n\n\na\n\n\nb\n", 2),
    ],
)
def test_sentences(text: str, count: int) -> None:
    assert len(list(sentences(text))) == count


def test_clauses_do_not_cut_numbers_and_dates() -> None:
    assert clauses("It cost 1,234 dollars, on May 3, 2026, at 8:05") == ["It cost 1,234 dollars,", " on May 3, 2026,", " at 8:05"]


def test_pauses() -> None:
    first, second, third = read("One. Two.\nThree.", "en")
    assert first.pause_after_s < second.pause_after_s == third.pause_after_s


def test_punctuation_of_the_base_is_kept() -> None:
    assert read('"Well," he said; (softly): no — wait… what?!', "en")[0].phonemes == "“wˈɛl,” hi sˈɛd; (sˈɔftli): nˈO — wˈAt… wˌʌt?"


@pytest.mark.parametrize("language", ["zh", "en", "es", "fr", "it", "pt"])
def test_long_sentences_are_cut_after_commas_within_the_budget(language: str) -> None:
    clause = {"zh": "今天下午我们大家一起去公园里面散步聊天，", "en": "we walked slowly through the quiet garden, "}.get(
        language, "la musica es bella, "
    )
    parts = read(clause * 60, language)
    assert len(parts) > 3
    assert all(len(part.tokens) <= TOKEN_BUDGET + 1 for part in parts)
    assert all(part.text.endswith((",", "，")) for part in parts[:-1])
    whole = "".join(part.phonemes for part in parts).replace(" ", "")
    assert whole.count(",") + whole.count(".") == 60
    assert len({part.pause_after_s for part in parts}) == 2


@pytest.mark.parametrize("text", ["word " * 400, "今天天气很好我们去公园散步" * 60, "12345 " * 200])
def test_text_without_punctuation_is_cut_between_words(text: str) -> None:
    parts = read(text)
    assert all(len(part.tokens) <= TOKEN_BUDGET + 1 <= MAX_TOKENS for part in parts)
    assert len(parts) > 3
    if text.startswith("word"):
        assert " ".join(part.phonemes.rstrip(".") for part in parts).split() == ["wˈɜɹd"] * 400


def test_an_endless_word_is_refused() -> None:
    with pytest.raises(TextError, match="too long"):
        read("a" * 5000)


def test_first_sentence_does_not_wait_for_the_rest() -> None:
    text = "今天天气很好。" + "我想去公园散步，然后回家吃饭。" * 20_000
    next(Frontend().utterances(text[:30]))
    started = time.process_time()
    first = next(Frontend().utterances(text))
    assert first.text == "今天天气很好。"
    assert time.process_time() - started < 1.0


def test_sentences_are_made_one_at_a_time() -> None:
    made = list(itertools.islice(Frontend().utterances("One two. " * 100_000, language="en"), 3))
    assert [utterance.text for utterance in made] == ["One two."] * 3


def in_a_fresh_process(code: str, tmp_path: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-B", "-W", "error", "-c", code],
        capture_output=True,
        text=True,
        check=False,
        env={"TMPDIR": str(tmp_path), "PATH": "/usr/bin:/bin"},
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.strip()


def test_import_is_cheap_and_english_loads_no_chinese(tmp_path: Path) -> None:
    heavy = "{'torch', 'jieba', 'pypinyin', 'cn2an', 'misaki.zh', 'spacy', 'phonemizer', 'espeakng_loader', 'opencc', 'numpy', 'num2words'}"
    code = (
        "import sys; import hometone_client.text as t; "
        f"print(sorted({heavy} & set(sys.modules))); "
        "next(t.Frontend().utterances('Hello there.')); "
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    assert in_a_fresh_process(code, tmp_path) == "[]\n[]"


def test_reading_needs_no_torch_no_network_and_leaves_no_files(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "def watch(event, args):\n"
        "    if event.startswith('socket.') or (event == 'open' and isinstance(args[1], str) and set(args[1]) & set('wax+')):\n"
        "        raise SystemExit(f'{event} {args[0]}')\n"
        "sys.addaudithook(watch)\n"
        "from hometone_client.text import Frontend\n"
        "f = Frontend()\n"
        "assert list(f.utterances('請吃2片藥，take care，xyzzyq。'))\n"
        "for language in ('en-gb', 'es', 'fr', 'it', 'pt'):\n"
        "    assert list(f.utterances('xyzzyq 3', language=language))\n"
        "print('torch' in sys.modules, 'phonemizer' in sys.modules, 'spacy' in sys.modules)\n"
    )
    assert in_a_fresh_process(code, tmp_path) == "False False False"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("text", ["Let's go to the 超市吧。", "“Yes,” he said (twice) — and left.", "我3:30在A座等你！", "¿Dónde está?"])
def test_words_lie_where_they_say(text):
    for utterance in Frontend().utterances(text):
        joined = "".join(utterance.phonemes[word.start : word.stop] for word in utterance.words)
        assert joined.replace(" ", "") == utterance.phonemes.replace(" ", "")
        assert all(word.text for word in utterance.words)
        assert all(a.stop <= b.start <= a.stop + 1 for a, b in zip(utterance.words, utterance.words[1:], strict=False))
