"""The channels that the settings name: the log always, a webhook and e-mail when they are set."""

import logging
import sys
from collections.abc import Sequence

from fraud_platform.alerts.book import Kind, Message
from fraud_platform.alerts.mail import compose
from fraud_platform.alerts.outbox import Channel
from fraud_platform.alerts.problem import Severity
from fraud_platform.alerts.slack import headline, slack_body
from fraud_platform.settings import Settings

logger = logging.getLogger("fraud_platform.alerts")


class LogChannel(Channel):
    """The log of the process that evaluates the sensors (`fraud-platform logs dagster-code`)."""

    name = "log"
    most = sys.maxsize

    def send(self, messages: Sequence[Message], *, dropped: int = 0) -> None:
        """See `Channel.send`; the log takes everything."""
        for message in messages:
            text = "" if message.kind is Kind.RECOVERED else f". {message.text}"
            logger.log(_level(message), "ALERT %s: %s%s", message.key, headline(message), text)
        if dropped:
            logger.warning("ALERT: %d earlier messages were given up", dropped)


class WebhookChannel(Channel):
    """`FRAUD_ALERT_WEBHOOK_URL`, in Slack's format."""

    name = "webhook"

    def __init__(self, url: str, platform: str) -> None:
        self._url, self._platform = url, platform

    def send(self, messages: Sequence[Message], *, dropped: int = 0) -> None:
        """See `Channel.send`."""
        from fraud_platform.adapters.webhook import post_json

        post_json(self._url, slack_body(self._platform, messages, dropped))


class MailChannel(Channel):
    """The mail server of `FRAUD_SMTP_*`."""

    name = "e-mail"

    def __init__(self, settings: Settings, platform: str) -> None:
        self._settings, self._platform = settings, platform

    def send(self, messages: Sequence[Message], *, dropped: int = 0) -> None:
        """See `Channel.send`."""
        from fraud_platform.adapters.smtp import send_mail

        recipients = self._settings.smtp_recipients
        sender = self._settings.smtp_from or recipients[0]
        mail = compose(self._platform, messages, dropped, sender=sender, recipients=recipients)
        send_mail(self._settings, mail)


def channels_of(settings: Settings) -> list[Channel]:
    """Every channel of the settings, the log first."""
    platform = f"fraud-platform {settings.prefix.strip('.-_')}".strip()
    channels: list[Channel] = [LogChannel()]
    if settings.alert_webhook_url:
        channels.append(WebhookChannel(settings.alert_webhook_url.get_secret_value(), platform))
    if settings.smtp_host:
        channels.append(MailChannel(settings, platform))
    return channels


def _level(message: Message) -> int:
    """Warnings at least: what comes below them, a process without handlers does not show."""
    is_error = message.severity is Severity.ERROR and message.kind is not Kind.RECOVERED
    return logging.ERROR if is_error else logging.WARNING
