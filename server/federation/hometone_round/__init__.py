"""Starts Hometone's rounds on a coordinator."""
