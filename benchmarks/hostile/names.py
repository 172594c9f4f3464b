"""Names of speakers, and speakers that there are not."""

from command_bench import Ran
from hostile.stage import AUDIO, GOOD, USAGE, Act, Case, Stage, WrongError

from hometone_client.speakers.canaries import scan


def named(name: str) -> Act:
    """Enrol, address, forget: nothing of the name may lie on the disk."""

    def act(stage: Stage) -> Ran:
        ran = stage.line("enroll", "--yes", "--pin-file", stage.pin_file, "--", name)
        if ran.code == 0:
            asked = stage.line("take", "add", "--pin-file", stage.pin_file, "--", name, "nowhere.wav")
            if asked.code != AUDIO:
                raise WrongError(f"cannot be addressed: {asked.code} {asked.message}")
            if not scan(stage.home, {name.encode()} if len(name.encode()) > 3 else set()).clean:
                raise WrongError("the name lies in the clear")
            gone = stage.line("revoke", "--yes", "--pin-file", stage.pin_file, "--", name)
            if gone.code != 0:
                raise WrongError(f"cannot be revoked: {gone.code} {gone.message}")
            if (stage.home.parent / "x").exists() or (stage.home / "x").exists():
                raise WrongError("a folder of that name was made")
        return ran

    return act


NAMES = (
    *(
        Case(f"name: {label}", named(name), GOOD, "a name is only shown, never a path")
        for label, name in (
            ("Chinese", "王秀英奶奶"),
            ("Arabic", "جدتي العزيزة"),
            ("emoji", "👵🏽🎤❤"),
            ("spaces inside", "auntie mei lin"),
            ("leading dash, after --", "--home"),
            ("../x", "../x"),
            ("/etc/passwd", "/etc/passwd"),
            ("200 characters", "n" * 200),
            ("a template", "{name}%s$(id)"),
        )
    ),
    *(
        Case(f"name: {label}", named(name), (USAGE,))
        for label, name in (
            ("empty", ""),
            ("only spaces", "   "),
            ("201 characters", "n" * 201),
            ("with a new line", "a\nb"),
            ("with an escape code", "a\x1b[31mb"),
            ("right-to-left override", "a\u202eb"),
            ("not UTF-8", "a\udcffb"),
            ("taken", "mei"),
            ("taken, other capitals", "MEI"),
            ("taken, full-width letters", "ｍｅｉ"),
            ("of a stock voice's address", "stock:af_heart"),
        )
    ),
    Case("name: leading dash without --", lambda stage: stage.line("enroll", "-x", "--yes", "--pin-file", stage.pin_file), (USAGE,)),
    Case("revoke: no such speaker", lambda stage: stage.line("revoke", "nobody", "--yes"), (USAGE,)),
    Case("revoke: ../x", lambda stage: stage.line("revoke", "../x", "--yes"), (USAGE,)),
    Case("revoke: nobody says yes", lambda stage: stage.line("revoke", "mei"), (USAGE,)),
    Case("train: no such speaker", lambda stage: stage.line("train", "nobody", "--pin-file", stage.pin_file), (USAGE,)),
    Case("queue: no such speaker", lambda stage: stage.line("queue", "add", "nobody", "--pin-file", stage.pin_file), (USAGE,)),
    Case("queue: no workers", lambda stage: stage.line("queue", "run", "--workers", "0"), (USAGE,)),
)
