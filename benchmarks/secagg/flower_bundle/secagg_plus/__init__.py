"""Flower's SecAgg+ for one round."""
