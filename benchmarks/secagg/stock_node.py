"""Flower's stock SuperNode, whose calls are counted: arguments are a file for that, then those of `flower-supernode`."""

import sys
from pathlib import Path

from flwr.supernode.cli import flower_supernode
from flwr.supernode.node_auth_http_interceptor import NodeAuthHttpInterceptor
from traffic import note_calls

note_calls(NodeAuthHttpInterceptor, Path(sys.argv.pop(1)))
sys.argv[0] = "flower-supernode"
sys.exit(flower_supernode())
