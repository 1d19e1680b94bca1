"""Reads rule sets from disk: the only module of the engine that does."""

from pathlib import Path

from fraud_platform.errors import ConfigurationError
from fraud_platform.rules.parse import parse
from fraud_platform.rules.rule_set import RuleSet

DEFAULT_FILE = Path(__file__).parent / "default.yaml"
"""The rule set that the platform starts with."""


def load(path: Path = DEFAULT_FILE) -> RuleSet:
    """Read and check a rule set file.

    Raises:
        ConfigurationError: it cannot be read, or is refused; each fault is a line `FILE:LINE: reason`.
    """
    try:
        written = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise ConfigurationError(f"The rule set {path} is not UTF-8 text.") from None
    except OSError as error:
        raise ConfigurationError(f"The rule set {path} cannot be read: {error.strerror}.") from None
    return checked(written, str(path))


def checked(written: str, name: str) -> RuleSet:
    """The rule set in a text that people know as `name`.

    Raises:
        ConfigurationError: it is refused; each fault is a line `NAME:LINE: reason`.
    """
    found = parse(written)
    if isinstance(found, RuleSet):
        return found
    reasons = "\n".join(
        f"  {name}:{fault.line}: {': '.join(filter(None, (fault.where, fault.reason)))}" for fault in found
    )
    raise ConfigurationError(f"The rule set {name} is refused:\n{reasons}")
