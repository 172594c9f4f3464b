"""A federation of many devices is told of a withdrawal, each in one contact; some of them hold a lent copy that has to go.

    python benchmarks/told_in_one_contact.py [--devices 1000] [--copies 50]

Every device has joined and has a vault of its own; as many as may hold a copy of one voice. Then its owner withdraws. Every device makes
exactly one contact (the real gateway, log, proofs and receipts, without a socket between) and must know of it afterwards; a borrower must
have erased the copy and filed its receipt in it. Custody of device keys is a file and the PIN's derivation is cheap: neither is measured.
Stated: the local withdrawal (tombstone on the disk, erasure, receipt on the disk), the contacts, the size of the log.
"""

import argparse
import asyncio
import datetime as dt
import statistics
import tempfile
import time
from pathlib import Path

import httpx
import numpy as np

from hometone_client.audio import Origin, RawTake
from hometone_client.federation.membership import Membership, join
from hometone_client.lending.borrowing import borrow
from hometone_client.lending.giving import MOST_COPIES, checked_card, lend, recipient_card
from hometone_client.lending.guests import guests
from hometone_client.lending.known_log import KnownLog
from hometone_client.speakers.consent import Purpose, SpokenCheck, give_consent
from hometone_client.speakers.room import SpeakerRoom
from hometone_client.voices import VoiceParameters
from hometone_client.withdrawal.delivery import Courier, ensure_registered
from hometone_client.withdrawal.withdrawing import withdraw
from hometone_keys import Argon2Cost, Custody, DeviceSecretSource, Vault
from hometone_server.certificates import Certificates
from hometone_server.gateway.app import build
from hometone_server.gateway.limits import Attempts
from hometone_server.home import CoordinatorHome
from hometone_server.records.invitations import Invitations
from hometone_server.records.store import LogStore
from hometone_shared.records.coordinator import CoordinatorDescriptor
from hometone_shared.withdrawal.recovery import RecoverySecret

ADDRESS = "voices.example.org:443"
PIN = "1234"
TAKES, SAMPLES = 5, 160_000


class Bridge(httpx.BaseTransport):
    """Hands requests to the gateway's application."""

    def __init__(self, app) -> None:
        self._asgi = httpx.ASGITransport(app)
        self._loop = asyncio.new_event_loop()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        async def ask() -> httpx.Response:
            copy = httpx.Request(request.method, request.url, headers=request.headers, content=request.read())
            response = await self._asgi.handle_async_request(copy)
            body = b"".join([part async for part in response.stream])
            return httpx.Response(response.status_code, headers=response.headers, stream=httpx.ByteStream(body))

        return self._loop.run_until_complete(ask())

    def close(self) -> None:
        """Nothing: every client that uses it would close it."""


def coordinator(root: Path) -> tuple[Bridge, Invitations, LogStore]:
    """A coordinator with its gateway; Flower is not asked."""
    home = CoordinatorHome(root)
    home.write_settings(name="Village hall", address=ADDRESS)
    key = home.make_signing_key({})
    certificates = Certificates(home.certificates)
    certificates.create("voices.example.org")
    ca_sha256 = certificates.authority_sha256()
    descriptor = CoordinatorDescriptor(address=ADDRESS, bundle_sha256="ab" * 32, ca_sha256=ca_sha256, name="Village hall")
    home.descriptor.write_bytes(descriptor.signed(key).to_bytes())
    log = LogStore.open(home)
    free = Attempts(peer_per_minute=1_000_000, all_per_minute=1_000_000)
    app = build(home.root, register_node=lambda _: None, attempts=free, deliveries=free)
    return Bridge(app), Invitations(log), log


def opened(home: Path) -> Vault:
    """A vault of one device."""
    cheap = Argon2Cost(memory_kib=8, iterations=1, lanes=1)
    return Vault(home, device_secret_source=DeviceSecretSource(custody=Custody.FILE), cost=cheap)


def enrol(vault: Vault, *, now: dt.datetime) -> SpeakerRoom:
    """Somebody with five takes of ten seconds, a voice, and consent to announcements."""
    room = SpeakerRoom(vault.enroll("anna", PIN))
    rng = np.random.default_rng(1)
    for _ in range(TAKES):
        take = RawTake(rng.uniform(-0.3, 0.3, SAMPLES).astype(np.float32), 16_000, Origin.FILE)
        room.add_take(take, text="", language="en", speech_s=10.0, quality={})
    room.keep_consent(give_consent(locale="en", now=now))
    spoken = SpokenCheck(phrase_sha256="cd" * 32, word_errors=0.0, likeness=0.9, at=now.replace(microsecond=0))
    room.keep_consent(give_consent(locale="en", now=now, purpose=Purpose.ANNOUNCEMENTS, spoken=spoken))
    style = rng.standard_normal(256).astype(np.float32)
    room.keep_voice(VoiceParameters(style=style, base_sha256="ab" * 32, recipe="none", created=now, languages=("en",)), record={})
    return room


def measure(folder: Path, *, devices: int, copies: int) -> None:
    """All of it."""
    now = dt.datetime.now(dt.UTC).replace(microsecond=0)
    bridge, invitations, log = coordinator(folder / "coordinator")
    owner_home = folder / "owner"
    with opened(owner_home) as owner:

        def let_in(home: Path, vault: Vault) -> None:
            join(invitations.issue(address=ADDRESS).to_text(), home=home, identity=vault.device, transport=bridge)

        let_in(owner_home, owner)
        room = enrol(owner, now=now)
        ensure_registered(owner_home, owner, room.speaker_id, purpose=Purpose.ANNOUNCEMENTS, transport=bridge)
        pseudonym = RecoverySecret(owner.withdrawal_secret(room.speaker_id)).pseudonym
        homes = [folder / f"device-{number:04d}" for number in range(devices)]
        began = time.perf_counter()
        for number, home in enumerate(homes):
            with opened(home) as vault:
                let_in(home, vault)
                if number >= copies:
                    continue
                known = KnownLog.of(home)
                card = checked_card(recipient_card(vault, coordinator=known.coordinator, label="a care home"), vault=owner, log=known)
                package = lend(room, owner, card=card, log=known, register=lambda: None, now=now)[1]
                borrow(vault, package, log=known, now=now)
        print(f"# {devices} devices have joined, {copies} have borrowed, {time.perf_counter() - began:.0f} s", flush=True)
        began = time.perf_counter()
        withdraw(owner_home, owner, room.speaker_id, room=room)
        print(f"local withdrawal, five takes of ten seconds, {copies} copies lent: {time.perf_counter() - began:.2f} s (aim: at most 1)")
        membership = Membership.load(owner_home)
        began = time.perf_counter()
        Courier(owner_home, owner, membership, transport=bridge).contact()
        print(f"its delivery: {time.perf_counter() - began:.2f} s")
    took, told, gone = [], 0, 0
    for home in homes:
        with opened(home) as vault:
            before = len(guests(vault))
            began = time.perf_counter()
            contact = Courier(home, vault, Membership.load(home), transport=bridge).contact()
            took.append(time.perf_counter() - began)
            told += KnownLog.of(home).has_ended(pseudonym)
            gone += (before, contact.erased, contact.filed, len(guests(vault))) == (1, 1, 1, 0)
    print(f"told in one contact: {told} of {devices}; copy erased and receipt filed in it: {gone} of {copies}")
    worst = statistics.quantiles(took, n=100)[98] if devices > 1 else took[0]
    print(
        f"a contact: median {1000 * statistics.median(took):.0f} ms, 99 % below {1000 * worst:.0f} ms; log: {log.checkpoint().size} entries"
    )
    log.close()


def main() -> None:
    """Run it in a temporary folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--devices", type=int, default=1000)
    parser.add_argument("--copies", type=int, default=MOST_COPIES)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        measure(Path(folder), devices=options.devices, copies=min(options.copies, options.devices))


if __name__ == "__main__":
    main()
