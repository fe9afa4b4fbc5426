"""`python -m worldgym.cli`."""

from worldgym.cli import main

if __name__ == "__main__":
    main()
