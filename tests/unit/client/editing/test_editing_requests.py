"""Edits over the local API and on the command line: they reach the voice, and what is not understood is refused before anything sounds."""

import json
from pathlib import Path

import pytest

from hometone_client.cli.say import read_controls, read_input
from hometone_client.models import model_folder
from hometone_client.speaking import Sessions, SpeakingSettings, Synthesizer
from hometone_client.voices import stock_parameters
from hometone_client.web.requests import SpeechRequest
from hometone_shared.errors import TextError, UsageError

CONTROLS = {"version": 1, "words": [{"sentence": 0, "word": 0, "rate": 0.8}]}


def test_a_request_may_be_ssml_and_have_controls() -> None:
    request = SpeechRequest.model_validate({"input": "<speak>Hi.</speak>", "voice": "anna", "input_type": "ssml", "controls": CONTROLS})
    settings = request.settings()
    assert settings.input_type == "ssml"
    assert settings.controls is not None
    assert settings.controls.wanted[0].expression.rate == 0.8
    assert SpeechRequest.model_validate({"input": "Hi.", "voice": "anna"}).settings().controls is None


@pytest.mark.parametrize("controls", [{}, {"version": 1, "wrong": []}, {"version": 1, "words": [{"sentence": 0, "word": 0, "pitch": 1}]}])
def test_a_request_with_other_controls_is_refused(controls: dict) -> None:
    with pytest.raises(UsageError):
        SpeechRequest.model_validate({"input": "Hi.", "voice": "anna", "controls": controls}).settings()


def test_a_text_is_one_thing(tmp_path: Path) -> None:
    document = tmp_path / "a.ssml"
    document.write_text("<speak>Hi.</speak>", encoding="utf-8")
    assert read_input(None, text_file=None, ssml=document) == "<speak>Hi.</speak>"
    assert read_input("Hi.", text_file=None, ssml=None) == "Hi."
    with pytest.raises(UsageError):
        read_input("Hi.", text_file=None, ssml=document)
    with pytest.raises(UsageError):
        read_input(None, text_file=document, ssml=document)


def test_controls_come_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / "controls.json"
    path.write_text(json.dumps(CONTROLS), encoding="utf-8")
    found = read_controls(path)
    assert found is not None
    assert found.wanted[0].word == 0
    assert read_controls(None) is None
    with pytest.raises(UsageError):
        read_controls(tmp_path / "missing.json")


def test_another_kind_of_text_is_refused() -> None:
    with pytest.raises(UsageError):
        SpeakingSettings(input_type="html")


@pytest.mark.models
def test_what_is_wrong_in_the_last_sentence_is_told_before_the_first_sounds() -> None:
    sessions = Sessions(model_folder())
    speaker = Synthesizer(model_folder(), stock_parameters("af_heart", base_sha256=sessions.base_sha256), sessions=sessions)
    wishes = SpeakingSettings(input_type="ssml")
    with pytest.raises(UsageError, match="inside a word"):
        next(speaker.speak("<speak>Hello. Good mor<emphasis>ning</emphasis>.</speak>", settings=wishes))
    with pytest.raises(TextError):
        next(speaker.speak("<speak>Hello. привет.</speak>", settings=wishes))
