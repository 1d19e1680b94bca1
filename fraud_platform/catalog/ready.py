"""The ready queries over the lake: text files beside this module, run as they stand.

Where Athena and the local engine speak differently (`NAME.local.sql`) each has a text of its own.
"""

from importlib import resources

_ENDING, _LOCAL_ENDING = ".sql", ".local.sql"


def names() -> list[str]:
    """The names of all ready queries."""
    files = [file.name for file in _folder().iterdir() if file.name.endswith(_ENDING)]
    return sorted(name.removesuffix(_ENDING) for name in files if not name.endswith(_LOCAL_ENDING))


def text(name: str, *, local: bool) -> str:
    """The text of the ready query for the local engine, or for Athena.

    Raises:
        KeyError: there is none of this name.
    """
    if name not in names():
        raise KeyError(name)
    own = _folder() / f"{name}{_LOCAL_ENDING}"
    found = own if local and own.is_file() else _folder() / f"{name}{_ENDING}"
    return found.read_text(encoding="utf-8")


def _folder() -> "resources.abc.Traversable":
    return resources.files("fraud_platform.catalog") / "queries"
