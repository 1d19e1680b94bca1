"""What every command begins with: its settings, and where it writes."""

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from fraud_platform.settings import Settings


def open_settings() -> "Settings":
    """The settings; what `fraud-platform env` put into this shell no longer counts for our child processes either."""
    from fraud_platform.settings import load, without_embedded

    for name in os.environ.keys() - without_embedded(os.environ).keys():
        del os.environ[name]
    return load()


def open_console() -> "Console":
    """The terminal, or whatever takes our output."""
    from rich.console import Console

    return Console()
