"""What every command begins with: its settings, and where it writes."""

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from fraud_platform.settings import Settings

_WIDE = 200


def open_settings() -> "Settings":
    """The settings; what `fraud-platform env` put into this shell no longer counts for our child processes either."""
    from fraud_platform.settings import load, without_embedded

    for name in os.environ.keys() - without_embedded(os.environ).keys():
        del os.environ[name]
    return load()


def open_console() -> "Console":
    """The terminal, or whatever takes our output: there nothing is broken to fit 80 columns."""
    from rich.console import Console

    is_sized = sys.stdout.isatty() or "COLUMNS" in os.environ
    return Console(width=None if is_sized else _WIDE)
