"""What registrations, withdrawals and receipts cost a coordinator, each durable, and that no removed row is left in its files.

    python benchmarks/withdrawing.py --speakers 1000 --laptops 100

Every second speaker goes first, in random order, so that rows beside rows that stay have to vanish from shared pages; then the others.
"""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hometone_server.records.store import LogStore
from hometone_server.withdrawal.history import RoundHistory
from hometone_server.withdrawal.taking import Withdrawals
from hometone_shared.records.device import DeviceEntry, device_id
from hometone_shared.records.holding import holder_proof
from hometone_shared.records.purposes import Purpose
from hometone_shared.records.receipt import HolderReceipt, Removed, Role
from hometone_shared.records.registration import RegistrationRequest
from hometone_shared.records.signing import Envelope
from hometone_shared.records.tombstone import Tombstone, coordinator_name
from hometone_shared.withdrawal.recovery import RecoverySecret


def timed(name: str, work: Callable[[Envelope], object], envelopes: Sequence[Envelope]) -> None:
    """Hand in all of them and say what one took."""
    took_ms = []
    for envelope in envelopes:
        began = time.perf_counter()
        work(envelope)
        took_ms.append(1000 * (time.perf_counter() - began))
    worst = statistics.quantiles(took_ms, n=100)[98]
    print(f"{name}: {len(took_ms)} in {sum(took_ms) / 1000:.1f} s, median {statistics.median(took_ms):.1f} ms, 99 % below {worst:.0f} ms")


def visible(folder: Path, rows: Sequence[bytes]) -> int:
    """How many rows stand in any file."""
    data = b"".join(file.read_bytes() for file in sorted(folder.iterdir()))
    return sum(row in data for row in rows)


def measure(folder: Path, *, speakers: int, laptops: int) -> None:
    """Do it all in one folder."""
    key = Ed25519PrivateKey.generate()
    devices = [Ed25519PrivateKey.generate() for _ in range(laptops)]
    public = [device.public_key().public_bytes_raw() for device in devices]
    secrets = [RecoverySecret.generate() for _ in range(speakers)]
    with LogStore(folder / "records.db", signing_key=key) as log:
        log.append_all(DeviceEntry(signing_key=raw, node_key_sha256=raw.hex()).signed(key) for raw in public)
        withdrawals = Withdrawals(log, history=RoundHistory(log, journal=folder / "rounds.db"))
        requests = [
            RegistrationRequest.make(coordinator_key=log.key, secret=secret, device_key=devices[number % laptops])
            for number, secret in enumerate(secrets)
        ]
        rows = [(secret.pseudonym + device_id(public[number % laptops])).encode() for number, secret in enumerate(secrets)]
        timed("registrations", withdrawals.register, requests)
        print(f"rows to be found in the files: {visible(folder, rows)}")
        order = random.sample(range(speakers), speakers)  # which goes first is no secret
        tombstones = {number: tombstone_of(secrets[number], log.key) for number in order}
        half = speakers // 2
        timed("withdrawals", withdrawals.take, [tombstones[number] for number in order[:half]])
        print(f"rows left of those: {visible(folder, [rows[number] for number in order[:half]])}")
        print(f"rows of the others: {visible(folder, [rows[number] for number in order[half:]])}")
        timed("withdrawals", withdrawals.take, [tombstones[number] for number in order[half:]])
        print(f"rows left of all: {visible(folder, rows)}")
        receipts = [
            HolderReceipt(
                tombstone_sha256=tombstones[number].digest,
                pseudonym=secrets[number].pseudonym,
                role=Role.LAPTOP,
                at=int(time.time()),
                removed={Removed.RECORDINGS: 30, Removed.VOICES: 1},
                key_destroyed=True,
                holder=holder_proof(secrets[number].withdrawal_key(), role=Role.LAPTOP, device=device_id(public[number % laptops])),
            ).signed(devices[number % laptops])
            for number in order
        ]
        timed("receipts", withdrawals.file, receipts)
        began = time.perf_counter()
        size = log.verify().size
        print(
            f"log: {size} entries, {(folder / 'records.db').stat().st_size / 1e6:.1f} MB, verified in {time.perf_counter() - began:.1f} s"
        )


def tombstone_of(secret: RecoverySecret, coordinator_key: bytes) -> Envelope:
    """Everything ends."""
    tombstone = Tombstone(
        pseudonym=secret.pseudonym,
        coordinator=coordinator_name(coordinator_key),
        scope=frozenset(Purpose),
        sequence=1,
        made=int(time.time()),
    )
    return tombstone.signed(secret.withdrawal_key())


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description="Measure registrations, withdrawals and receipts at a coordinator.")
    parser.add_argument("--speakers", type=int, default=1000)
    parser.add_argument("--laptops", type=int, default=100)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), speakers=arguments.speakers, laptops=arguments.laptops)


if __name__ == "__main__":
    main()
