"""Five fixed sentences, the same for everyone; new campaigns are data (requirement 1)."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hometone_client.takes.agreement import units
from hometone_client.takes.campaigns import Campaign, campaign, campaigns, parse_campaign
from hometone_shared.errors import UsageError

GOOD = {"id": "yue-market", "language": "yue", "title": "街市", "sentences": ["一句。", "二句。", "三句。", "四句。", "五句。"]}


def written(**changes: object) -> bytes:
    return json.dumps({**GOOD, **changes}).encode()


def test_chinese_and_english_and_four_more() -> None:
    assert {each.language for each in campaigns().values()} == {"zh", "en", "es", "fr", "it", "pt"}


def test_the_sentence_of_the_article_is_read_word_for_word() -> None:
    assert campaign("zh").sentences[0] == "今天天气很好，我想去公园散步。"


@pytest.mark.parametrize("each", campaigns().values(), ids=lambda each: each.id)
def test_five_sentences_make_a_minute_read_slowly(each: Campaign) -> None:
    assert len(each.sentences) == 5
    # Slow reading: 2.8 Chinese syllables or 1.9 words a second, pauses included.
    seconds = sum(len(units(sentence, each.language)) for sentence in each.sentences) / (2.8 if each.language == "zh" else 1.9)
    assert 52 <= seconds <= 72


def test_a_campaign_is_found_by_id_or_language() -> None:
    assert campaign("en-everyday") is not None
    assert campaign("en").id == "en-everyday"
    with pytest.raises(UsageError, match="no such campaign") as caught:
        campaign("klingon")
    assert "zh-everyday" in caught.value.hint


def test_a_folder_adds_campaigns(tmp_path: Path) -> None:
    (tmp_path / "街市.json").write_bytes(written())
    (tmp_path / "notes.txt").write_text("not a campaign")
    assert campaigns(tmp_path)["yue-market"].sentences == tuple(GOOD["sentences"])
    assert campaign("yue", tmp_path).title == "街市"


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "the file"),
        (b"\xff\xfe", "the file"),
        (b"[]", "the file"),
        (written(sentences=["一句。"] * 4), "sentences"),
        (written(sentences=["一句。"] * 5), "the same"),
        (written(sentences=["一句。", "二句。", "三句。", "四句。", "五\n句。"]), "one line"),
        (written(sentences=["一句。", "二句。", "三句。", "四句。", "……"]), "words"),
        (written(id="Two Words"), "id"),
        (written(language="Chinese"), "language"),
        (written(voice="mine"), "voice"),
        (written(title=7), "title"),
        (b" " * 100_000, "too large"),
    ],
)
def test_what_is_no_campaign_is_refused_with_the_field(tmp_path: Path, data: bytes, says: str) -> None:
    with pytest.raises(UsageError, match="not a campaign") as caught:
        parse_campaign(data)
    assert says in caught.value.hint
    (tmp_path / "bad.json").write_bytes(data)
    with pytest.raises(UsageError, match=r"^bad\.json: "):
        campaigns(tmp_path)


def test_an_id_belongs_to_one_campaign(tmp_path: Path) -> None:
    (tmp_path / "mine.json").write_bytes(written(id="zh-everyday"))
    with pytest.raises(UsageError, match="already"):
        campaigns(tmp_path)


def test_a_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such folder"):
        campaigns(tmp_path / "gone")


@given(
    st.binary(max_size=200) | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(lambda value: json.dumps(value).encode())
)
def test_whatever_the_bytes_it_is_a_usage_error(data: bytes) -> None:
    with pytest.raises(UsageError):
        parse_campaign(data)
