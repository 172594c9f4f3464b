"""The AI label: what GB 45438-2025 asks for, nothing about anybody, and hostile files give AudioError only."""

import contextlib
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hometone_client.audio.encoding import StreamEncoder, encode
from hometone_client.audio.labels import SOURCE_TYPE, SyntheticLabel, read_label
from hometone_shared.errors import AudioError

SILENCE = np.zeros(4800, np.float32)
LABEL = SyntheticLabel.fresh()
FILES = {fmt: encode(SILENCE, fmt=fmt, label=LABEL) for fmt in ("wav", "flac", "mp3", "opus", "aac")}  # type: ignore[arg-type]


def test_the_fields_are_those_of_the_standard_in_its_order() -> None:
    fields = json.loads(LABEL.to_json())
    assert list(fields) == [
        "Label",
        "ContentProducer",
        "ProduceID",
        "ReservedCode1",
        "ContentPropagator",
        "PropagateID",
        "ReservedCode2",
    ]
    assert fields["Label"] == "1"
    assert fields["ContentProducer"] == "Hometone"


def test_numbers_are_random_so_that_two_files_cannot_be_linked() -> None:
    assert len({SyntheticLabel.fresh().produce_id for _ in range(50)}) == 50


@pytest.mark.parametrize("fmt", FILES)
def test_the_label_lies_in_the_bytes_as_plain_text(fmt: str) -> None:
    # ID3v2.3 keeps ASCII text in Latin-1, so the same search works for all formats.
    assert LABEL.to_json().encode() in FILES[fmt]
    if fmt != "wav":
        assert SOURCE_TYPE.encode() in FILES[fmt]


def test_a_file_without_a_label_is_told_apart() -> None:
    header = b"RIFF" + (36 + 200).to_bytes(4, "little") + b"WAVEfmt " + (16).to_bytes(4, "little")
    header += bytes.fromhex("01000100c05d000080bb000002001000") + b"data" + (200).to_bytes(4, "little")
    assert read_label(header + bytes(200)) is None


@pytest.mark.parametrize("fmt", FILES)
def test_a_label_that_was_tampered_with_is_noticed(fmt: str) -> None:
    damaged = FILES[fmt].replace(b'"Label":"1"', b'"Label":"9"')
    if fmt == "opus":  # Ogg pages carry a checksum of their own
        with contextlib.suppress(AudioError):
            assert read_label(damaged) is None
    else:
        with pytest.raises(AudioError):
            read_label(damaged)


@settings(max_examples=200, deadline=None)
@given(st.builds(SyntheticLabel, produce_id=st.text(max_size=40), producer=st.text(max_size=40), reserved_code_1=st.text(max_size=40)))
def test_labels_survive_their_json(label: SyntheticLabel) -> None:
    assert SyntheticLabel.from_json(label.to_json()) == label


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=200) | st.recursive(st.none() | st.text(max_size=5) | st.integers(), st.lists).map(json.dumps))
def test_any_text_is_a_label_or_an_audio_error(text: str) -> None:
    with pytest.raises(AudioError):
        SyntheticLabel.from_json(text)


@pytest.mark.parametrize(
    "text",
    [
        '{"Label":"1"}',
        '{"Label":1,"ContentProducer":"a","ProduceID":"b"}',
        '{"Label":"1","ContentProducer":"a","ProduceID":"b","Speaker":"c"}',
        '{"Label":"4","ContentProducer":"a","ProduceID":"b"}',
        '{"Label":"1","ContentProducer":"a","ProduceID":"' + "x" * 300 + '"}',
        "[" * 100_000,
    ],
)
def test_wrong_labels_are_refused(text: str) -> None:
    with pytest.raises(AudioError):
        SyntheticLabel.from_json(text)


def test_labels_of_other_producers_may_leave_reserved_fields_out() -> None:
    label = SyntheticLabel.from_json('{"Label":"2","ContentProducer":"a","ProduceID":"b"}')
    assert (label.label, label.propagator) == ("2", "")


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=600))
def test_noise_is_not_a_labelled_file(data: bytes) -> None:
    with contextlib.suppress(AudioError):
        assert read_label(data) is None


@settings(max_examples=120, deadline=None)
@given(fmt=st.sampled_from(sorted(FILES)), position=st.integers(0, 10**6), value=st.integers(0, 255), cut=st.integers(0, 10**6))
def test_damaged_files_give_a_label_or_an_audio_error(fmt: str, position: int, value: int, cut: int) -> None:
    data = bytearray(FILES[fmt])
    data[position % len(data)] = value
    for damaged in (bytes(data), FILES[fmt][: cut % len(data)]):
        with contextlib.suppress(AudioError):
            assert isinstance(read_label(damaged), SyntheticLabel | None)


def test_playlists_that_name_other_files_are_not_opened() -> None:
    for text in (b"#EXTM3U\n#EXT-X-VERSION:3\n#EXTINF:1,\nfile:///etc/hostname\n", b"ffconcat version 1.0\nfile /etc/hostname\n"):
        with pytest.raises(AudioError):
            read_label(text)


def test_a_stream_carries_the_label_before_its_first_sound() -> None:
    first = StreamEncoder(fmt="wav", label=LABEL).write(SILENCE)
    assert LABEL.to_json().encode() in first[:500]
