"""Yardsticks: how near a synthetic voice is to the person it was made from, how well it is understood, and how natural it sounds."""
