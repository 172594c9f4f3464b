"""Files of the vault that are not what was written."""

from collections.abc import Callable, Iterator
from pathlib import Path

from command_bench import PIN, Ran
from hostile.pins import pin_of
from hostile.stage import DAMAGED, GOOD, Act, Case, Stage, WrongError, opened


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def shortened(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def emptied(path: Path) -> None:
    path.write_bytes(b"")


DAMAGES: dict[str, Callable[[Path], None]] = {"flipped bit": flipped, "shortened": shortened, "emptied": emptied, "deleted": Path.unlink}
VAULT_FILES = ("lock", "keyslots", "key", "attempts")


def voices(stage: Stage) -> Ran:
    return stage.line("voices")


def queue(stage: Stage) -> Ran:
    return stage.line("queue", "add", "mei", "--pin-file", stage.pin_file)


def jobs(stage: Stage) -> Ran:
    return stage.line("queue", "list")


def train(stage: Stage) -> Ran:
    return stage.line("train", "mei", "--tier", "quick", "--pin-file", stage.pin_file, timeout_s=300)


def say(stage: Stage) -> Ran:
    return stage.say("Good morning.")


# Kind of file: the cheapest line that reads it, what it must answer when the file is damaged, and why if that is success.
READING: dict[str, tuple[Act, tuple[int, ...], str]] = {
    "keyslots": (voices, (DAMAGED,), ""),
    "key": (voices, (DAMAGED,), ""),
    "lock": (voices, GOOD, "the lock holds nothing and is made anew"),
    "attempts": (voices, GOOD, "a book of wrong PINs that does not open is begun anew"),
    "index": (queue, (DAMAGED,), ""),
    "consent": (queue, (DAMAGED,), ""),
    "take-record": (queue, (DAMAGED,), ""),
    "take": (train, (DAMAGED,), ""),
    "voice": (say, (DAMAGED,), ""),
    "job": (jobs, GOOD, "the list says that this one cannot be read"),
}
NOT_READ = (queue, GOOD, "this work does not read it")


class Anatomy:
    """Which file of the prepared vault is what."""

    def __init__(self, home: Path) -> None:
        vault_folder = home / "vault"
        self.files: dict[str, Path] = {
            "lock": vault_folder / "lock",
            "keyslots": vault_folder / "keyslots",
            "attempts": vault_folder / "attempts",
        }
        self.files["key"] = next(vault_folder.glob("key-*"))
        with opened(home) as vault, vault.unlock(vault.find("mei").speaker_id, PIN) as mei:
            for artefact in mei.list():
                self.files.setdefault(artefact.kind, next(vault_folder.glob(f"s-*/{artefact.artefact_id}")))
        self.files["index"] = self.files["consent"].parent / "index"
        self.files = {kind: path.relative_to(home) for kind, path in self.files.items()}


def damaged(relative: Path, harm: Callable[[Path], None], act: Act, *, restore: bool) -> Act:
    """Damage one file, try, look whether otto is well without it, and put it back."""
    kind = relative.name.split("-")[0]

    def try_it(stage: Stage) -> Ran:
        path = stage.home / relative
        if kind == "attempts":
            pin_of(b"a wrong one")(stage)
        whole = path.read_bytes()
        harm(path)
        ran = act(stage)
        if kind not in {"keyslots", "key"}:
            for line in (("voices",), ("queue", "add", "otto", "--pin-file", stage.pin_file)):
                other = stage.line(*line)
                if other.code != 0:
                    raise WrongError(f"otto suffers: {' '.join(map(str, line[:2]))}: {other.code} {other.message}")
        if restore and (path.exists() or harm is Path.unlink) and kind not in {"lock", "attempts"}:
            path.write_bytes(whole)
        return ran

    return try_it


def revoke_damaged(stage: Stage) -> Ran:
    stage.speakers = ("otto",)
    return stage.line("revoke", "mei", "--yes", "--pin-file", stage.pin_file)


def remove_damaged_job(stage: Stage) -> Ran:
    return stage.line("queue", "remove", "mei")


def damage_cases(anatomy: Anatomy) -> Iterator[Case]:
    for kind, path in anatomy.files.items():
        act, codes, why = READING.get(kind, NOT_READ)
        for label, harm in DAMAGES.items():
            if kind == "lock" and harm is not Path.unlink:
                continue  # it is empty
            yield Case(f"damage: {kind}, {label}", damaged(path, harm, act, restore=True), codes, why)
    for kind, path in anatomy.files.items():
        if kind not in VAULT_FILES:
            for label in ("flipped bit", "deleted"):
                act = damaged(path, DAMAGES[label], revoke_damaged, restore=False)
                yield Case(f"revoke with a damaged {kind}, {label}", act, GOOD, "damage keeps nobody from being forgotten")
    act = damaged(anatomy.files["job"], flipped, remove_damaged_job, restore=False)
    yield Case("queue remove of a damaged job", act, GOOD, "the way out that its hint names")
