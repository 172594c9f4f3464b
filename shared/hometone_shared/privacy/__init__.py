"""Differential privacy of a round: clip, add noise, add up what was spent, plan what a cohort can afford (docs/differential-privacy.md).

What it may see: a device's own numbers before the noise, and published sums after it. What it must never do: open a connection, keep a
value, draw noise from anything but the operating system, or import a learning framework.
"""
