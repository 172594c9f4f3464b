"""Everything that happens on a participant's laptop; see docs/architecture.md for the rooms."""
