"""Campaigns of rounds: ordered by a person, driven over any exchange, journalled so that they can be killed at any moment."""
