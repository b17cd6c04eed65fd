"""`python -m plackett` is the program `plackett`."""

from plackett.cli import main

if __name__ == "__main__":
    main()
