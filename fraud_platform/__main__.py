"""`python -m fraud_platform` is the command line."""

from fraud_platform.cli import main

if __name__ == "__main__":
    main()
