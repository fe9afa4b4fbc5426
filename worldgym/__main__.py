"""`python -m worldgym`: the command line."""

from worldgym.cli import main

if __name__ == "__main__":
    main()
