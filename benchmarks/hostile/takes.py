"""Recordings that are none, or that are too much."""

import os
import shutil
import wave
from pathlib import Path

import numpy as np
import soundfile
from command_bench import TAKE, Ran
from hostile.stage import AUDIO, GOOD, REJECTED, USAGE, Act, Case, Stage, WrongError


def sound(stage: Stage, name: str, samples: np.ndarray, *, rate: int = 16_000, subtype: str = "PCM_16") -> Path:
    path = stage.folder / name
    soundfile.write(path, samples, rate, subtype=subtype)
    return path


def speech() -> tuple[np.ndarray, int]:
    samples, rate = soundfile.read(TAKE, dtype="float32")
    return samples, rate


def with_value(value: float) -> Act:
    def act(stage: Stage) -> Ran:
        samples, rate = speech()
        samples[len(samples) // 2] = value
        return stage.take(sound(stage, "value.wav", samples, rate=rate, subtype="FLOAT"))

    return act


def three_hours(stage: Stage) -> Ran:
    """A sparse WAV of 48 kHz stereo, whose header says how long it is."""
    path = stage.folder / "long.wav"
    frames = 3 * 3600 * 48_000
    with wave.open(str(path), "wb") as writer:
        writer.setparams((2, 2, 48_000, 0, "NONE", ""))
    header = bytearray(path.read_bytes()[:44])
    header[4:8], header[40:44] = (frames * 4 + 36).to_bytes(4, "little"), (frames * 4).to_bytes(4, "little")
    path.write_bytes(header)
    os.truncate(path, 44 + frames * 4)
    return stage.take(path, timeout_s=300)


def three_hours_untold(stage: Stage) -> Ran:
    """A FLAC of nearly nothing whose header does not know how long it is, as live streams are: it must be decoded to be refused."""
    path = stage.folder / "long.flac"
    with soundfile.SoundFile(path, "w", 48_000, 1) as writer:
        for _ in range(3 * 60):
            writer.write(np.zeros(60 * 48_000, np.float32))
    with path.open("r+b") as file:
        file.seek(21)  # STREAMINFO: the last 36 bits before the checksum are the number of samples, 0 if unknown
        upper = file.read(1)[0] & 0xF0
        file.seek(21)
        file.write(bytes([upper, 0, 0, 0, 0]))
    ran = stage.take(path, timeout_s=300)
    if ran.peak_mib > 2048:
        raise WrongError(f"took {ran.peak_mib:.0f} MiB")
    return ran


def half_of(name: str, fmt: str | None = None) -> Act:
    def act(stage: Stage) -> Ran:
        whole = stage.folder / f"whole{Path(name).suffix}"
        samples, rate = speech()
        soundfile.write(whole, samples, rate, format=fmt)
        data = whole.read_bytes()
        return stage.take(stage.file(name, data[: len(data) // 2]))

    return act


def png(stage: Stage) -> Ran:
    data = bytes.fromhex(
        "89504e470d0a1a0a0000000d49484452000000010000000108060000001f15c4890000000d49444154789c6360000002000001e221bc330000000049454e44ae426082"
    )
    return stage.take(stage.file("picture.wav", data))


def many_names(stage: Stage) -> Ran:
    names: tuple[str | bytes, ...] = (
        "录音 一.flac",
        "تسجيل.flac",
        "🎤🎶.flac",
        "-dash.flac",
        "--json.flac",
        "http:x.flac",
        "a\nb.flac",
        b"\xff\xfe.flac",
        "n" * 250 + ".flac",
    )
    for name in names:
        shutil.copyfile(TAKE, stage.folder / os.fsdecode(name))
    ran = stage.take(*[os.fsencode(name) for name in names])
    stored = [take["stored"] for take in ran.answer.get("takes", [])]
    if stored != [True] * len(names):
        raise WrongError(f"stored: {stored}")
    return ran


def dash_without_warning(stage: Stage) -> Ran:
    shutil.copyfile(TAKE, stage.folder / "-dash.flac")
    return stage.line("take", "add", "mei", "-dash.flac", "--pin-file", stage.pin_file)


def fifo(stage: Stage) -> Ran:
    path = stage.folder / "pipe.wav"
    os.mkfifo(path)
    return stage.take(path, timeout_s=60)


def playlist(stage: Stage) -> Ran:
    shutil.copyfile(TAKE, stage.folder / "secret.flac")
    return stage.take(stage.file("list.wav", b"ffconcat version 1.0\nfile secret.flac\n"))


def loop(stage: Stage) -> Ran:
    path = stage.folder / "loop.wav"
    path.symlink_to(path)
    return stage.take(path)


def table(data: bytes) -> Act:
    def act(stage: Stage) -> Ran:
        return stage.line("take", "add", "mei", TAKE, "--texts", stage.file("texts.csv", data), "--pin-file", stage.pin_file)

    return act


def endless_words(stage: Stage) -> Ran:
    return stage.line(
        "take", "add", "mei", TAKE, "--text", "word " * 20_000, "--language", "en", "--pin-file", stage.pin_file, timeout_s=300
    )


TAKES = (
    Case("take: empty file", lambda stage: stage.take(stage.file("empty.wav")), (AUDIO,)),
    Case("take: ten seconds of silence", lambda stage: stage.take(sound(stage, "silent.wav", np.zeros(160_000))), (AUDIO,)),
    Case(
        "take: noise, no speech",
        lambda stage: stage.take(sound(stage, "n.wav", np.random.default_rng(1).normal(0, 0.1, 80_000))),
        (REJECTED,),
    ),
    Case("take: clipped", lambda stage: stage.take(sound(stage, "clipped.wav", np.clip(speech()[0] * 20, -1, 1))), (REJECTED,)),
    Case("take: one sample", lambda stage: stage.take(sound(stage, "one.wav", np.ones(1) * 0.5)), (AUDIO,)),
    Case("take: three hours, header says so", three_hours, (AUDIO,)),
    Case("take: three hours, header does not say", three_hours_untold, (AUDIO,)),
    Case("take: a picture called .wav", png, (AUDIO,)),
    Case("take: a text called .wav", lambda stage: stage.take(stage.file("text.wav", b"good morning\n" * 99)), (AUDIO,)),
    Case("take: random bytes", lambda stage: stage.take(stage.file("r.mp3", np.random.default_rng(1).bytes(100_000))), (AUDIO,)),
    Case("take: half a FLAC", half_of("half.flac"), (AUDIO,)),
    Case("take: half an MP3", half_of("half.mp3"), (0, REJECTED), "half an MP3 is a shorter recording (docs/recording.md)"),
    Case("take: half an Ogg", half_of("half.ogg"), (0, AUDIO, REJECTED), "half an Ogg is a shorter recording"),
    Case("take: NaN", with_value(float("nan")), (AUDIO,)),
    Case("take: infinity", with_value(float("inf")), (AUDIO,)),
    Case("take: file names in many scripts", many_names, GOOD, "a name is only a name"),
    Case("take: leading dash without --", dash_without_warning, (USAGE,)),
    Case("take: a folder", lambda stage: stage.take(stage.folder), (AUDIO,)),
    Case("take: no such file", lambda stage: stage.take("nowhere.wav"), (AUDIO,)),
    Case("take: a name that is too long", lambda stage: stage.take("x" * 5000 + ".wav"), (AUDIO,)),
    Case("take: a pipe", fifo, (AUDIO,)),
    Case("take: a device without an end", lambda stage: stage.take("/dev/zero", timeout_s=60), (AUDIO,)),
    Case("take: a playlist that names another file", playlist, (AUDIO,)),
    Case("take: a link to itself", loop, (AUDIO,)),
    Case("take: table of texts is binary", table(b"\xff\xfe\x00\x01"), (USAGE,)),
    Case("take: table of texts without columns", table(b"a;b\n1;2\n"), (USAGE,)),
    Case(
        "take: table of texts with ragged rows",
        table(b"file,text\nenrol-02.flac\n"),
        (0, USAGE),
        "a row without a text is a take without one",
    ),
    Case(
        "take: table of texts is a device",
        lambda stage: stage.line("take", "add", "mei", TAKE, "--texts", "/dev/zero", "--pin-file", stage.pin_file, timeout_s=60),
        (USAGE,),
    ),
    Case("take: a text of 20,000 words", endless_words, (0, REJECTED, USAGE), "a wrong text is advice, not a refusal"),
    Case("take: no such speaker", lambda stage: stage.take(TAKE, speaker="nobody"), (USAGE,)),
    Case("take: ../x as the speaker", lambda stage: stage.take(TAKE, speaker="../x"), (USAGE,)),
)
