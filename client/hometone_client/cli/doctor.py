"""`hometone doctor`: what works on this computer, and what is missing."""

import importlib.metadata
import os
import platform
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.table import Table

from hometone_client.cli.session import Session
from hometone_client.cli.terminal import Terminal
from hometone_client.jobs.tiers import Tier, needed_mib
from hometone_client.jobs.usage import available_mib
from hometone_client.models import (
    OFFICIAL_BASE,
    ensure_entry,
    entries_here,
    install_official_base,
    model_folder,
    official_base_is_ready,
    verify_all,
)
from hometone_client.withdrawal.opening import opened_vault
from hometone_keys import Custody, Vault
from hometone_shared.errors import HometoneError, ModelError, UsageError

EPILOG = """\b
Examples:
  hometone doctor
  hometone doctor --no-assemble --json
  hometone doctor --base-from kokoro-v1_0.pth

Public weights that are missing are assembled unless --no-assemble is given. The exit code is 0 when everything needed for making and
speaking voices is there, 11 otherwise; a missing microphone or keyring is only said.

The base voice comes out of packages. Who has its official weights (kokoro-v1_0.pth of hexgrad/Kokoro-82M, 327 MB) can use those instead:
--base-from takes the file, --fetch-base downloads it first and is the only thing here that opens a connection to another machine. Voices
made before keep speaking on the base they were made on; trained again, a voice moves to the new one."""
_NEEDED_DISK_GIB: Final = 2.0


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        name: What.
        state: "ok", "advice" or "missing".
        words: What was found.
        hint: What to do about it; empty when it is well.
    """

    name: str
    state: str
    words: str
    hint: str = ""


def look_at_python() -> Finding:
    """The version of Python."""
    words = f"{platform.python_implementation()} {platform.python_version()} on {platform.system()} {platform.machine()}"
    return Finding("python", "ok" if sys.version_info >= (3, 11) else "missing", words)


def look_at_processor() -> Finding:
    """Cores."""
    cores = os.cpu_count() or 1
    return Finding(
        "processor",
        "ok" if cores >= 2 else "advice",
        f"{cores} cores",
        "" if cores >= 2 else "with one core everything takes twice as long",
    )


def look_at_memory() -> Finding:
    """Memory that is free, beside what training takes."""
    free = available_mib()
    if free >= needed_mib(Tier.STANDARD):
        return Finding("memory", "ok", f"{free} MiB free")
    return Finding(
        "memory", "advice", f"{free} MiB free", f"training takes {needed_mib(Tier.STANDARD)} MiB, --tier quick {needed_mib(Tier.QUICK)} MiB"
    )


def look_at_disk(home: Path) -> Finding:
    """Room on the disk of the home."""
    existing = next(folder for folder in (home, *home.parents) if folder.exists())
    free = shutil.disk_usage(existing).free / 2**30
    if not os.access(existing, os.W_OK):
        return Finding("disk", "missing", "the data folder cannot be written", "choose another with --home")
    return Finding(
        "disk", "ok" if free >= _NEEDED_DISK_GIB else "advice", f"{free:.1f} GiB free", "" if free >= _NEEDED_DISK_GIB else "make room"
    )


def look_at_microphones() -> Finding:
    """Microphones."""
    from hometone_client.audio.recorder import input_devices

    try:
        devices = input_devices()
    except HometoneError as error:
        return Finding("microphone", "advice", error.message, error.hint)
    if not devices:
        return Finding("microphone", "advice", "none found", "record with a phone and import the file: hometone take add NAME FILE")
    names = "; ".join(f"{device.index}: {device.name}{' (default)' if device.is_default else ''}" for device in devices)
    return Finding("microphone", "ok", names)


def look_at_training() -> Finding:
    """Torch, which only training and one yardstick need."""
    try:
        return Finding("training", "ok", f"torch {importlib.metadata.version('torch')}")
    except importlib.metadata.PackageNotFoundError:
        return Finding("training", "advice", "torch is not installed", "voices can be spoken but not made here; run.py setup installs it")


def look_at_vault(home: Path) -> Finding:
    """Who keeps the device key."""
    try:
        if not Vault.exists(home):
            return Finding("vault", "ok", "none yet; hometone enroll makes it")
        with opened_vault(home) as vault:
            custody, count = vault.custody, len(vault.speakers())
    except HometoneError as error:
        return Finding("vault", "missing", error.message, error.hint)
    words = f"{count} speakers; device key kept by: {custody.value}"
    if custody is Custody.FILE:
        return Finding("vault", "advice", words, "no keyring on this computer; set HOMETONE_DEVICE_PASSPHRASE to seal the device key")
    return Finding("vault", "ok", words)


def look_at_federation(home: Path) -> Finding:
    """The coordinator, the pinned log, this laptop's limits and its journal of rounds; opens no connection."""
    from hometone_client.federation.membership import Membership
    from hometone_client.federation.policy import DevicePolicy
    from hometone_client.federation.seen_rounds import SeenRounds

    try:
        membership = Membership.load(home)
        if membership is None:
            return Finding("federation", "ok", "joined no coordinator")
        log = membership.log()
        size, is_changed = log.head.size, bool(log.evidence())
        policy, rounds = DevicePolicy.load(membership.folder), SeenRounds(membership.folder).rounds
    except HometoneError as error:
        return Finding("federation", "advice", error.message, error.hint)
    words = f"{membership.descriptor.name}: {size} entries in its log, {len(rounds)} rounds seen; at least {policy.minimum_cohort} laptops"
    if is_changed:
        return Finding("federation", "advice", words, "the coordinator has shown two logs; take part in nothing until it explains that")
    return Finding("federation", "ok", words)


def look_at_models(*, assemble: bool, tell: Callable[[str], None]) -> Iterator[Finding]:
    """Public weights, byte for byte."""
    entries = {entry.name: entry for entry in entries_here()}
    if assemble:
        for entry in entries.values():
            try:
                ensure_entry(entry, folder=model_folder(), progress=tell)
            except ModelError as error:
                yield Finding(entry.name, "missing", error.message, error.hint)
    for verification in verify_all():
        entry = entries[verification.name]
        well = verification.state == "ready"
        yield Finding(
            verification.name,
            "ok" if well else "missing",
            f"{entry.purpose}: {verification.state}",
            "" if well else verification.detail if verification.state == "no source" else "hometone doctor assembles it",
        )


def install_base(terminal: Terminal, *, base_from: Path | None, fetch_base: bool) -> None:
    """Put the official base voice into the model folder, out of a file or downloaded.

    Raises:
        UsageError: Both ways were asked for.
        ModelError: The file is not the official one, or the hub cannot be reached; nothing was changed.
        StorageError: The model folder cannot be written.
    """
    if base_from is not None and fetch_base:
        raise UsageError("the base voice comes from a file or from the hub, not from both", hint="leave out --base-from or --fetch-base")
    if base_from is not None:
        install_official_base(base_from, progress=terminal.line)
    elif fetch_base and not official_base_is_ready():
        from hometone_client.models.hub import downloaded_checkpoint

        with downloaded_checkpoint(model_folder(), progress=terminal.line) as checkpoint:
            install_official_base(checkpoint, progress=terminal.line)
    if base_from is not None or fetch_base:
        terminal.say("base-installed")
        terminal.say("base-installed-voices")


def register(app: typer.Typer) -> None:
    """Add the command."""

    @app.command(name="doctor", epilog=EPILOG)
    def doctor(
        context: typer.Context,
        assemble: Annotated[bool, typer.Option("--assemble/--no-assemble", help="Assemble public weights that are missing.")] = True,
        base_from: Annotated[
            Path | None, typer.Option(help="Use the official base voice from this file, kokoro-v1_0.pth, from now on.")
        ] = None,
        fetch_base: Annotated[
            bool, typer.Option("--fetch-base", help="Download the official base voice and use it from now on; opens a connection.")
        ] = False,
    ) -> None:
        """Look at everything that making and speaking voices needs."""
        session: Session = context.obj
        terminal = session.terminal
        install_base(terminal, base_from=base_from, fetch_base=fetch_base)
        findings = [
            look_at_python(),
            look_at_processor(),
            look_at_memory(),
            look_at_disk(session.home),
            look_at_vault(session.home),
            look_at_microphones(),
            look_at_training(),
            look_at_federation(session.home),
            *look_at_models(assemble=assemble, tell=terminal.line),
        ]
        missing = list(dict.fromkeys(finding.name for finding in findings if finding.state == "missing"))
        table = Table(box=None, pad_edge=False)
        for key in ("column-what", "column-state", "column-found"):
            table.add_column(terminal.words(key))
        for finding in findings:
            table.add_row(
                finding.name, terminal.words(f"state-{finding.state}"), f"{finding.words} {finding.hint and '- ' + finding.hint}".strip()
            )
        values = {
            "findings": [asdict(finding) for finding in findings],
            "home": str(session.home),
            "models": str(model_folder()),
            "base": "official" if OFFICIAL_BASE.name in {entry.name for entry in entries_here()} else "packages",
        }
        if missing:
            if not terminal.as_json:
                terminal.answer("doctor", values, table=table)
            error = ModelError(f"missing: {', '.join(missing)}", hint="the lines above say what to do")
            raise typer.Exit(terminal.fail("doctor", error, values=values))
        terminal.answer("doctor", values, table=table)
        terminal.say("doctor-well")
