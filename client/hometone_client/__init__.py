"""Everything that happens on a participant's laptop; see docs/architecture.md for the rooms."""

import os

# Torch's threads wait for each other by turning in a loop. Beside another busy program libgomp's own 300,000 turns make a training step
# four times as long; 3,000 make it two and a half times as long, and cost an idle machine a few percent (docs/results.md). libgomp reads
# this when torch is loaded.
os.environ.setdefault("GOMP_SPINCOUNT", "3000")
