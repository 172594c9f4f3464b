"""Spoken form to sounds, per language: every word as a string over the base's phoneme symbols."""
