"""A village for tests: the real commands as processes, a coordinator over TLS and laptops with real vaults.

Nothing of Hometone is replaced. Speakers are enrolled in this process, with a cheap PIN derivation and a tiny take, because that is not
what these tests are about; everything else is `python -m hometone_client.cli` and `python -m hometone_server.cli`.
"""

import datetime as dt
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
import psutil

from hometone_client.audio import Origin, RawTake
from hometone_client.base.parameters import LAYOUT_VERSION, TABLE
from hometone_client.cli.contribute import contribute_with
from hometone_client.federation.ledger import PrivacyLedger
from hometone_client.federation.membership import FOLDER
from hometone_client.federation.seen_rounds import SeenRounds
from hometone_client.models.assembly import MANIFEST, sha256_of
from hometone_client.models.catalogue import BASE, CATALOGUE
from hometone_client.speakers.declaration import Declaration
from hometone_client.speakers.room import SpeakerRoom
from hometone_keys import Argon2Cost, Custody, DeviceSecretSource, Vault
from hometone_shared.shared_model import SharedModel
from hometone_shared.withdrawal.recovery import RecoverySecret

CHEAP = Argon2Cost(memory_kib=8, iterations=1, lanes=1)
PIN = "1234"
PATIENCE_S = 240.0
CONNECTED = "connected, waiting for a round"


def free_port() -> int:
    """A port of loopback that nobody uses."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def until(condition: Callable[[], Any], what: str, *, patience_s: float = PATIENCE_S, pause_s: float = 0.05) -> Any:
    """The first value of a condition that is true."""
    ends = time.monotonic() + patience_s
    while not (value := condition()):
        assert time.monotonic() < ends, f"{what} takes longer than {patience_s:.0f} s"
        time.sleep(pause_s)
    return value


def together(*calls: Callable[[], Any]) -> list[Any]:
    """Several commands at once; starting Python is most of what a command takes."""
    with ThreadPoolExecutor(4) as pool:
        return [each.result() for each in [pool.submit(call) for call in calls]]


def write_name_of_base(folder: Path) -> Path:
    """A model folder that knows the name of the base voice and nothing else, which is all that a round without sound needs of it."""
    base = folder / BASE
    base.mkdir(parents=True)
    (base / TABLE).write_text(json.dumps({"layout": LAYOUT_VERSION, "parameters_sha256": SharedModel.of_this_version().base_sha256}))
    status = (base / TABLE).stat()
    files = {TABLE: {"sha256": sha256_of(base / TABLE), "size": status.st_size, "mtime_ns": status.st_mtime_ns}}
    manifest = {"format": 1, "name": BASE, "fingerprint": CATALOGUE[BASE].fingerprint, "files": files}
    (base / MANIFEST).write_text(json.dumps(manifest))
    return folder


@dataclass(frozen=True)
class Ran:
    """What a command line did."""

    code: int
    answer: dict[str, Any]
    err: str

    def ok(self) -> dict[str, Any]:
        assert self.code == 0, (self.code, self.answer.get("error"), self.err)
        return self.answer

    @property
    def message(self) -> str:
        return str(self.answer["error"]["message"])


@dataclass
class Laptop:
    """One laptop: a home, and `hometone node` while it runs."""

    village: "Village"
    name: str
    speakers: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)
    device: str = ""
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0

    @property
    def home(self) -> Path:
        return self.village.folder / self.name

    @property
    def log(self) -> str:
        """What the node that was started last has said."""
        path = self.village.folder / f"{self.name}-{self.starts}.log"
        return path.read_text(encoding="utf-8") if path.exists() else ""

    def vault(self) -> Vault:
        return Vault(self.home, device_secret_source=DeviceSecretSource(custody=Custody.FILE), cost=CHEAP)

    def command(self, *arguments: object) -> Ran:
        return self.village.run("hometone_client.cli", self.home, *arguments)

    def enrol(self, name: str, *, takes: Callable[[SpeakerRoom], None] | None = None, **declared: str) -> None:
        """Somebody with a tiny take, or with what `takes` puts into her room."""
        with self.vault() as vault, SpeakerRoom(vault.enroll(name, PIN)) as room:
            room.keep_declaration(Declaration(**declared))
            (takes or _tiny_take)(room)
            self.ids.append(room.speaker_id)
        self.speakers.append(name)

    def contribute(self) -> None:
        """All speakers of this laptop consent to rounds."""
        for name in self.speakers:
            self.command("contribute", name, "--pin-file", self.village.pin, "--yes").ok()

    def contribute_quickly(self, ids: Sequence[str]) -> None:
        """The same in this process, for many speakers: what is recorded is the same, the question is not asked."""
        with self.vault() as vault:
            for speaker_id in ids:
                with vault.unlock(speaker_id, PIN) as unlocked:
                    contribute_with(SpeakerRoom(unlocked), vault, locale="en", budget=None, now=dt.datetime.now(dt.UTC))

    def recovery_secrets(self) -> list[RecoverySecret]:
        """Of all speakers, in the order in which they were enrolled."""
        with self.vault() as vault:
            return [RecoverySecret(vault.withdrawal_secret(speaker_id)) for speaker_id in self.ids]

    def join(self, code: str, *, minimum_cohort: int) -> None:
        self.device = self.command("join", code, "--minimum-cohort", minimum_cohort).ok()["device"]

    def ledger(self, name: str) -> PrivacyLedger:
        """What rounds have cost her; read in this process."""
        with self.vault() as vault, vault.unlock(vault.find(name).speaker_id, PIN) as unlocked:
            return PrivacyLedger(unlocked)

    def sent(self) -> set[str]:
        """Digests of the plans for which this laptop knows that its vector left."""
        rounds = SeenRounds(self.home / FOLDER).rounds
        return {each.plan for each in rounds if each.outcome in {"contributed", "finished"}}

    def start(self, *, program: Sequence[str] = ("-m", "hometone_client.cli")) -> None:
        """Run the node, if it does not run, and wait until it is connected."""
        if self.process is not None and self.process.poll() is None:
            return
        self.starts += 1
        path = self.village.folder / f"{self.name}-{self.starts}.log"
        self.process = self.village.spawn([*program, "--home", str(self.home), "node"], path)
        until(lambda: CONNECTED in self.log or self.process.poll() is not None, f"{self.name} connecting")
        assert self.process.poll() is None, self.log

    def kill(self) -> None:
        """Without a word."""
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        """As a person stops it."""
        if self.process is not None:
            end(self.process)
            self.process = None


def _tiny_take(room: SpeakerRoom) -> None:
    samples = np.random.default_rng(list(room.name.encode())).uniform(-0.3, 0.3, 800).astype(np.float32)
    room.add_take(RawTake(samples, 8_000, Origin.FILE), text="", language="en", speech_s=0.1, quality={})


def end(process: subprocess.Popen[bytes]) -> None:
    """Ask politely, then do not ask."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


class Village:
    """A coordinator and its laptops. A context manager: whatever runs is ended when it is left, however that happens."""

    def __init__(self, folder: Path, *, port: int, models: Path) -> None:
        self.folder = folder
        self.pin = folder / "pin.txt"
        self.pin.write_text(PIN, encoding="utf-8")
        self.root = folder / "coordinator"
        self.address = f"127.0.0.1:{port}"
        self.models = models
        self.laptops: list[Laptop] = []
        self.surroundings: dict[str, str] = {}
        self.service: subprocess.Popen[bytes] | None = None
        self._running = ExitStack()

    def __enter__(self) -> Self:
        self._running.__enter__()
        return self

    def __exit__(self, *details: object) -> None:
        self._running.__exit__(*details)

    def environment(self) -> dict[str, str]:
        """Of every process; `surroundings` are what a test adds, such as a microphone."""
        settings = {"HOMETONE_CUSTODY": "file", "HOMETONE_MODELS": str(self.models), "LC_ALL": "C.UTF-8", "HF_HUB_OFFLINE": "1"}
        mine = {name: value for name, value in os.environ.items() if name not in {"HOMETONE_PIN", "HOMETONE_LANG"}}
        return {**mine, **settings, **self.surroundings}

    def run(self, module: str, home: Path, *arguments: object) -> Ran:
        """One command with --json."""
        words = [sys.executable, "-m", module, "--json", "--home", str(home), *map(str, arguments)]
        ran = subprocess.run(
            words, env=self.environment(), stdin=subprocess.DEVNULL, capture_output=True, encoding="utf-8", timeout=PATIENCE_S, check=False
        )
        answer = json.loads(ran.stdout) if ran.stdout.strip() else {}
        return Ran(ran.returncode, answer, ran.stderr)

    def spawn(self, words: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
        """A process beside us."""
        with log.open("ab") as out:
            process = subprocess.Popen(
                [sys.executable, *words], env=self.environment(), stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT
            )
        self._running.callback(end, process)
        return process

    def coordinator(self, *arguments: object) -> Ran:
        return self.run("hometone_server.cli", self.root, *arguments)

    def found(self) -> None:
        """`init` and `serve`."""
        self.coordinator("init", "Village hall", "--address", self.address).ok()
        log = self.folder / "coordinator.log"
        self.service = self.spawn(["-m", "hometone_server.cli", "--home", str(self.root), "serve"], log)
        until(lambda: b"laptops can connect" in log.read_bytes() or self.service.poll() is not None, "the coordinator")
        assert self.service.poll() is None, log.read_text()

    def laptop(self, name: str) -> Laptop:
        laptop = Laptop(self, name)
        self.laptops.append(laptop)
        return laptop

    def settle(self, *laptops: Laptop, minimum_cohort: int) -> None:
        """Laptops whose speakers are enrolled: their consent, an invitation each, and joining."""
        codes = self.coordinator("invite", "--count", len(laptops)).ok()["codes"]

        def settled(laptop: Laptop, code: str) -> None:
            laptop.contribute()
            laptop.join(code, minimum_cohort=minimum_cohort)

        together(*(lambda pair=pair: settled(*pair) for pair in zip(laptops, codes, strict=True)))

    def everybody_here(self) -> None:
        """All laptops wait for rounds."""
        together(*(laptop.start for laptop in self.laptops))

    def order(self, *options: object, wait: bool = True) -> Ran:
        """`round`."""
        return self.coordinator("round", *options, *([] if wait else ["--no-wait"]))

    def status(self) -> dict[str, Any]:
        return self.coordinator("status").ok()

    def attempts(self, run: str) -> list[dict[str, Any]]:
        return [each for each in self.status()["attempts"] if each["run"] == run]

    def state(self, run: str) -> str:
        return next(each["state"] for each in self.status()["campaigns"] if each["run"] == run)

    def wait_for_stage(self, run: str, *stages: str) -> dict[str, Any]:
        """The newest attempt at a round, once it is open in one of these stages."""

        def there() -> dict[str, Any] | None:
            attempts = self.attempts(run)
            newest = attempts[-1] if attempts else None
            assert newest is None or newest["state"] == "open", f"the round was over before it could be interrupted: {newest}"
            return newest if newest and newest["stage"] in stages else None

        return until(there, f"stage {stages}", pause_s=0.2)

    def part(self, name: str) -> psutil.Process:
        """The coordinator's process of that name: `superlink` or `executor`."""

        def find() -> psutil.Process | None:
            for child in psutil.Process(self.service.pid).children():
                try:
                    if f"hometone_server.flower.{name}" in child.cmdline():
                        return child
                except psutil.Error:
                    continue
            return None

        return until(find, name)
