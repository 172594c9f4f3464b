"""Words in two languages, and the choice between them."""

import json
from pathlib import Path

import pytest

from hometone_shared.pages.words import Words, preferred_language


@pytest.mark.parametrize(
    ("asked", "accepted", "language"),
    [
        ("zh", "en", "zh"),
        ("en", "zh", "en"),
        ("", "", "en"),
        ("", "fr-FR,fr;q=0.9", "en"),
        ("", "zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("", "en;q=0.9,zh;q=0.9", "en"),
        ("", "zh;q=0.9,en;q=0.9", "zh"),
        ("", "de,zh;q=0.5,en;q=0.5", "zh"),
        ("", "en;q=0.3,zh", "zh"),
        ("", "zh;q=nonsense,en", "en"),
        ("xx", "zh", "zh"),
    ],
)
def test_the_reader_is_asked_first_and_the_browser_second(asked: str, accepted: str, language: str) -> None:
    assert preferred_language(asked, accepted) == language


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    folder = tmp_path / "some_pages"
    (folder / "data").mkdir(parents=True)
    (folder / "__init__.py").write_text("")
    (folder / "data" / "one.json").write_text(json.dumps({"greeting": {"en": "Good morning, {name}", "zh": "{name}，早上好"}}), "utf-8")
    (folder / "data" / "two.json").write_text(json.dumps({"greeting": {"en": "Hello, {name}", "zh": "{name}，您好"}}), "utf-8")
    (folder / "data" / "half.json").write_text(json.dumps({"only": {"en": "English"}}), "utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    return "some_pages"


def test_words_are_said_in_the_language_of_the_page(package: str) -> None:
    words = Words.load(package, "one")
    assert words("greeting", name="Mei") == "Good morning, Mei"
    chinese = words.speaking("zh")
    assert chinese("greeting", name="梅") == "梅，早上好"
    assert (words.other, chinese.other) == ("zh", "en")
    assert "greeting" in words
    assert "farewell" not in words


def test_a_later_subject_wins(package: str) -> None:
    assert Words.load(package, "one", "two", language="zh")("greeting", name="梅") == "梅，您好"


def test_words_without_a_language_are_refused(package: str) -> None:
    with pytest.raises(ValueError, match="only"):
        Words.load(package, "half")
