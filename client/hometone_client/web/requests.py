"""The bodies of `POST /v1/audio/speech` and `/v1/audio/speech/timed`: OpenAI's fields, and those that only Hometone has.

Unknown fields are refused, not ignored.
"""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from hometone_client.audio.encoding import NATIVE_RATE_HZ, SAMPLE_RATES_HZ, SpeechFormat
from hometone_client.editing.controls import VERSION, Controls
from hometone_client.speaking.settings import (
    LENGTH_SCALE_RANGE,
    NOISE_SCALE_RANGE,
    PITCH_RANGE_RANGE,
    PITCH_SEMITONES_RANGE,
    SpeakingSettings,
)
from hometone_client.text import LANGUAGES
from hometone_shared.errors import UsageError

MODELS = ("hometone", "tts-1", "tts-1-hd")
"""Names of the one model; clients that know OpenAI's only may use those."""
_RATES_HZ: list[Any] = sorted({rate for rates in SAMPLE_RATES_HZ.values() for rate in rates})


def _range(least: float, most: float) -> dict[str, Any]:
    """What the description of a field says of it; `SpeakingSettings` is who checks it, in words for people."""
    return {"minimum": least, "maximum": most}


# Which fields an entry may have is left to `Controls`, in words for people.
_CONTROLS: dict[str, Any] = {
    "anyOf": [
        {
            "type": "object",
            "required": ["version"],
            "properties": {
                "version": {"const": VERSION},
                **{kind: {"type": "array", "items": {"type": "object"}} for kind in ("sentences", "words", "phonemes")},
            },
            "additionalProperties": False,
        },
        {"type": "null"},
    ]
}


class VoiceReference(BaseModel):
    """OpenAI's way to name a custom voice."""

    model_config = ConfigDict(extra="forbid")

    id: str = Field(min_length=1, max_length=128)


class SpokenText(BaseModel):
    """One text to be spoken, whatever form the answer has.

    Attributes:
        model: "hometone".
        input: The text.
        voice: A name of `GET /v1/voices`, or {"id": name}.
        speed: OpenAI's pace, 1 / length_scale.
        length_scale: Pace; above 1 is slower.
        noise_scale: See `SpeakingSettings`.
        pitch: Semitones.
        pitch_range: See `SpeakingSettings`.
        seed: Makes the result repeatable.
        language: How Latin words are read.
        sample_rate_hz: Rate of the sound.
        audible_label: Say first that the voice is synthetic.
        input_type: What `input` is: a text, or an SSML document (docs/editing.md).
        controls: What is wanted of single sentences, words and phonemes (docs/editing.md).
    """

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    model: str = Field(default=MODELS[0], max_length=64, json_schema_extra={"enum": [*MODELS]})
    input: str = Field(min_length=1)
    voice: str | VoiceReference
    speed: float | None = Field(default=None, json_schema_extra=_range(1.0 / LENGTH_SCALE_RANGE[1], 1.0 / LENGTH_SCALE_RANGE[0]))
    length_scale: float | None = Field(default=None, json_schema_extra=_range(*LENGTH_SCALE_RANGE))
    noise_scale: float | None = Field(default=None, json_schema_extra=_range(*NOISE_SCALE_RANGE))
    pitch: float = Field(default=0.0, json_schema_extra=_range(*PITCH_SEMITONES_RANGE))
    pitch_range: float = Field(default=1.0, json_schema_extra=_range(*PITCH_RANGE_RANGE))
    seed: int | None = Field(default=None, json_schema_extra=_range(0, 2**63 - 1))
    language: str | None = Field(default=None, max_length=16, json_schema_extra={"enum": [*LANGUAGES, None]})
    sample_rate_hz: int = Field(default=NATIVE_RATE_HZ, json_schema_extra={"enum": _RATES_HZ})
    audible_label: bool = False
    input_type: Literal["text", "ssml"] = "text"
    controls: dict[str, Any] | None = Field(default=None, json_schema_extra=_CONTROLS)

    @property
    def voice_id(self) -> str:
        """The voice's name, however it was given."""
        return self.voice if isinstance(self.voice, str) else self.voice.id

    def settings(self) -> SpeakingSettings:
        """Return the wishes of this request.

        Raises:
            UsageError: They contradict each other or lie outside their ranges.
        """
        if self.speed is not None and self.length_scale is not None:
            raise UsageError("speed and length_scale say the same thing", hint="send one of them")
        if self.speed is not None and self.speed <= 0:
            raise UsageError("the speed must lie between 0.34 and 3.3", hint="leave it out to get the usual pace")
        length_scale = 1.0 / self.speed if self.speed is not None else self.length_scale
        chosen = SpeakingSettings(pitch_semitones=self.pitch, pitch_range=self.pitch_range, seed=self.seed)
        return SpeakingSettings(
            length_scale=chosen.length_scale if length_scale is None else length_scale,
            noise_scale=chosen.noise_scale if self.noise_scale is None else self.noise_scale,
            pitch_semitones=chosen.pitch_semitones,
            pitch_range=chosen.pitch_range,
            seed=chosen.seed,
            input_type=self.input_type,
            controls=None if self.controls is None else Controls.from_object(self.controls),
        )


class SpeechRequest(SpokenText):
    """A text whose sound is streamed.

    Attributes:
        response_format: Format of the sound. "pcm" is 16-bit mono without a header, always with the spoken label in front.
        stream_format: "audio": the bytes themselves; "sse": as server-sent events.
    """

    response_format: SpeechFormat = "mp3"
    stream_format: Literal["audio", "sse"] = "audio"


class TimedRequest(SpokenText):
    """A text whose sound is answered whole, with the times of its phonemes.

    Attributes:
        response_format: Format of the sound; raw samples cannot carry the AI label, so there is no "pcm".
    """

    response_format: Literal["wav", "flac", "mp3", "opus", "aac"] = "wav"
