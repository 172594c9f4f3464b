"""Real processes on loopback: a coordinator (SuperLink, gateway, executor) and laptops, over TLS."""

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from tests.village import free_port

from hometone_keys.device import DeviceIdentity
from hometone_server.flower.folder import FlowerFolder
from hometone_server.flower.runs import RunState, register_node, run_state, start_run
from hometone_server.home import CoordinatorHome

HERE = Path(__file__).parent
BUNDLE = HERE / "bundle"


def make_home(root: Path) -> CoordinatorHome:
    """A home as `init` leaves it, as far as this room needs it."""
    home = CoordinatorHome(root)
    home.write_settings(name="test", address=f"127.0.0.1:{free_port()}")
    home.descriptor.write_bytes(b"{}")
    return home


@dataclass
class Program:
    """A child process whose lines are JSON."""

    process: subprocess.Popen[bytes]
    lines: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.process.stdout:
            self.lines.append(json.loads(line))

    def wait_for(self, name: str, *, value: object = None, timeout_s: float = 20.0) -> dict[str, Any]:
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            for line in list(self.lines):
                if name in line and value in (None, line[name]):
                    return line
            if self.process.poll() is not None and not self._reader.is_alive():
                break
            time.sleep(0.02)
        raise AssertionError(f"no {name}={value} in {self.lines}, exit code {self.process.poll()}")

    def end(self) -> int:
        if self.process.poll() is None:
            self.process.terminate()
        code = self.process.wait(15)
        self._reader.join(5)
        self.process.stdout.close()
        if self.process.stdin:
            self.process.stdin.close()
        return code


def start(*command: str, home_of: Path, log: Path | None = None) -> Program:
    environment = {**os.environ, "HOME": str(home_of)}
    with (log or Path(os.devnull)).open("ab") as errors:
        return Program(
            subprocess.Popen([sys.executable, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, env=environment)
        )


@dataclass
class Coordinator:
    """Running programs of a coordinator and its laptops."""

    home: CoordinatorHome
    work: Path
    gateway_application: str | None = None
    programs: dict[str, Program] = field(default_factory=dict)
    laptops: list[Program] = field(default_factory=list)
    made: int = 0

    @property
    def folder(self) -> FlowerFolder:
        return FlowerFolder(self.home)

    @property
    def url(self) -> str:
        return f"https://{self.home.address}"

    def start_superlink(self) -> Program:
        gateway = ("--gateway-app", self.gateway_application) if self.gateway_application else ("--without-gateway-app",)
        command = (
            "-m",
            "hometone_server.flower.superlink",
            "--home",
            str(self.home.root),
            "--bind",
            self.home.address,
            "--with-parent",
            *gateway,
        )
        program = start(*command, home_of=self.work, log=self.work / "superlink.err")
        self.programs["superlink"] = program
        program.wait_for("ready", timeout_s=60)
        return program

    def start_executor(self, bundle: Path = BUNDLE) -> Program:
        command = ("-m", "hometone_server.flower.executor", "--home", str(self.home.root), "--bundle", str(bundle), "--with-parent")
        program = start(*command, home_of=self.work, log=self.work / "executor.err")
        self.programs["executor"] = program
        program.wait_for("ready", timeout_s=60)
        return program

    def laptop(self, *, registered: bool = True, authority: bytes | None = None, address: str | None = None, **settings: object) -> Program:
        self.made += 1
        folder = self.work / f"laptop-{self.made}"
        folder.mkdir()
        identity = DeviceIdentity.generate()
        pem = identity.node_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / "node.pem").write_bytes(pem)
        (folder / "authority.pem").write_bytes(authority or self.folder.certificates.authority.read_bytes())
        (folder / "laptop.json").write_text(json.dumps({"does": "echo", "address": address or self.home.address, **settings}))
        if registered:
            register_node(self.home, identity.public_node_key())
        program = start(str(HERE / "laptop_process.py"), str(folder), home_of=folder, log=folder / "errors")
        program.folder, program.identity = folder, identity
        self.laptops.append(program)
        return program

    def begin(self, stages: list[dict[str, Any]], *, nodes: int, bundle: Path = BUNDLE) -> tuple[int, Path]:
        number = len(list(self.work.glob("script-*.json")))
        out = self.work / f"out-{number}.json"
        script = self.work / f"script-{number}.json"
        script.write_text(json.dumps({"nodes": nodes, "stages": stages, "out": str(out)}))
        return start_run(self.home, {"script": str(script)}, bundle=bundle), out

    def finish(self, run_id: int, *, timeout_s: float = 40.0) -> RunState:
        until = time.monotonic() + timeout_s
        while not (state := run_state(self.home, run_id)).finished:
            assert time.monotonic() < until, state
            time.sleep(0.03)
        return state

    def run(self, stages: list[dict[str, Any]], *, nodes: int, bundle: Path = BUNDLE) -> dict[str, Any]:
        run_id, out = self.begin(stages, nodes=nodes, bundle=bundle)
        state = self.finish(run_id)
        assert state.ending == "completed", state
        result: dict[str, Any] = json.loads(out.read_text())
        return {**result, "run_id": run_id}

    def send_home(self, *laptops: Program) -> None:
        """End laptops, so that the next run has only its own."""
        for laptop in laptops:
            assert laptop.end() == 0, laptop.lines
            self.laptops.remove(laptop)

    def end(self) -> None:
        for program in [*self.laptops, *reversed(list(self.programs.values()))]:
            program.end()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.federation)


@pytest.fixture(scope="session")
def coordinator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Coordinator]:
    """One for all tests of this folder that do not need their own; running, with an executor, without laptops."""
    root = tmp_path_factory.mktemp("coordinator")
    (root / "work").mkdir()
    one = Coordinator(make_home(root / "home"), root / "work")
    one.folder.prepare(bind=one.home.address)
    try:
        one.start_superlink()
        one.start_executor()
        yield one
    finally:
        one.end()


@pytest.fixture
def home(tmp_path: Path) -> CoordinatorHome:
    """A coordinator's folder of its own; nothing runs."""
    return make_home(tmp_path / "home")
