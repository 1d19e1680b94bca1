"""Who has just moved money: few honest people pay or are paid twice within seconds, and the rules know that."""


class Rest:
    """Remembers when each account last moved; times are in seconds and never go back."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._moved_at: dict[bytes, float] = {}
        self.now = 0.0

    def holds(self, account: bytes) -> bool:
        """Whether the account moved less than the rest ago."""
        moved_at = self._moved_at.get(account)
        return moved_at is not None and self.now - moved_at < self._seconds

    def begin(self, account: bytes) -> None:
        """The account moves now."""
        self._moved_at[account] = self.now
