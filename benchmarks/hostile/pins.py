"""PINs that are wrong, and files that hold none."""

import os
import time

from command_bench import PIN, TAKE, Ran
from hostile.stage import AUDIO, USAGE, WRONG_PIN, Act, Case, Stage, WrongError

LOCKED_OUT_S = 31.0


def pin_of(data: bytes | None) -> Act:
    def act(stage: Stage) -> Ran:
        path = stage.folder / "other.txt"
        if data is not None:
            path.write_bytes(data)
        return stage.line("take", "add", "mei", TAKE, "--pin-file", path)

    return act


def pin_at(path: str) -> Act:
    def act(stage: Stage) -> Ran:
        ran = stage.line("take", "add", "mei", TAKE, "--pin-file", path, timeout_s=60)
        if ran.peak_mib > 1024:
            raise WrongError(f"took {ran.peak_mib:.0f} MiB")
        return ran

    return act


def huge_pin_file(stage: Stage) -> Ran:
    path = stage.file("huge.txt")
    os.truncate(path, 8 << 30)
    return pin_at(str(path))(stage)


def many_wrong_pins(stage: Stage) -> Ran:
    """Five, then everybody waits half a minute; afterwards the right one opens (checked like everywhere)."""
    for number in range(7):
        ran = pin_of(f"wrong {number}".encode())(stage)
        if ran.code != WRONG_PIN:
            raise WrongError(f"try {number + 1}: {ran.code} {ran.message}")
    right = stage.take("nowhere.wav")
    if right.code != WRONG_PIN or "too many" not in right.message:
        raise WrongError("the right PIN opens at once after five wrong ones")
    time.sleep(LOCKED_OUT_S)
    return right


def pin_in_environment(value: bytes) -> Act:
    return lambda stage: stage.line("take", "add", "mei", TAKE, extra={"HOMETONE_PIN": value})


def new_pin_of(data: bytes) -> Act:
    return lambda stage: stage.line("enroll", "ana", "--yes", "--pin-file", stage.file("new.txt", data))


def pin_from_a_pipe(stage: Stage) -> Ran:
    reader, writer = os.pipe()
    os.write(writer, PIN.encode() + b"\n")  # and stays open, as a password program may
    try:
        return stage.line("take", "add", "mei", "nowhere.wav", "--pin-file", f"/dev/fd/{reader}", pass_fds=(reader,), timeout_s=60)
    finally:
        os.close(reader)
        os.close(writer)


PINS = (
    Case("PIN: wrong", pin_of(b"battery staple"), (WRONG_PIN,)),
    Case("PIN: wrong seven times, then the right one at once", many_wrong_pins, (WRONG_PIN,)),
    Case("PIN: empty file", pin_of(b""), (USAGE,)),
    Case("PIN: empty first line", pin_of(b"\n" + PIN.encode()), (USAGE,)),
    Case("PIN: no such file", pin_of(None), (USAGE,)),
    Case("PIN: binary file", pin_of(bytes(range(128, 256))), (USAGE,)),
    Case("PIN: file of zeros", pin_of(bytes(4096)), (USAGE, WRONG_PIN)),
    Case("PIN: 4,000 characters", pin_of(b"x" * 4000), (USAGE, WRONG_PIN)),
    Case("PIN: file is a folder", pin_at("."), (USAGE,)),
    Case("PIN: file is a device without an end", pin_at("/dev/zero"), (USAGE, WRONG_PIN)),
    Case("PIN: file of eight gigabytes", huge_pin_file, (USAGE, WRONG_PIN)),
    Case("PIN: from a pipe that stays open", pin_from_a_pipe, (AUDIO,)),
    Case("PIN: not UTF-8 in the environment", pin_in_environment(b"\xff\xfe"), (USAGE, WRONG_PIN)),
    Case("PIN: nobody to ask", lambda stage: stage.line("take", "add", "mei", TAKE), (USAGE,)),
    Case("new PIN: three characters", new_pin_of(b"123"), (USAGE,)),
    Case("new PIN: only spaces", new_pin_of(b"        "), (USAGE,)),
    Case("new PIN: 2,000 characters", new_pin_of(b"x" * 2000), (USAGE,)),
    Case(
        "revoke: wrong PIN", lambda stage: stage.line("revoke", "mei", "--yes", "--pin-file", stage.file("w.txt", b"nothing")), (WRONG_PIN,)
    ),
)
