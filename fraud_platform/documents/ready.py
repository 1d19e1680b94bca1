"""The ready queries: text files beside this module, run as they stand."""

from importlib import resources

_ENDING = ".js"


def names() -> list[str]:
    """The names of all ready queries."""
    files = (file.name for file in _folder().iterdir())
    return sorted(name.removesuffix(_ENDING) for name in files if name.endswith(_ENDING))


def text(name: str) -> str:
    """The text of the ready query.

    Raises:
        KeyError: there is none of this name.
    """
    if name not in names():
        raise KeyError(name)
    return (_folder() / f"{name}{_ENDING}").read_text(encoding="utf-8")


def _folder() -> "resources.abc.Traversable":
    return resources.files("fraud_platform.documents") / "queries"
