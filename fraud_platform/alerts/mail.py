"""Messages as one e-mail: pure."""

from collections.abc import Sequence
from email.message import EmailMessage

from fraud_platform.alerts.book import Kind, Message
from fraud_platform.alerts.slack import headline
from fraud_platform.alerts.wording import clock

MAX_SUBJECT = 150


def compose(
    platform: str, messages: Sequence[Message], dropped: int, *, sender: str, recipients: Sequence[str]
) -> EmailMessage:
    """One e-mail for all messages, plain text, marked as automatic so that nobody's absence answers it."""
    first = headline(messages[0])
    more = f" (and {len(messages) - 1} more)" if len(messages) > 1 else ""
    mail = EmailMessage()
    mail["Subject"] = f"[{platform}] {first}"[: MAX_SUBJECT - len(more)] + more
    mail["From"] = sender
    mail["To"] = ", ".join(recipients)
    mail["Auto-Submitted"] = "auto-generated"
    parts = [_paragraph(message) for message in messages]
    if dropped:
        parts.append(f"{dropped} earlier messages could not be delivered in time and were given up.")
    mail.set_content("\n\n".join(parts) + "\n")
    return mail


def _paragraph(message: Message) -> str:
    lines = [headline(message)]
    if message.kind is not Kind.RECOVERED:
        lines.append(message.text)
    lines.append(f"{message.severity}, {message.key}, since {clock(message.since)}, told {clock(message.at)}")
    return "\n".join(lines)
