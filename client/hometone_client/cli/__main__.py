"""`python -m hometone_client.cli`, the same as `hometone`."""

from hometone_client.cli.entrance import main

if __name__ == "__main__":
    main()
