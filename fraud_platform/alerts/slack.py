"""Messages as the JSON of Slack's incoming webhooks, which Mattermost, Discord (`/slack`) and others take too: pure."""

from collections.abc import Sequence
from typing import Any

from fraud_platform.alerts.book import Kind, Message
from fraud_platform.alerts.problem import Severity
from fraud_platform.alerts.wording import clock, duration

_GREEN, _YELLOW, _RED = "#2eb67d", "#ecb22e", "#e01e5a"


def slack_body(platform: str, messages: Sequence[Message], dropped: int) -> dict[str, Any]:
    """One post for all messages; `text` alone says enough for a notification."""
    heading = "; ".join(headline(message) for message in messages)
    lost = f" ({dropped} earlier messages were given up)" if dropped else ""
    return {
        "text": _escaped(f"{platform}: {heading}{lost}"),
        "attachments": [_attachment(message) for message in messages],
    }


def headline(message: Message) -> str:
    """The message in one line; a recovery says how long it took."""
    match message.kind:
        case Kind.RAISED:
            return message.title
        case Kind.AGAIN:
            return f"Still, for {duration(message.at - message.since)}: {message.title}"
        case Kind.RECOVERED:
            return f"Over after {duration(message.at - message.since)}: {message.title}"


def _attachment(message: Message) -> dict[str, Any]:
    is_over = message.kind is Kind.RECOVERED
    return {
        "color": _GREEN if is_over else {Severity.WARNING: _YELLOW, Severity.ERROR: _RED}[message.severity],
        "title": _escaped(headline(message)),
        "text": "" if is_over else _escaped(message.text),
        "footer": _escaped(f"{message.key}, since {clock(message.since)}"),
        "ts": int(message.at),
    }


def _escaped(text: str) -> str:
    """Slack's three characters: a title must not make a link or call a channel."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
