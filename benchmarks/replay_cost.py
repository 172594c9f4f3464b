"""What an exact replay costs the coordinator and the laptops' protocol, without network and training.

    python benchmarks/replay_cost.py [LAPTOPS [ROUNDS [DIMENSION]]]

A coordinator's real folder, log, journal and campaigns; virtual laptops (100 by default) that run the real protocol with exact noise. One
speaker registers before the first round, withdraws after the last one and wishes a replay; then her rounds (4 by default) are repeated.
"""

import logging
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hometone_server import founding
from hometone_server.home import CoordinatorHome
from hometone_server.records.releases import Releases
from hometone_server.records.store import LogStore
from hometone_server.rounds.campaign import CampaignRunner
from hometone_server.rounds.journal import Journal
from hometone_server.rounds.order import Order
from hometone_server.rounds.replay_scope import LogReading, scope_of
from hometone_server.simulation.cohort import VirtualExchange, VirtualLaptop
from hometone_server.withdrawal.taking import Withdrawals
from hometone_shared.privacy.accounting import noise_multiplier
from hometone_shared.records.device import DeviceEntry, DeviceStatus
from hometone_shared.records.plan import RoundPurpose
from hometone_shared.records.purposes import Purpose
from hometone_shared.records.registration import RegistrationRequest
from hometone_shared.records.tombstone import SharedModelWish, Tombstone, coordinator_name
from hometone_shared.shared_model import SharedModel
from hometone_shared.withdrawal.recovery import RecoverySecret

EPSILON = 4.0


def main(laptops, rounds, dimension):
    logging.disable(logging.INFO)
    with tempfile.TemporaryDirectory() as folder:
        home = CoordinatorHome(Path(folder) / "coordinator")
        founding.found(home, name="Village hall", address="127.0.0.1:8443")
        journal = Journal(home.rounds_db)
        with LogStore.open(home) as log:
            cohort = [VirtualLaptop(Ed25519PrivateKey.generate()) for _ in range(laptops)]
            key = home.signing_key()
            log.append_all(
                DeviceEntry(
                    signing_key=each.signing_key.public_key().public_bytes_raw(),
                    node_key_sha256=f"{number:064x}",
                    status=DeviceStatus.ACTIVE,
                ).signed(key)
                for number, each in enumerate(cohort)
            )
            withdrawals = Withdrawals.open(home, log)
            secret = RecoverySecret.generate()
            device_key = cohort[-1].signing_key
            withdrawals.register(RegistrationRequest.make(coordinator_key=log.key, secret=secret, device_key=device_key))
            model = SharedModel.of_this_version()
            multiplier = noise_multiplier(epsilon=EPSILON, delta=1 / (10 * laptops), rounds=rounds, reserved_replays=1)
            order = Order(
                purpose=RoundPurpose.MODEL,
                rounds=rounds,
                dimension=dimension,
                clip_norm=1.0,
                noise_multiplier=multiplier,
                epsilon=EPSILON,
                delta=1 / (10 * laptops),
                minimum_cohort=2,
                base_sha256=model.base_sha256,
                basis_sha256=model.basis_sha256,
                reserved_replays=1,
            )
            runner = CampaignRunner(home=home, journal=journal, log=log, bundle_sha256="b" * 64)

            def run(name, ordered, who):
                journal.add_campaign(name, ordered)
                began = time.perf_counter()
                runner.run(name, VirtualExchange(who, coordinator_key=log.key, contribution=lambda number: update(number, dimension)))
                return time.perf_counter() - began

            first_s = run("1" * 16, order, cohort)
            tombstone = Tombstone(
                pseudonym=secret.pseudonym,
                coordinator=coordinator_name(log.key),
                scope=frozenset({Purpose.OWN_VOICE}),
                sequence=1,
                made=int(time.time()),
                shared_model=SharedModelWish.REPLAY,
            )
            withdrawals.take(tombstone.signed(secret.withdrawal_key()))
            began = time.perf_counter()
            read = LogReading.of(log)
            scope = scope_of(read, journal=journal, pseudonyms=read.waiting())
            scope_s = time.perf_counter() - began
            replay_s = run("2" * 16, scope.order(), cohort[:-1])
            attempts = journal.attempts("2" * 16)
            done = Releases.open(home, log)
            assert done.withdrawn() == set(range(1, rounds + 1))
        down, up = (sum(each.figures[name] for each in attempts) for name in ("bytes_down", "bytes_up"))
        print(f"{laptops} laptops, {rounds} rounds, d = {dimension}, epsilon {EPSILON:g} with one replay reserved: z = {multiplier:.2f}")
        print(f"rounds: {first_s:.1f} s; scope: {1000 * scope_s:.0f} ms (said: {scope.seconds:.1f} s, epsilon {scope.epsilon:.2f})")
        print(f"replay: {replay_s:.1f} s, each laptop {up / laptops / 1024:.0f} KiB up and {down / laptops / 1024:.0f} KiB down")
        journal.close()


def update(number, dimension):
    own = np.random.default_rng(number).standard_normal(dimension)
    return own / np.linalg.norm(own)


if __name__ == "__main__":
    main(*(int(each) for each in [*sys.argv[1:], *("100", "4", "1383")[len(sys.argv) - 1 :]]))
