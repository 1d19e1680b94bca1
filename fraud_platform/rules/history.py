"""Every publication in order: which rule set is active, which came before, which one a version names."""

from collections.abc import Iterable
from typing import Self

import msgspec

from fraud_platform.errors import ConfigurationError
from fraud_platform.rules.publication import Kind, Publication, read

SHORTEST = 4
"""Characters of a version that may stand for all of it."""
_SEE = "`fraud-platform rules history` lists them"


class History(msgspec.Struct, frozen=True):
    """Publications, oldest first; `refused` records of the topic are none."""

    publications: tuple[Publication, ...] = ()
    refused: int = 0

    @classmethod
    def of(cls, values: Iterable[bytes | None]) -> Self:
        """The history in the topic's records; what is no publication is counted."""
        found = [read(value) for value in values]
        good = tuple(each for each in found if isinstance(each, Publication))
        return cls(good, len(found) - len(good))

    @property
    def active(self) -> Publication | None:
        """The last one; None before the first."""
        return self.publications[-1] if self.publications else None

    def require_active(self) -> Publication:
        """The last one.

        Raises:
            ConfigurationError: none was ever published.
        """
        if self.active is None:
            raise ConfigurationError("No rule set was ever published here; run `make up`, or publish one.")
        return self.active

    def find(self, version: str) -> Publication:
        """The newest publication of a version; its first letters are enough where no other begins so.

        Raises:
            ConfigurationError: none, or several.
        """
        wanted = version.lower()
        exact = {each.version: each for each in self.publications if each.version == wanted}
        found = exact or {
            each.version: each
            for each in self.publications
            if len(wanted) >= SHORTEST and each.version.startswith(wanted)
        }
        if not found:
            raise ConfigurationError(f"There is no rule set of version {version!r}; {_SEE}.")
        if len(found) > 1:
            raise ConfigurationError(f"{version!r} begins several versions ({', '.join(sorted(found))}); write more.")
        return next(iter(found.values()))

    def before_active(self) -> Publication:
        """What a rollback goes back to: the version that the active one replaced.

        Raises:
            ConfigurationError: nothing was active before, or the active one is itself the end of a rollback: to go back
                from there would bring back what was taken away, so it wants a name.
        """
        active = self.require_active()
        if active.kind is Kind.ROLLED_BACK:
            raise ConfigurationError(
                f"{active.version} was rolled back to by {active.by} at {active.at:%Y-%m-%d %H:%M:%S} UTC; name the"
                f" version that you want instead; {_SEE}."
            )
        if active.replaces is None:
            raise ConfigurationError(f"{active.version} is the first rule set here; there is none to go back to.")
        return self.find(active.replaces)
