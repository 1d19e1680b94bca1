"""Finds criteria: every entry point of the group `fraud_platform.criteria`, our own the same way as a user's."""

from collections.abc import Mapping
from dataclasses import is_dataclass
from functools import cache
from importlib.metadata import EntryPoint, entry_points
from types import MappingProxyType

from fraud_platform.errors import ConfigurationError
from fraud_platform.rules.criterion import Criterion

GROUP = "fraud_platform.criteria"

Criteria = Mapping[str, type[Criterion]]


@cache
def installed() -> Criteria:
    """Every installed criterion by its name, looked up once per process.

    Raises:
        ConfigurationError: a criterion cannot be loaded, is none, or two packages use one name; or none is
            there at all.
    """
    found: dict[str, type[Criterion]] = {}
    for entry in sorted(entry_points(group=GROUP), key=lambda entry: (entry.name, entry.value)):
        criterion = load(entry)
        if found.get(entry.name, criterion) is not criterion:
            raise ConfigurationError(f"Two installed packages bring a criterion {entry.name}; rename or remove one.")
        found[entry.name] = criterion
    if not found:
        raise ConfigurationError("No criterion is installed; install the package again: pip install --editable .")
    return MappingProxyType(found)


def load(entry: EntryPoint) -> type[Criterion]:
    """The class behind one entry point.

    Raises:
        ConfigurationError: it cannot be imported, or is no frozen dataclass that extends `Criterion`.
    """
    where = f"The criterion {entry.name} ({entry.value})"
    try:
        criterion = entry.load()
    except Exception as error:  # noqa: BLE001 - whatever a stranger's module does at import, we say whose it is
        raise ConfigurationError(f"{where} cannot be loaded: {type(error).__name__}: {error}.") from None
    if not (isinstance(criterion, type) and issubclass(criterion, Criterion) and _is_frozen(criterion)):
        raise ConfigurationError(f"{where} is not a frozen dataclass that extends Criterion.")
    return criterion


def _is_frozen(criterion: type) -> bool:
    parameters = getattr(criterion, "__dataclass_params__", None)
    return is_dataclass(criterion) and bool(getattr(parameters, "frozen", False))
