"""Secure aggregation: laptops add up masked vectors so that the coordinator learns the sum alone (docs/protocol.md, sections 4 to 7)."""
