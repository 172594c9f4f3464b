"""The JSON that the local API answers with (docs/api.md), as it is written and as it is described to programs."""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class _Answer(BaseModel):
    model_config = ConfigDict(extra="forbid")


class Health(_Answer):
    """The server is there."""

    status: Literal["ok"] = "ok"


class ModelEntry(_Answer):
    """One model, in OpenAI's shape."""

    id: str
    object: Literal["model"] = "model"
    created: int = 0
    owned_by: str = "hometone"


class ModelList(_Answer):
    """The models: there is one."""

    object: Literal["list"] = "list"
    data: list[ModelEntry]


class VoiceEntry(_Answer):
    """A voice that can be used now."""

    id: str
    object: Literal["voice"] = "voice"
    kind: Literal["stock", "own", "lent"]
    languages: list[str]


class VoiceList(_Answer):
    """The voices: own and lent ones first."""

    object: Literal["list"] = "list"
    data: list[VoiceEntry]


class TimedPhoneme(_Answer):
    """When one phoneme, mark or silence sounds, in seconds from the beginning of the sound."""

    symbol: str
    start_s: float
    end_s: float
    mouth: str


class TimedSentence(_Answer):
    """One sentence; a long first one comes in parts that all carry its whole text."""

    text: str
    language: str
    start_s: float
    end_s: float
    phonemes: list[TimedPhoneme]


class TimedAnswer(_Answer):
    """A sound and the times in it."""

    sample_rate_hz: int
    audio: str = Field(json_schema_extra={"contentEncoding": "base64"})
    format: Literal["wav", "flac", "mp3", "opus", "aac"]
    label: dict[str, str]
    sentences: list[TimedSentence]


class ProblemDetail(_Answer):
    """What went wrong, in OpenAI's shape."""

    message: str
    type: str
    param: str | None
    code: str | None


class Problem(_Answer):
    """Every answer that is not the one that was asked for."""

    error: ProblemDetail
