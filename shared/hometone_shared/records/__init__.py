"""Documents that both sides sign, send and read (docs/protocol.md, sections 1 to 3)."""
