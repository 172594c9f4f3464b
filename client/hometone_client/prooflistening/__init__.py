"""The recogniser hears what was said, and a sentence that it does not understand is said again (docs/proof-listening.md)."""

from hometone_client.prooflistening.listener import Hearing, ProofListener
from hometone_client.prooflistening.proof import ATTEMPTS, Proof, Proofreader, ProofSummary, Verdict, attempt_settings, proof_heard

__all__ = [
    "ATTEMPTS",
    "Hearing",
    "Proof",
    "ProofListener",
    "ProofSummary",
    "Proofreader",
    "Verdict",
    "attempt_settings",
    "proof_heard",
]
