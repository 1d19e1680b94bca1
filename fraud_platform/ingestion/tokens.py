"""The tokens of a social security number, one a line, the current key's first.

`python -m fraud_platform.ingestion.tokens` reads the number from the terminal without an echo, or from standard input:
a command line stays in histories.
"""

import getpass
import sys

from fraud_platform.adapters.pii_key import pii_keys
from fraud_platform.core.privacy import Tokenizer
from fraud_platform.errors import FraudPlatformError
from fraud_platform.settings import load


def main() -> int:
    """Print the tokens; 0 = done, 1 = one sentence on stderr says why not."""
    try:
        tokenizer = Tokenizer(pii_keys(load()))
    except FraudPlatformError as error:
        print(error, file=sys.stderr)
        return 1
    try:
        number = getpass.getpass("ssn: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
        number.encode()
    except (UnicodeError, EOFError, KeyboardInterrupt):
        number = ""
    if not number:
        print("No number was given; type it, or pipe it in.", file=sys.stderr)
        return 1
    print("\n".join(tokenizer.tokens(number)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
