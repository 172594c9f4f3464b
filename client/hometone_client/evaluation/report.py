"""The evaluation as one page that needs nothing else: no network, no script, no other file.

Players hold the synthetic speech inside the page, as MP3 with the machine-readable AI label; recordings of the person are never part of it.
"""

import base64
import json
import math
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Literal

import jinja2

from hometone_client.audio.encoding import encode
from hometone_client.audio.labels import SyntheticLabel
from hometone_client.evaluation.aims import aim_met
from hometone_client.evaluation.spectrogram import spectrogram_png
from hometone_client.evaluation.yardsticks import Row

if TYPE_CHECKING:
    from hometone_client.evaluation.assessment import EvaluationReport, SpokenSentence

_SPEECH_RATE_HZ = 24000
_PER_LANGUAGE = ("error_rate", "rate", "pause")


def render(report: "EvaluationReport", language: Literal["zh", "en"]) -> bytes:
    """Return the page, UTF-8.

    Args:
        report: What to show.
        language: The language the page opens in; readers can switch to the other.
    """
    words = _words()
    page = _template().render(
        words=words,
        opens_in=language,
        voice=report.voice,
        created=report.created.strftime("%Y-%m-%d %H:%M UTC"),
        takes={key: words["takes_value"][key] % (report.takes, report.takes_s) for key in ("zh", "en")},
        speed={key: words["speed_value"][key] % report.real_time_factor for key in ("zh", "en")},
        facts=report.facts,
        rows=[_row(row) for row in report.rows],
        sentences=[_sentence(sentence) for sentence in report.sentences],
    )
    return page.encode()


def _row(row: Row) -> dict[str, Any]:
    decimals = row.decimals
    return {
        "label": _label(row.name),
        "unit": _words()["units"].get(row.unit),
        "difference_unit": _words()["units"].get(row.difference_unit),
        "synthetic": _figure(row.synthetic, decimals),
        "real": _figure(row.real, decimals),
        "floor": _figure(row.floor, decimals),
        "difference": _figure(row.difference, 1 if row.relative else decimals, signed=True),
        "met": aim_met(row),
    }


def _label(name: str) -> dict[str, str]:
    labels: dict[str, dict[str, str]] = _words()["rows"]
    for kind in _PER_LANGUAGE:
        language = _words()["languages"].get(name.removeprefix(f"{kind}_")) if name.startswith(f"{kind}_") else None
        if language:
            return {"zh": f"{labels[kind]['zh']}（{language['zh']}）", "en": f"{labels[kind]['en']} ({language['en']})"}
    return labels.get(name, {"zh": name, "en": name})


def _figure(value: float | None, decimals: int, *, signed: bool = False) -> str:
    if value is None or math.isnan(value):
        return ""
    return f"{value:+.{decimals}f}" if signed else f"{value:.{decimals}f}"


def _sentence(sentence: "SpokenSentence") -> dict[str, Any]:
    figures = sentence.figures
    sound = encode(sentence.speech, fmt="mp3", sample_rate_hz=_SPEECH_RATE_HZ, label=SyntheticLabel.fresh())
    return {
        "text": sentence.text,
        "lang_code": "zh" if sentence.language == "mixed" else sentence.language,
        "language": _words()["languages"].get(sentence.language, {"zh": sentence.language, "en": sentence.language}),
        "recognised": figures.recognised,
        "errors": "" if figures.errors is None else f"{100.0 * figures.errors.rate:.0f}",
        "distillmos": _figure(figures.distillmos, 2),
        "dnsmos": _figure(None if figures.dnsmos is None else figures.dnsmos.overall, 2),
        "seconds": f"{figures.seconds:.1f}",
        "image": _data_uri("image/png", spectrogram_png(sentence.speech, _SPEECH_RATE_HZ)),
        "sound": _data_uri("audio/mpeg", sound),
    }


def _data_uri(media_type: str, content: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(content).decode('ascii')}"


@cache
def _words() -> dict[str, Any]:
    text = resources.files("hometone_client.evaluation").joinpath("data", "report_words.json").read_text(encoding="utf-8")
    words: dict[str, Any] = json.loads(text)
    return words


@cache
def _template() -> jinja2.Template:
    text = resources.files("hometone_client.evaluation").joinpath("data", "report.html").read_text(encoding="utf-8")
    environment = jinja2.Environment(autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    return environment.from_string(text)
