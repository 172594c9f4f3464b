"""The voice format: what is written is read back; whatever else is read, it is a ModelError and nothing else."""

import contextlib
import dataclasses
import datetime as dt
import hashlib
import json
import struct
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import save

from hometone_client.voices import container
from hometone_client.voices.container import from_bytes, to_bytes
from hometone_client.voices.parameters import DenseDelta, F0Map, LowRankDelta, Tremor, VoiceParameters
from hometone_shared.errors import ModelError

# Written by the program before there was version 3.
BYTES_OF_VERSION_ONE = "96836a37b9821a6c78bed98ba2016b3672a4d8f011593fdc81e6dbfcb5498231"

finite = st.floats(-1e6, 1e6, width=32)


@st.composite
def arrays(draw: st.DrawFn, shape: tuple[int, ...]) -> np.ndarray:
    seed = draw(st.integers(0, 2**32 - 1))
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


@st.composite
def voices(draw: st.DrawFn) -> VoiceParameters:
    names = draw(st.lists(st.from_regex(r"[a-z0-9_]{1,8}(\.[a-z0-9_]{1,8}){0,3}", fullmatch=True), max_size=4, unique=True))
    deltas: dict[str, DenseDelta | LowRankDelta] = {}
    for name in names:
        out, rank, inner, kernel = (draw(st.integers(1, 5)) for _ in range(4))
        deltas[name] = (
            DenseDelta(draw(arrays((out, inner, kernel))))
            if draw(st.booleans())
            else LowRankDelta(draw(arrays((out, rank))), draw(arrays((rank, inner, kernel))))
        )
    return VoiceParameters(
        style=draw(arrays((256,))),
        base_sha256=draw(st.from_regex(r"[0-9a-f]{64}", fullmatch=True)),
        recipe=draw(st.sampled_from(["stock-1", "finetune-12", "quick.2"])),
        created=draw(st.datetimes(dt.datetime(2020, 1, 1), dt.datetime(2100, 1, 1))).replace(microsecond=0, tzinfo=dt.UTC),  # noqa: DTZ001
        languages=tuple(draw(st.lists(st.sampled_from(["zh", "en-US", "pt-BR", "yue"]), max_size=3))),
        weight_deltas=deltas,
        f0_map=F0Map(reference_hz=draw(st.floats(60, 400)), target_hz=draw(st.floats(60, 400)), range_scale=draw(st.floats(0.2, 3.0))),
        length_scale=draw(st.floats(0.5, 2.0)),
        tone_filter=draw(arrays((draw(st.integers(1, 64)),))),
        gain_db=draw(st.floats(-20, 20)),
        voiced_noise=draw(st.floats(0, 0.1)),
        breath=draw(st.sampled_from([0.0, 0.25, 0.9])),
        tremor=draw(st.none() | st.builds(Tremor, rate_hz=st.floats(3, 10), depth=st.floats(0, 0.1))),
    )


def small_voice() -> VoiceParameters:
    return VoiceParameters(
        style=np.linspace(-1, 1, 256, dtype=np.float32),
        base_sha256="0f" * 32,
        recipe="finetune-1",
        created=dt.datetime(2026, 3, 4, 5, 6, 7, tzinfo=dt.UTC),
        languages=("zh", "en"),
        weight_deltas={
            "decoder.encode.conv1.weight": LowRankDelta(np.ones((4, 2), np.float32), np.ones((2, 3, 3), np.float32)),
            "decoder.bias": DenseDelta(np.ones(4, np.float32)),
        },
    )


def rewritten(metadata: dict[str, object] | str | None = None, tensors: dict[str, np.ndarray] | None = None, **fields: object) -> bytes:
    """The small voice with its description or its arrays changed."""
    good = to_bytes(small_voice())
    header = json.loads(good[8 : 8 + int.from_bytes(good[:8], "little")])
    description = json.loads(header["__metadata__"][container.METADATA_KEY]) | fields
    text = metadata if isinstance(metadata, str) else json.dumps(metadata if metadata is not None else description)
    arrays = tensors if tensors is not None else {"style": small_voice().style, "tone_filter": small_voice().tone_filter}
    return save(arrays, metadata={container.METADATA_KEY: text})


@settings(max_examples=40, deadline=None)
@given(voices())
def test_what_is_written_is_read_back(voice: VoiceParameters) -> None:
    data = to_bytes(voice)
    again = from_bytes(data)
    assert again.digest() == voice.digest()
    assert (again.created, again.recipe, again.languages) == (voice.created, voice.recipe, voice.languages)
    assert {name: delta.shape for name, delta in again.weight_deltas.items()} == {
        name: delta.shape for name, delta in voice.weight_deltas.items()
    }
    assert to_bytes(again) == data


@pytest.mark.parametrize("source", [bytes, bytearray, memoryview])
def test_any_kind_of_bytes_is_read(source: type) -> None:
    assert from_bytes(source(to_bytes(small_voice()))).digest() == small_voice().digest()


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=400))
def test_noise_is_refused(data: bytes) -> None:
    with pytest.raises(ModelError):
        from_bytes(data)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=200), st.binary(max_size=100))
def test_a_well_formed_frame_around_noise_is_refused(header: bytes, body: bytes) -> None:
    with pytest.raises(ModelError):
        from_bytes(struct.pack("<Q", len(header)) + header + body)


@settings(max_examples=400, deadline=None)
@given(position=st.integers(0, 10**6), value=st.integers(0, 255), cut=st.integers(0, 10**6))
def test_a_damaged_voice_is_read_or_refused_and_nothing_else(position: int, value: int, cut: int) -> None:
    good = to_bytes(small_voice())
    damaged = bytearray(good)
    damaged[position % len(good)] = value
    with contextlib.suppress(ModelError):
        from_bytes(damaged)
    shorter = good[: cut % len(good)]
    with pytest.raises(ModelError):
        from_bytes(shorter)
    with pytest.raises(ModelError):
        from_bytes(good + b"\0")


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=10,
)


@settings(max_examples=200, deadline=None)
@given(json_values)
def test_descriptions_of_any_json_are_refused(value: object) -> None:
    with pytest.raises(ModelError):
        from_bytes(rewritten(metadata=json.dumps(value)))


@settings(max_examples=200, deadline=None)
@given(
    field=st.sampled_from(
        ["version", "base_sha256", "recipe", "created", "languages", "f0_map", "length_scale", "gain_db", "voiced_noise"],
    ),
    value=json_values,
)
def test_a_field_of_any_json_is_read_or_refused(field: str, value: object) -> None:
    try:
        voice = from_bytes(rewritten(**{field: value}))
    except ModelError:
        return
    assert field in {"recipe", "languages", "length_scale", "gain_db", "voiced_noise"}
    assert voice.digest()


@pytest.mark.parametrize(
    "fields",
    [
        {"version": 0},
        {"version": True},
        {"version": "1"},
        {"speaker": "Anna"},
        {"created": "2026-1-2T03:04:05Z"},
        {"created": "2026-13-02T03:04:05Z"},
        {"created": "２０２６-01-02T03:04:05Z"},
        {"length_scale": 10**400},
        {"f0_map": {"reference_hz": 200.0, "target_hz": 200.0}},
    ],
)
def test_wrong_descriptions_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ModelError):
        from_bytes(rewritten(**fields))


def test_a_newer_version_says_so() -> None:
    with pytest.raises(ModelError, match="newer"):
        from_bytes(rewritten(version=4))


def test_deeply_nested_descriptions_are_refused() -> None:
    with pytest.raises(ModelError):
        from_bytes(rewritten(metadata="[" * 30_000 + "]" * 30_000))
    with pytest.raises(ModelError):
        from_bytes(rewritten(metadata='{"version":' * 5_000))


STYLE = np.zeros(256, np.float32)
TONE = np.ones(1, np.float32)


@pytest.mark.parametrize(
    "tensors",
    [
        {},
        {"style": STYLE},
        {"tone_filter": TONE},
        {"style": STYLE, "tone_filter": TONE, "more": TONE},
        {"style": STYLE, "tone_filter": TONE, "delta/": TONE},
        {"style": STYLE, "tone_filter": TONE, "delta//dense": TONE},
        {"style": STYLE, "tone_filter": TONE, "delta/x": TONE},
        {"style": STYLE, "tone_filter": TONE, "delta/x/a": np.ones((2, 1), np.float32)},
        {"style": STYLE, "tone_filter": TONE, "delta/x/dense": TONE, "delta/x/a": np.ones((2, 1), np.float32)},
        {"style": STYLE, "tone_filter": TONE, "delta/x y/dense": TONE},
        {"style": STYLE, "tone_filter": TONE, "delta/x/a": np.ones((2, 1), np.float32), "delta/x/b": np.ones((2, 1), np.float32)},
        {"style": STYLE.astype(np.float64), "tone_filter": TONE},
        {"style": STYLE.astype(np.int32), "tone_filter": TONE},
        {"style": STYLE, "tone_filter": np.ones((), np.float32)},
        {"style": STYLE, "tone_filter": np.ones((1, 1, 1, 1, 1), np.float32)},
        {"style": STYLE, "tone_filter": np.zeros((0,), np.float32)},
        {"style": np.full(256, np.inf, np.float32), "tone_filter": TONE},
    ],
)
def test_wrong_arrays_are_refused(tensors: dict[str, np.ndarray]) -> None:
    with pytest.raises(ModelError):
        from_bytes(rewritten(tensors=tensors))


def test_a_foreign_safetensors_file_is_refused() -> None:
    for metadata in (None, {"format": "pt"}, {container.METADATA_KEY: "{}", "format": "pt"}):
        with pytest.raises(ModelError):
            from_bytes(save({"style": STYLE, "tone_filter": TONE}, metadata=metadata))


def test_more_bytes_than_any_voice_are_not_even_parsed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "BYTES_LIMIT", 100)
    with pytest.raises(ModelError, match="larger"):
        from_bytes(bytes(101))


def test_the_bytes_hold_no_name_beside_those_of_the_format() -> None:
    data = to_bytes(small_voice())
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    assert set(header) == {
        "__metadata__",
        "style",
        "tone_filter",
        "delta/decoder.bias/dense",
        "delta/decoder.encode.conv1.weight/a",
        "delta/decoder.encode.conv1.weight/b",
    }
    assert set(header["__metadata__"]) == {"hometone-voice"}


def test_every_field_of_the_format_is_in_its_docs() -> None:
    page = (Path(__file__).parents[4] / "docs" / "voice-format.md").read_text(encoding="utf-8")
    data = to_bytes(small_voice())
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    fields = json.loads(header["__metadata__"]["hometone-voice"])
    for name in ["style", "tone_filter", "dense", "hometone-voice", *fields, *fields["f0_map"]]:
        assert f"`{name}`" in page, name


def test_breath_and_tremor_are_version_three_and_everything_else_is_what_it_was() -> None:
    plain, data = small_voice(), to_bytes(dataclasses.replace(small_voice(), breath=0.25, tremor=Tremor(rate_hz=6.5, depth=0.03)))
    again = from_bytes(data)
    assert (again.breath, again.tremor) == (0.25, Tremor(rate_hz=6.5, depth=0.03))
    assert again.digest() != plain.digest()
    fields = json.loads(json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])["__metadata__"][container.METADATA_KEY])
    assert (fields["version"], fields["shared"]) == (3, None)
    assert hashlib.sha256(to_bytes(plain)).hexdigest() == BYTES_OF_VERSION_ONE


@pytest.mark.parametrize(
    "fields",
    [
        {"version": 3},
        {"version": 3, "shared": None, "breath": 0.0, "tremor": None},
        {"version": 3, "shared": None, "breath": 0.95, "tremor": None},
        {"version": 3, "shared": None, "breath": 0.2, "tremor": {"rate_hz": 6.0}},
        {"version": 3, "shared": None, "breath": 0.2, "tremor": {"rate_hz": 60.0, "depth": 0.01}},
        {"version": 1, "breath": 0.2},
    ],
)
def test_wrong_breath_and_tremor_are_refused(fields: dict[str, object]) -> None:
    with pytest.raises(ModelError):
        from_bytes(rewritten(**fields))
