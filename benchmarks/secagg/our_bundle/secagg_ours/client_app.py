"""Flower demands a ClientApp in every bundle. This one has no function at all: laptops run Hometone's own node, which takes no bundle."""

from flwr.clientapp import ClientApp

app = ClientApp()
