"""A laptop's part in rounds: joining a coordinator, auditing its log, its own limits, and one plan from offer to end (docs/protocol.md)."""
