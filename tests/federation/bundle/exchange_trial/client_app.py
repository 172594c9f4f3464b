"""Run by nobody: if a node ever loaded it, the tests would see the file it leaves."""

import os
import pathlib

from flwr.clientapp import ClientApp

pathlib.Path(os.environ["HOME"], "bundle-was-executed").write_text("yes")
app = ClientApp()
