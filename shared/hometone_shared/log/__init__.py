"""The append-only log that both sides can check: a Merkle tree and its signed heads (docs/log.md)."""
