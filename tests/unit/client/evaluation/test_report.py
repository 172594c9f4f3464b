"""The report: aims, JSON without surprises, and a page that needs nothing and says what it is."""

import base64
import json
import re
from datetime import UTC, datetime

import numpy as np
import pytest

from hometone_client.audio.labels import read_label
from hometone_client.evaluation.aims import aim_met
from hometone_client.evaluation.assessment import EvaluationReport, SpokenSentence, evaluate_voice, peak_memory_bytes
from hometone_client.evaluation.error_rates import ErrorCount
from hometone_client.evaluation.held_out import held_out_sentences, languages
from hometone_client.evaluation.spectrogram import spectrogram_png
from hometone_client.evaluation.yardsticks import Clip, ClipFigures, Row, Yardsticks
from hometone_shared.errors import UsageError

WHEN = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)


def buzz(f0_hz: float, seconds: float = 1.5) -> np.ndarray:
    time_s = np.arange(int(seconds * 24000)) / 24000
    return (0.05 * sum(np.cos(2 * np.pi * f0_hz * harmonic * time_s) / harmonic for harmonic in range(1, 15))).astype(np.float32)


@pytest.mark.parametrize(
    ("row", "met"),
    [
        (Row(name="likeness", synthetic=0.92, real=0.935, floor=0.85), True),
        (Row(name="likeness", synthetic=0.91, real=0.935, floor=0.80), False),
        (Row(name="likeness", synthetic=0.92, real=0.935, floor=0.87), False),
        (Row(name="spectrum_distance", synthetic=1.0), True),
        (Row(name="spectrum_distance", synthetic=1.1), False),
        (Row(name="f0_median", synthetic=207.0, real=200.0, relative=True), True),
        (Row(name="f0_median", synthetic=191.0, real=200.0, relative=True), False),
        (Row(name="rate_en", synthetic=4.3, real=4.0, relative=True), True),
        (Row(name="rate_en", synthetic=4.4, real=4.0, relative=True), False),
        (Row(name="distillmos", synthetic=4.3, real=4.2), True),
        (Row(name="distillmos", synthetic=4.3, real=4.4), False),
        (Row(name="distillmos", synthetic=4.1, real=3.9), False),
        (Row(name="dnsmos_overall", synthetic=3.1, real=3.2), False),
        (Row(name="error_rate_en", synthetic=2.5, floor=1.0), False),
        (Row(name="error_rate_zh", synthetic=2.5, floor=1.0), True),
        (Row(name="error_rate_en", synthetic=2.5), None),
        (Row(name="f0_range", synthetic=5.0, real=4.0), None),
    ],
)
def test_aims(row: Row, met: bool | None) -> None:
    assert aim_met(row) is met


def test_every_language_has_ten_sentences_that_no_campaign_asks_for() -> None:
    assert set(languages()) == {"zh", "en", "es", "fr", "it", "pt", "mixed"}
    for language in languages():
        assert len(set(held_out_sentences(language))) == 10
    with pytest.raises(UsageError):
        held_out_sentences("tlh")


def report(**changes: object) -> EvaluationReport:
    sentence = SpokenSentence(
        text="「湯」 <b>5 > 3</b>",
        language="zh",
        figures=ClipFigures(seconds=1.5, language="zh", recognised="汤 & 五", errors=ErrorCount(length=4, deletions=1), distillmos=4.25),
        speaking_s=0.75,
        speech=buzz(120.0),
    )
    values: dict[str, object] = {
        "voice": "Grandma <script>",
        "created": WHEN,
        "rows": (Row(name="likeness", synthetic=0.9, real=float("nan"), floor=0.8), Row(name="rate_zh", synthetic=4.0, relative=True)),
        "sentences": (sentence,),
        "takes": 7,
        "takes_s": 31.0,
        "facts": {"Adapting": "4 min 10 s"},
    }
    return EvaluationReport(**(values | changes))  # type: ignore[arg-type]


def test_json_has_no_sound_and_no_nan() -> None:
    document = json.loads(report().to_json())
    assert document["yardsticks"]["likeness"] == {
        "synthetic": 0.9, "real": None, "floor": 0.8, "difference": None, "unit": "", "difference_unit": "", "aim_met": False,
    }  # fmt: skip
    assert document["real_time_factor"] == pytest.approx(0.5)
    assert document["sentences"][0]["error_rate"] == pytest.approx(0.25)
    assert "speech" not in document["sentences"][0]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_page_stands_alone(language: str) -> None:
    page = report().to_html(language).decode()  # type: ignore[arg-type]
    assert f'id="show-{language}" checked' in page
    assert "人工智能合成" in page
    assert "Every sound on this page was made by a machine" in page
    assert "语速（普通话）" in page
    assert "Speaking rate (Mandarin)" in page
    assert "4 min 10 s" in page
    assert all(target.startswith("data:") for target in re.findall(r"""(?:src|href)=["']?([^"'>]+)""", page))
    assert "url(" not in page
    assert "http://" not in page
    assert "https://" not in page
    assert "<script" not in page
    assert "&lt;b&gt;5" in page


def test_sound_in_the_page_is_labelled() -> None:
    page = report().to_html().decode()
    found = re.search(r"data:audio/mpeg;base64,([A-Za-z0-9+/=]+)", page)
    assert found
    label = read_label(base64.b64decode(found.group(1)))
    assert label is not None
    assert label.label == "1"


def test_spectrogram_is_a_png_of_fixed_size() -> None:
    png = spectrogram_png(buzz(200.0), 24000)
    assert png.startswith(b"\x89PNG")
    assert (int.from_bytes(png[16:20], "big"), int.from_bytes(png[20:24], "big")) == (512, 136)
    assert spectrogram_png(np.zeros(10, np.float32), 24000).startswith(b"\x89PNG")


def test_a_voice_is_spoken_measured_and_compared() -> None:
    """A buzz at 200 Hz judged against takes at 190 Hz; an unadapted buzz at 100 Hz is the floor."""
    steps: list[tuple[int, int]] = []
    found = evaluate_voice(
        lambda _text, _language: buzz(200.0),
        voice="buzz",
        languages=["en"],
        takes=[Clip(buzz(190.0), 24000, "first take", "en"), Clip(buzz(190.0), 24000, "second take", "en")],
        yardsticks=Yardsticks(measures=frozenset({"spectrum", "pitch"})),
        baseline=lambda _text, _language: buzz(100.0),
        progress=lambda done, total: steps.append((done, total)),
        clock=lambda: WHEN,
    )
    pitch = {row.name: row for row in found.rows}["f0_median"]
    assert pitch.synthetic == pytest.approx(200.0, rel=0.01)
    assert pitch.difference == pytest.approx(5.3, abs=0.5)
    assert pitch.floor == pytest.approx(100.0, rel=0.01)
    assert steps[-1] == (20, 20)
    assert found.takes_s == pytest.approx(3.0)
    assert "f0_median" in found.to_table()


def test_a_limit_of_sentences_holds_for_each_language() -> None:
    spoken: list[tuple[str, str]] = []

    def speak(text: str, language: str) -> np.ndarray:
        spoken.append((text, language))
        return buzz(200.0)

    found = evaluate_voice(
        speak,
        voice="buzz",
        languages=["en", "mixed"],
        takes=[Clip(buzz(190.0), 24000, "first take", "en"), Clip(buzz(190.0), 24000, "second take", "en")],
        yardsticks=Yardsticks(measures=frozenset({"pitch"})),
        sentences=3,
    )
    assert spoken == [(text, language) for language in ("en", "mixed") for text in held_out_sentences(language)[:3]]
    assert [(sentence.text, sentence.language) for sentence in found.sentences] == spoken


def test_nothing_to_compare_is_said() -> None:
    yardsticks = Yardsticks(measures=frozenset({"pitch"}))
    with pytest.raises(UsageError):
        evaluate_voice(lambda _text, _language: buzz(200.0), voice="x", languages=["en"], takes=[], yardsticks=yardsticks)
    with pytest.raises(UsageError):
        yardsticks.measure([])
    with pytest.raises(UsageError, match="no sentence"):
        evaluate_voice(lambda *_: buzz(200.0), voice="x", languages=["en"], takes=[], yardsticks=yardsticks, sentences=0)


def test_memory_is_counted_in_bytes() -> None:
    assert 10**7 < peak_memory_bytes() < 10**12
