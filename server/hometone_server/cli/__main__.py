"""`python -m hometone_server.cli`."""

from hometone_server.cli.entrance import main

main()
