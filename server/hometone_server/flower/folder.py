"""Flower's folder below the coordinator's home, and what every process of this room has to know before it starts.

    flower/state.db        the SuperLink's database: node keys, runs, messages on their way
    flower/superexec.key   by which the executor proves that it may take ServerApp tasks
    flower/control.key     by which this coordinator's own commands prove that they may start runs and register laptops
    flower/listeners.json  where the two listeners are
    flower/wake            touched when a run was started, so that the executor need not ask all the time
    flower/home/           what Flower itself keeps (FLWR_HOME)

What it may see: both secrets. What it must never do: import flwr, which reads some of these settings while it is imported.
"""

import json
import os
import secrets
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hometone_server.certificates import Certificates
from hometone_server.home import HOME_VARIABLE, CoordinatorHome, split_address, write_private
from hometone_shared.errors import FederationError

LOOPBACK: Final = "127.0.0.1"
SECRET_BYTES: Final = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Listeners:
    """Where a coordinator listens.

    Attributes:
        bind_host: Interface of the public listener; empty means all of them.
        public_port: Port of the public listener, the gateway: what laptops reach.
        loopback_port: Port of the SuperLink itself, on 127.0.0.1.
    """

    bind_host: str
    public_port: int
    loopback_port: int


@dataclass(frozen=True, slots=True)
class FlowerFolder:
    """The folder of one coordinator.

    Attributes:
        home: The coordinator's home.
    """

    home: CoordinatorHome

    @property
    def database(self) -> Path:
        """The SuperLink's SQLite file."""
        return self.home.flower / "state.db"

    @property
    def superexec_secret(self) -> Path:
        """Raw bytes."""
        return self.home.flower / "superexec.key"

    @property
    def control_secret(self) -> Path:
        """Hexadecimal text."""
        return self.home.flower / "control.key"

    @property
    def wake(self) -> Path:
        """An empty file."""
        return self.home.flower / "wake"

    @property
    def certificates(self) -> Certificates:
        """The authority and the server's certificate."""
        return Certificates(self.home.certificates)

    @property
    def address_host(self) -> str:
        """The host part of the address by which laptops reach this coordinator."""
        return split_address(self.home.address)[0]

    def prepare(self, *, bind: str | None = None) -> Listeners:
        """Make what is missing: secrets, certificates, and the choice of ports.

        Args:
            bind: `host:port` of the public listener where it differs from the address, behind a router for instance. It is remembered.

        Raises:
            FederationError: The address cannot stand in a certificate.
            StorageError: The folder cannot be written.
            UsageError: `bind` is no address.
        """
        for path, secret in (
            (self.superexec_secret, secrets.token_bytes(SECRET_BYTES)),
            (self.control_secret, secrets.token_hex(SECRET_BYTES).encode()),
        ):
            if not path.is_file():
                write_private(path, secret)
        if not self.wake.is_file():
            write_private(self.wake, b"")
        (self.home.flower / "home").mkdir(mode=0o700, exist_ok=True)
        self.home.logs.mkdir(mode=0o700, exist_ok=True)
        self.certificates.create(self.address_host)
        self.certificates.renew_if_due(self.address_host)
        return self._choose_listeners(bind)

    def listeners(self) -> Listeners:
        """Where the coordinator listens, as `prepare` chose.

        Raises:
            FederationError: It was never started.
        """
        listeners = self._remembered()
        if listeners is None:
            raise FederationError("this coordinator was never started", hint="start it: hometone-coordinator serve")
        return listeners

    def secret(self, path: Path) -> bytes:
        """One of the two secrets.

        Raises:
            FederationError: It cannot be read.
        """
        try:
            data = path.read_bytes()
        except OSError as error:
            raise FederationError("a secret of this coordinator cannot be read", hint="start it: hometone-coordinator serve") from error
        if len(data) < SECRET_BYTES:
            raise FederationError("a secret of this coordinator is damaged", hint="delete it below flower and start the coordinator anew")
        return data

    def environment(self) -> dict[str, str]:
        """What keeps Flower quiet and at home (set before flwr is imported), and tells the bundle's program whose it is."""
        return {
            HOME_VARIABLE: str(self.home.root),
            "FLWR_HOME": str(self.home.flower / "home"),
            "FLWR_TELEMETRY_ENABLED": "0",
            "FLWR_DISABLE_UPDATE_CHECK": "1",
            "FLWR_DISABLE_RUNTIME_DEPENDENCY_INSTALLATION": "1",
        }

    def enter(self) -> None:
        """Set that environment in this process."""
        os.environ.update(self.environment())

    def _choose_listeners(self, bind: str | None) -> Listeners:
        remembered = self._remembered()
        if bind is not None:
            host, port = split_address(bind)
        elif remembered is not None:
            host, port = remembered.bind_host, remembered.public_port
        else:
            host, port = "", split_address(self.home.address)[1]
        loopback_port = remembered.loopback_port if remembered is not None else 0
        if not loopback_port or not _is_free(loopback_port):
            loopback_port = _free_port()
        listeners = Listeners(bind_host=host, public_port=port, loopback_port=loopback_port)
        if listeners != remembered:
            fields = {"bind_host": host, "public_port": port, "loopback_port": loopback_port}
            write_private(self._listeners_file, json.dumps(fields).encode())
        return listeners

    @property
    def _listeners_file(self) -> Path:
        return self.home.flower / "listeners.json"

    def _remembered(self) -> Listeners | None:
        try:
            fields = json.loads(self._listeners_file.read_text(encoding="utf-8"))
            return Listeners(
                bind_host=str(fields["bind_host"]), public_port=int(fields["public_port"]), loopback_port=int(fields["loopback_port"])
            )
        except (OSError, ValueError, KeyError, TypeError):
            return None


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind((LOOPBACK, 0))
        return int(probe.getsockname()[1])


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True
