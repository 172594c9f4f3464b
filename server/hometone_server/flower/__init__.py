"""Flower behind one door: the only room of the server that knows flwr (docs/decisions/0008-flower-at-arms-length.md)."""

import os

# Read by flwr while it is imported, which only modules of this room do.
os.environ["FLWR_TELEMETRY_ENABLED"] = "0"
os.environ["FLWR_DISABLE_UPDATE_CHECK"] = "1"
