"""Messages as one e-mail: pure."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime, parseaddr

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
    mail["Date"] = format_datetime(datetime.fromtimestamp(messages[-1].at, UTC))
    mail["Auto-Submitted"] = "auto-generated"
    parts = [_paragraph(message) for message in messages]
    if dropped:
        parts.append(f"{dropped} earlier messages could not be delivered in time and were given up.")
    text = "\n\n".join(parts) + "\n"
    mail["Message-ID"] = _message_id(f"{mail['Subject']}\n{text}", sender)
    mail.set_content(text)
    return mail


def _message_id(content: str, sender: str) -> str:
    """Of the content, so that a mailbox can know one that was delivered twice."""
    _, _, domain = parseaddr(sender)[1].rpartition("@")
    return f"<{hashlib.sha256(content.encode()).hexdigest()[:32]}@{domain}>"


def _paragraph(message: Message) -> str:
    lines = [headline(message)]
    if message.kind is not Kind.RECOVERED:
        lines.append(message.text)
    lines.append(f"{message.severity}, {message.key}, since {clock(message.since)}, told {clock(message.at)}")
    return "\n".join(lines)
