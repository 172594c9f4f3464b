"""Hometone's side of the comparison: a coordinator and laptops as processes of their own, over TLS."""

import importlib.util
import json
import sys
import time
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from secagg.traffic import between

from hometone_keys.device import DeviceIdentity
from hometone_server.flower.runs import register_node, start_run
from hometone_shared.secagg.roster import device_id

HERE = Path(__file__).resolve().parent
BUNDLE = HERE / "our_bundle"
STAGES = ("offer", "roster", "mask", "survivors", "unmask", "sum")


def _processes():
    """The processes of tests/federation."""
    place = HERE.parents[1] / "tests" / "federation" / "conftest.py"
    spec = importlib.util.spec_from_file_location("federation_processes", place)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def free_port() -> int:
    """A port of loopback that nobody has."""
    return int(_processes().free_port())


class Ours:
    """Running processes; end them with `end`."""

    name = "Hometone"

    def __init__(self, work: Path, *, laptops: int, timeout_s: float) -> None:
        processes = _processes()
        self._work, self._timeout_s, self._runs = work, timeout_s, 0
        (work / "work").mkdir(parents=True)
        home = processes.make_home(work / "home")
        coordinator_key = home.make_signing_key({}).public_key().public_bytes_raw()
        self._coordinator = coordinator = processes.Coordinator(home, work / "work")
        coordinator.folder.prepare(bind=home.address)
        self._identities = [DeviceIdentity.generate() for _ in range(laptops)]
        keys = [each.public_signing_key() for each in self._identities]
        self._directory = {device_id(key): key.hex() for key in keys}
        self._folders = {device_id(key): work / f"laptop-{number}" for number, key in enumerate(keys)}
        try:
            coordinator.start_superlink()
            coordinator.start_executor(BUNDLE)
            for number, (identity, folder) in enumerate(zip(self._identities, self._folders.values(), strict=True)):
                folder.mkdir()
                (folder / "node.pem").write_bytes(identity.node_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
                (folder / "signing.key").write_bytes(identity.signing_key.private_bytes_raw())
                (folder / "authority.pem").write_bytes(coordinator.folder.certificates.authority.read_bytes())
                settings = {"address": home.address, "number": number, "coordinator_key": coordinator_key.hex()}
                (folder / "laptop.json").write_text(json.dumps({**settings, "directory": self._directory}))
                register_node(home, identity.public_node_key())
                program = processes.start(str(HERE / "laptop.py"), str(folder), home_of=folder, log=folder / "errors")
                coordinator.laptops.append(program)
            for program in coordinator.laptops:
                program.wait_for("told", value="connected", timeout_s=60)
        except BaseException:
            self.end()
            raise

    def round(self, *, dimension: int, dropout: str) -> dict:
        """One run with one round; raises if the sum is wrong."""
        self._runs += 1
        out = self._work / f"out-{self._runs}"
        out.mkdir()
        script = {"dimension": dimension, "dropout": dropout, "out": str(out), "laptops": len(self._directory)}
        (out / "script.json").write_text(json.dumps({**script, "directory": self._directory, "timeout_s": self._timeout_s}))
        at, began = time.time(), time.monotonic()
        start_run(self._coordinator.home, {"script": str(out / "script.json")}, bundle=BUNDLE)
        while not (out / "result.json").exists():
            if time.monotonic() - began > 3 * self._timeout_s + 60:
                raise TimeoutError("Hometone's round did not end: see the logs in its folder")
            time.sleep(0.01)
        whole_s, ended = time.monotonic() - began, time.time()
        result = json.loads((out / "result.json").read_text())
        expected = np.zeros(dimension, dtype=np.uint32)
        for device in result["survivors"]:
            expected += np.load(self._folders[device] / f"noisy-{result['plan']}.npy")
        if not np.array_equal(np.load(out / "values.npy").astype(np.uint32), expected):
            raise ArithmeticError("Hometone's sum is wrong")
        stayed = [self._folders[device] for device in result["survivors"]]
        return {
            "seconds": result["seconds"],
            "with_start_s": whole_s,
            "survivors": len(stayed),
            "sum": "bit for bit",
            "bytes": [between(folder / "traffic.jsonl", at, ended) for folder in stayed],
            "own_s": _own([folder / "took.jsonl" for folder in stayed], at, ended),
        }

    def end(self) -> None:
        self._coordinator.end()


def _own(files: list[Path], began: float, ended: float) -> dict[str, float]:
    """Mean seconds of processor a laptop spends on a stage itself."""
    spent: dict[str, float] = {}
    for file in files:
        for line in file.read_text().splitlines():
            took = json.loads(line)
            if began <= took["at"] <= ended:
                spent[took["stage"]] = spent.get(took["stage"], 0.0) + took["processor_s"] / len(files)
    return spent
