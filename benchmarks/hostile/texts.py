"""Texts, voices and ports that there are not, and Ctrl+C."""

import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager

from command_bench import TAKE, Ran
from hostile.stage import DISK, GOOD, INTERRUPTED, MODEL, RESOURCE, TEXT, USAGE, Act, Case, Stage, WrongError


def one_word(stage: Stage) -> Ran:
    """100,000 characters of one word, and Ctrl+C after a while: no file, not even a piece of one."""
    out = stage.folder / "speech.wav"
    text = stage.file("text.txt", b"a" * 100_000)
    ran = stage.line(
        "say", "mei", "--text-file", text, "--out", out, "--pin-file", stage.pin_file, signal_after=(signal.SIGINT, 8.0), timeout_s=120
    )
    if out.exists():
        raise WrongError("there is a sound file")
    return ran


def long_story(stage: Stage) -> Ran:
    """The same with a text that can be read, so that it is interrupted while it speaks."""
    out = stage.folder / "speech.wav"
    text = stage.file("text.txt", ("This is a long story. " * 5_000).encode())
    ran = stage.line(
        "say", "mei", "--text-file", text, "--out", out, "--pin-file", stage.pin_file, signal_after=(signal.SIGINT, 8.0), timeout_s=120
    )
    if out.exists():
        raise WrongError("there is a sound file")
    return ran


def interrupted_take(after_s: float) -> Act:
    return lambda stage: stage.take(TAKE, signal_after=(signal.SIGINT, after_s))


def text_file(path: str) -> Act:
    def act(stage: Stage) -> Ran:
        ran = stage.line("say", "af_heart", "--text-file", path, timeout_s=60)
        if ran.peak_mib > 1024:
            raise WrongError(f"took {ran.peak_mib:.0f} MiB")
        return ran

    return act


def spoken(text: str) -> Act:
    return lambda stage: stage.say(text, voice="af_heart", timeout_s=120)


@contextmanager
def taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield int(listener.getsockname()[1])


def serve_on_a_taken_port(stage: Stage) -> Ran:
    token = stage.file("token.txt", b"token of the program that runs there")
    with taken_port() as port:
        ran = stage.line("serve", "--port", str(port), "--token-file", token, timeout_s=60)
    if token.read_bytes() != b"token of the program that runs there":
        raise WrongError("the token of the program that runs there was overwritten")
    return ran


def serve_then_stop(stage: Stage) -> Ran:
    return stage.line("serve", "--port", "0", "--unlock", f"mei={stage.pin_file}", signal_after=(signal.SIGINT, 10.0), timeout_s=60)


TEXTS = (
    Case("text: empty", spoken(""), (TEXT,)),
    Case("text: only spaces", spoken(" \n\t "), (TEXT,)),
    Case("text: only emoji", spoken("🎤🎶❤🎉"), (0, TEXT), "emoji may have words"),
    Case("text: only punctuation", spoken("…!?—"), (TEXT,)),
    Case("text: control characters", spoken("good \x01\x07\x1b[31m morning\x7f"), (0, TEXT), "what cannot be read is left out"),
    Case("text: bidirectional controls", spoken("\u202egood\u202c \u200bmorning"), (0, TEXT), "what cannot be read is left out"),
    Case("text: not UTF-8 on the line", spoken("good \udcff morning"), (0, TEXT), "what cannot be read is left out"),
    Case("text: a script it cannot read", spoken("გამარჯობა მეგობარო"), (TEXT,)),
    Case("text: 100,000 characters of one word, Ctrl+C", one_word, (INTERRUPTED, TEXT)),
    Case("text: a long story, Ctrl+C", long_story, (INTERRUPTED,)),
    Case("text file: none", text_file("nowhere.txt"), (USAGE,)),
    Case("text file: a folder", text_file("."), (USAGE,)),
    Case("text file: not UTF-8", lambda stage: text_file(str(stage.file("t.txt", b"\xff\xfe\x00")))(stage), (TEXT,)),
    Case("text file: a device without an end", text_file("/dev/zero"), (TEXT, USAGE)),
    Case("voice: no such speaker", lambda stage: stage.say("Good morning.", voice="nobody"), (USAGE,)),
    Case("voice: ../x", lambda stage: stage.say("Good morning.", voice="../x"), (USAGE,)),
    Case("voice: of a speaker who has none", lambda stage: stage.say("Good morning.", voice="otto"), (USAGE,)),
    Case("format: unknown", lambda stage: stage.say("Good morning.", out=stage.folder / "x.exe"), (USAGE,)),
    Case(
        "language: unknown",
        lambda stage: stage.say("Good morning.", "--language", "../x"),
        (0, USAGE, TEXT),
        "a hint that nothing follows from",
    ),
    Case("models: no folder", lambda stage: stage.say("Good morning.", "--models", "/dev/null/x", voice="af_heart"), (MODEL, DISK)),
    Case(
        "take add, Ctrl+C at 0.3 s",
        interrupted_take(0.3),
        (0, INTERRUPTED, -signal.SIGINT),
        "while Python loads, a library may swallow it; then the line goes on",
    ),
    Case("take add, Ctrl+C at 1.5 s", interrupted_take(1.5), (INTERRUPTED,)),
    Case("take add, Ctrl+C at 3 s", interrupted_take(3.0), (0, INTERRUPTED), "it may have been done by then"),
    Case("serve: port is taken", serve_on_a_taken_port, (RESOURCE,)),
    Case(
        "serve: no such speaker",
        lambda stage: stage.line("serve", "--port", "0", "--unlock", f"nobody={stage.pin_file}", timeout_s=60),
        (USAGE,),
    ),
    Case("serve: ../x", lambda stage: stage.line("serve", "--port", "0", "--unlock", f"../x={stage.pin_file}", timeout_s=60), (USAGE,)),
    Case(
        "serve: token into no folder", lambda stage: stage.line("serve", "--port", "0", "--token-file", "no/token", timeout_s=60), (DISK,)
    ),
    Case("serve: Ctrl+C", serve_then_stop, GOOD, "that is how it ends"),
)
