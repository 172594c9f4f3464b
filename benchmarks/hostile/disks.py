"""Disks that are full, read-only, or somebody else's."""

import ctypes
import os
import resource
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from command_bench import TAKE, WORDS, Ran
from hostile.stage import DISK, GOOD, USAGE, Act, Case, LeftOut, Stage, WrongError

KIB = 1024
NOBODY = 65_534
PR_CAPBSET_DROP, CAPABILITIES_OVER_FILES = 24, (1, 2)  # linux/prctl.h; CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH


def mount(*arguments: str | Path) -> None:
    done = subprocess.run(["mount", *map(str, arguments)], capture_output=True, check=False)
    if done.returncode != 0:
        raise LeftOut("no right to mount")


@contextmanager
def own_disk(stage: Stage, *, size_kib: int = 4096) -> Iterator[Path]:
    """A small file system of its own."""
    place = stage.folder / "disk"
    place.mkdir()
    mount("-t", "tmpfs", "-o", f"size={size_kib}k", "none", place)
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def fill(place: Path, *, spare_kib: int) -> Path:
    """Leave so much room."""
    filler = place / "filler"
    about = os.statvfs(place)
    filler.write_bytes(bytes(max(0, about.f_bavail * about.f_frsize - spare_kib * KIB)))
    return filler


@contextmanager
def home_on(stage: Stage, place: Path, *, empty: bool = False) -> Iterator[None]:
    """The home lies on another disk for a while, and comes back as it is then."""
    usual, stage.home = stage.home, place / "home"
    if not empty:
        shutil.copytree(usual, stage.home)
    try:
        yield
    finally:
        shutil.rmtree(usual)
        if stage.home.exists():
            shutil.copytree(stage.home, usual)
        stage.home = usual


def full_home(act: Act, *, spare_kib: int) -> Act:
    def full(stage: Stage) -> Ran:
        with own_disk(stage) as place, home_on(stage, place):
            filler = fill(place, spare_kib=spare_kib)
            ran = act(stage)
            filler.unlink()
        return ran

    return full


def enroll_on_a_full_disk(spare_kib: int) -> Act:
    """The first speaker of a new home; the same line must do once there is room."""

    def act(stage: Stage) -> Ran:
        line = ("enroll", "mei", "--yes", "--pin-file", stage.pin_file)
        stage.speakers = ("mei",)
        with own_disk(stage) as place, home_on(stage, place, empty=True):
            filler = fill(place, spare_kib=spare_kib)
            ran = stage.line(*line)
            filler.unlink()
            known = stage.line("voices")
            if known.code != 0:
                raise WrongError(f"voices: {known.code} {known.message}")
            again = stage.line(*line)
            if again.code != 0:
                raise WrongError(f"the same line again: {again.code} {again.message}")
            added = stage.take(TAKE, speaker="mei")
            if added.code != 0:
                raise WrongError(f"take add: {added.code} {added.message}")
        return ran

    return act


def add_take(stage: Stage) -> Ran:
    return stage.line("take", "add", "mei", TAKE, "--text", WORDS, "--language", "en", "--pin-file", stage.pin_file)


def limited(act: Callable[[Stage, Callable[[], None]], Ran], *, kib: int) -> Act:
    """No file may grow beyond this size: what a quota does."""
    return lambda stage: act(stage, lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (kib * KIB, kib * KIB)))


def say_on_a_full_disk(stage: Stage) -> Ran:
    with own_disk(stage, size_kib=64) as place:
        out = place / "speech.wav"
        out.write_bytes(b"an earlier file")
        ran = stage.say("Good morning.", out=out, voice="af_heart")
        if sorted(path.name for path in place.iterdir()) != ["speech.wav"] or out.read_bytes() != b"an earlier file":
            raise WrongError("the earlier file is gone or something is left")
    return ran


@contextmanager
def read_only(place: Path) -> Iterator[None]:
    mount("--bind", place, place)
    try:
        mount("-o", "remount,bind,ro", place)
        yield
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


def read_only_home(*arguments: str | Path) -> Act:
    def act(stage: Stage) -> Ran:
        with read_only(stage.home):
            return stage.line(*arguments, "--pin-file", stage.pin_file) if arguments[0] != "voices" else stage.line(*arguments)

    return act


def read_only_out(*, voice: str) -> Act:
    def act(stage: Stage) -> Ran:
        place = stage.folder / "locked"
        place.mkdir()
        with read_only(place):
            return stage.say("Good morning.", out=place / "speech.wav", voice=voice)

    return act


def without_rights_over_files() -> None:
    """An administrator who may no longer pass over permissions; takes effect with the program that is started next."""
    for capability in CAPABILITIES_OVER_FILES:
        ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


def foreign_home(*arguments: str | Path) -> Act:
    """A home that belongs to somebody else."""

    def act(stage: Stage) -> Ran:
        if os.geteuid() != 0:
            raise LeftOut("no right to give a folder away")
        paths = (stage.home, *stage.home.rglob("*"))
        for path in paths:
            os.chown(path, NOBODY, NOBODY)
        try:
            return stage.line(*arguments, preexec_fn=without_rights_over_files)
        finally:
            for path in paths:
                os.chown(path, 0, 0)

    return act


def receipt_nowhere(stage: Stage) -> Ran:
    """The erasure is done all the same, and the receipt must not be lost."""
    stage.speakers = ("otto",)
    ran = stage.line("revoke", "mei", "--yes", "--pin-file", stage.pin_file, "--receipt", stage.folder / "nowhere" / "receipt.json")
    if not ran.answer.get("receipt", {}).get("signature"):
        raise WrongError("the receipt is lost")
    return ran


def other_home(name: str) -> Act:
    def act(stage: Stage) -> Ran:
        usual, stage.home = stage.home, stage.folder / name
        try:
            return stage.line("enroll", "mei", "--yes", "--pin-file", stage.pin_file)
        finally:
            stage.home = usual

    return act


def home_at(path: str, *arguments: str) -> Act:
    def act(stage: Stage) -> Ran:
        usual, stage.home = stage.home, Path(path)
        try:
            return stage.line(*arguments)
        finally:
            stage.home = usual

    return act


def out_onto(kind: str) -> Act:
    """The output exists and is no file: it must still be there, and still be what it was."""

    def act(stage: Stage) -> Ran:
        out = stage.folder / "out.wav"
        if kind == "folder":
            out.mkdir()
        elif kind == "pipe":
            os.mkfifo(out)
        before = out.lstat().st_mode
        ran = stage.say("Good morning.", out=out, voice="af_heart", timeout_s=60)
        if out.lstat().st_mode != before:
            raise WrongError("it was replaced by a file")
        return ran

    return act


DISKS = (
    *(Case(f"full disk: enroll, {spare} KiB left", enroll_on_a_full_disk(spare), (DISK,)) for spare in (0, 4, 8, 12, 16, 20)),
    *(Case(f"full disk: take add, {spare} KiB left", full_home(add_take, spare_kib=spare), (DISK,)) for spare in (0, 4, 16, 64, 80)),
    Case(
        "full disk: queue add",
        full_home(lambda stage: stage.line("queue", "add", "otto", "--pin-file", stage.pin_file), spare_kib=0),
        (DISK,),
    ),
    Case("full disk: say --out", say_on_a_full_disk, (DISK,)),
    Case("full disk: say, home full", full_home(lambda stage: stage.say("Good morning."), spare_kib=0), (DISK,)),
    Case(
        "full disk: revoke",
        full_home(lambda stage: stage.line("revoke", "mei", "--yes", "--pin-file", stage.pin_file), spare_kib=0),
        (DISK,),
    ),
    Case("quota: take add", limited(lambda stage, limit: stage.take(TAKE, preexec_fn=limit), kib=32), (DISK,)),
    Case("quota: say --out", limited(lambda stage, limit: stage.say("Good morning.", voice="af_heart", preexec_fn=limit), kib=32), (DISK,)),
    Case("read-only home: voices", read_only_home("voices"), (DISK,)),
    Case("read-only home: enroll", read_only_home("enroll", "ana", "--yes"), (DISK,)),
    Case("read-only home: take add", read_only_home("take", "add", "mei", TAKE), (DISK,)),
    Case("read-only home: revoke", read_only_home("revoke", "mei", "--yes"), (DISK,)),
    Case("read-only folder: say, stock voice", read_only_out(voice="af_heart"), (DISK,)),
    Case("read-only folder: say, own voice", read_only_out(voice="mei"), (DISK,)),
    Case("no such folder: say", lambda stage: stage.say("Good morning.", out=stage.folder / "no" / "x.wav", voice="af_heart"), (DISK,)),
    Case("no such folder: revoke --receipt", receipt_nowhere, (DISK,)),
    Case("say --out: a folder", out_onto("folder"), (DISK, USAGE)),
    Case("say --out: a pipe", out_onto("pipe"), (DISK, USAGE)),
    Case("home of somebody else: voices", foreign_home("voices"), (DISK,)),
    Case("home of somebody else: enroll", foreign_home("enroll", "ana", "--yes", "--pin-file", "../../pin.txt"), (DISK,)),
    Case("home of somebody else: say", foreign_home("say", "mei", "Good morning."), (DISK,)),
    Case("home: name of 5,000 characters", home_at("/tmp/" + "x" * 5000, "voices"), (DISK,)),
    Case("home: /dev/null/x", home_at("/dev/null/x", "enroll", "mei", "--yes"), (DISK, USAGE)),
    Case("home: in many scripts", other_home("数据 🎤 بيت"), GOOD, "a home may have any name"),
)
