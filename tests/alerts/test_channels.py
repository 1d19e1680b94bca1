"""Alerts on their way to real receivers: a web server, a mail server, the log."""

import ipaddress
import json
import logging
import ssl
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from fraud_platform.adapters.webhook import post_json
from fraud_platform.alerts.book import Kind
from fraud_platform.alerts.channels import LogChannel, MailChannel, WebhookChannel, channels_of
from fraud_platform.alerts.problem import Severity
from fraud_platform.errors import ChannelUnavailable, ConfigurationError
from fraud_platform.settings import Settings
from tests.alerts.makers import T0, message
from tests.alerts.receivers import Hook, Mailbox, free_port, running_mail_server


@pytest.fixture
def box() -> Mailbox:
    return Mailbox()


def settings(**environment: str) -> Settings:
    return Settings.from_environment(environment, embedded={})


def mail_settings(port: int, **more: str) -> Settings:
    plain = {"FRAUD_SMTP_SECURITY": "none", "FRAUD_SMTP_TO": "ops@example.com, team@example.com"}
    return settings(FRAUD_SMTP_HOST="127.0.0.1", FRAUD_SMTP_PORT=str(port), **plain | more)


def send_mail(port: int, **more: str) -> None:
    MailChannel(mail_settings(port, **more), "fraud-platform").send([message()])


# Webhook --------------------------------------------------------------------------------------------


def test_a_webhook_gets_one_post_in_slacks_format(hook: Hook) -> None:
    WebhookChannel(hook.url, "fraud-platform team-a").send([message(), message(Kind.RECOVERED, key="slot:lake.0")])
    (post,) = hook.posts
    assert post["text"] == (
        "fraud-platform team-a: lake is 120,000 records behind; Over after 5 min: lake is 120,000 records behind"
    )
    raised, over = post["attachments"]
    assert raised["title"] == "lake is 120,000 records behind"
    assert raised["text"] == "Look at `fraud-platform status`."
    assert raised["footer"] == "lag:lake, since 2026-01-01 11:55:00Z"
    assert raised["ts"] == int(T0)
    assert over["text"] == ""
    assert len({raised["color"], over["color"]}) == 2
    assert hook.headers[0]["Content-Type"] == "application/json"


@pytest.mark.parametrize(("severity", "color"), [(Severity.ERROR, "#e01e5a"), (Severity.WARNING, "#ecb22e")])
def test_the_colour_says_how_bad_it_is(hook: Hook, severity: Severity, color: str) -> None:
    WebhookChannel(hook.url, "p").send([message(severity=severity)])
    assert hook.posts[0]["attachments"][0]["color"] == color


def test_words_cannot_call_a_channel_or_make_a_link(hook: Hook) -> None:
    WebhookChannel(hook.url, "p").send([message(title="<!channel> & <http://x|y>")])
    assert "<" not in json.dumps(hook.posts[0])
    assert hook.posts[0]["attachments"][0]["title"] == "&lt;!channel&gt; &amp; &lt;http://x|y&gt;"


def test_given_up_messages_are_mentioned(hook: Hook) -> None:
    WebhookChannel(hook.url, "p").send([message()], dropped=7)
    assert "(7 earlier messages were given up)" in hook.posts[0]["text"]


@pytest.mark.parametrize("status", [301, 400, 404, 429, 500])
def test_any_answer_but_success_is_a_refusal_without_the_address(hook: Hook, status: int) -> None:
    hook.status = status
    hook.answer_headers = {"Location": "http://127.0.0.1:9/elsewhere"}
    with pytest.raises(ChannelUnavailable, match=f"status {status}") as caught:
        post_json(hook.url, {})
    assert "s3cret" not in str(caught.value)
    assert len(hook.posts) == 1


@pytest.mark.parametrize(("status", "may_be_too_large"), [(400, True), (413, True), (404, False), (429, False)])
def test_a_webhook_may_find_a_post_too_large(hook: Hook, status: int, *, may_be_too_large: bool) -> None:
    hook.status = status
    with pytest.raises(ChannelUnavailable) as caught:
        post_json(hook.url, {})
    assert caught.value.is_too_large is may_be_too_large


@pytest.mark.parametrize(("asked", "pause"), [("17", 17.0), ("Fri, 02 Jan 2026", 0.0), ("9" * 40, 0.0), ("-1", 0.0)])
def test_a_webhook_may_ask_to_wait(hook: Hook, asked: str, pause: float) -> None:
    hook.status, hook.answer_headers = 429, {"Retry-After": asked}
    with pytest.raises(ChannelUnavailable) as caught:
        post_json(hook.url, {})
    assert caught.value.retry_after_s == pause


def test_nobody_there_is_a_refusal_without_the_address() -> None:
    with pytest.raises(ChannelUnavailable, match="no connection") as caught:
        post_json(f"http://127.0.0.1:{free_port()}/s3cret", {})
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("slowness", [{"delay_s": 20.0}, {"drip_s": 0.05}])
def test_a_slow_webhook_is_left_in_time(hook: Hook, slowness: dict[str, float]) -> None:
    for name, seconds in slowness.items():
        setattr(hook, name, seconds)
    began = time.monotonic()
    with pytest.raises(ChannelUnavailable, match=r"no answer within 0\.5 s"):
        post_json(hook.url, {}, total_s=0.5)
    assert time.monotonic() - began < 15


def test_an_address_that_is_none_is_a_refusal() -> None:
    with pytest.raises(ChannelUnavailable):
        post_json("http://", {})


# E-mail ---------------------------------------------------------------------------------------------


def test_an_email_holds_all_messages_of_the_moment(box: Mailbox) -> None:
    with running_mail_server(box) as port:
        channel = MailChannel(mail_settings(port), "fraud-platform")
        channel.send([message(), message(Kind.AGAIN, title="a slot of lake is down")], dropped=2)
    (mail,) = box.mails
    assert mail["Subject"] == "[fraud-platform] lake is 120,000 records behind (and 1 more)"
    assert (mail["From"], mail["To"]) == ("ops@example.com", "ops@example.com, team@example.com")
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Date"].datetime.timestamp() == T0
    assert mail["Message-ID"].endswith("@example.com>")
    assert box.recipients == [["ops@example.com", "team@example.com"]]
    body = mail.get_content()
    assert "Look at `fraud-platform status`." in body
    assert "Still, for 5 min: a slot of lake is down" in body
    assert "2 earlier messages could not be delivered" in body


def test_an_email_that_was_accepted_is_delivered_whatever_the_farewell(box: Mailbox) -> None:
    box.farewell = "500 rather not"
    with running_mail_server(box) as port:
        send_mail(port)
    assert len(box.mails) == 1


def test_the_same_messages_make_the_same_email(box: Mailbox) -> None:
    """A mailbox shows it once, however often it is delivered."""
    with running_mail_server(box) as port:
        send_mail(port)
        send_mail(port)
        MailChannel(mail_settings(port), "fraud-platform").send([message(key="slot:lake.0")])
    first, again, other = (mail["Message-ID"] for mail in box.mails)
    assert first == again != other


def test_the_sender_can_be_chosen(box: Mailbox) -> None:
    with running_mail_server(box) as port:
        send_mail(port, FRAUD_SMTP_FROM="fraud@example.com")
    assert box.mails[0]["From"] == "fraud@example.com"


def test_a_long_title_keeps_the_subject_short(box: Mailbox) -> None:
    with running_mail_server(box) as port:
        MailChannel(mail_settings(port), "p").send([message(title="x" * 500)])
    assert len(box.mails[0]["Subject"]) <= 150


@pytest.fixture
def certificate(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that signs itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    certificate, secret = tmp_path / "cert.pem", tmp_path / "key.pem"
    certificate.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    secret.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, encryption_algorithm=plain)
    )
    return certificate, secret


@pytest.fixture
def server_tls(certificate: tuple[Path, Path]) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    return context


def test_user_and_password_go_over_tls(
    box: Mailbox, server_tls: ssl.SSLContext, certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    login = {"FRAUD_SMTP_SECURITY": "starttls", "FRAUD_SMTP_USER": "ops", "FRAUD_SMTP_PASSWORD": "s3cret"}
    options = {"tls_context": server_tls, "authenticator": box.authenticate, "auth_required": True}
    with running_mail_server(box, **options) as port:
        send_mail(port, **login)
        with pytest.raises(ChannelUnavailable, match="it refuses user or password") as caught:
            send_mail(port, **login | {"FRAUD_SMTP_PASSWORD": "wr0ng"})
    assert box.logins[0] == ("ops", "s3cret")
    assert len(box.mails) == 1
    assert "wr0ng" not in str(caught.value)


@pytest.mark.parametrize("starts_plain", [True, False])
def test_a_certificate_that_nobody_signed_is_refused(
    box: Mailbox, server_tls: ssl.SSLContext, *, starts_plain: bool
) -> None:
    options = {"tls_context": server_tls} if starts_plain else {"ssl_context": server_tls}
    security = "starttls" if starts_plain else "tls"
    with (
        running_mail_server(box, **options) as port,
        pytest.raises(ChannelUnavailable, match="its certificate is not trusted"),
    ):
        send_mail(port, FRAUD_SMTP_SECURITY=security)
    assert box.mails == []


def test_nothing_is_sent_in_the_open_when_tls_was_asked_for(box: Mailbox) -> None:
    with running_mail_server(box) as port, pytest.raises(ChannelUnavailable, match="does not offer"):
        send_mail(port, FRAUD_SMTP_SECURITY="starttls")
    assert box.mails == []


def test_refused_recipients_are_a_refusal_without_their_addresses(box: Mailbox) -> None:
    box.refused = {"ops@example.com", "team@example.com"}
    with running_mail_server(box) as port, pytest.raises(ChannelUnavailable, match="refuses the recipients") as caught:
        send_mail(port)
    assert "example.com" not in str(caught.value)


def test_who_is_accepted_is_told_though_another_is_refused(box: Mailbox) -> None:
    """Else the accepted ones would get it again and again."""
    box.refused = {"team@example.com"}
    with running_mail_server(box) as port:
        send_mail(port)
    assert box.recipients == [["ops@example.com"]]


def test_no_mail_server_is_a_refusal() -> None:
    with pytest.raises(ChannelUnavailable, match="no connection"):
        send_mail(free_port())


# The log, and which channels there are ---------------------------------------------------------------


def test_the_log_takes_everything(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, logger="fraud_platform.alerts"):
        LogChannel().send([message(), message(Kind.RECOVERED)], dropped=1)
    raised, over, dropped = caplog.records
    assert raised.levelno == logging.ERROR
    assert raised.getMessage() == ("ALERT lag:lake: lake is 120,000 records behind. Look at `fraud-platform status`.")
    assert over.levelno == logging.WARNING
    assert "1 earlier" in dropped.getMessage()


def test_the_log_is_a_channel_always_and_the_others_when_they_are_set() -> None:
    def names(**environment: str) -> list[str]:
        return [channel.name for channel in channels_of(settings(**environment))]

    assert names() == ["log"]
    assert names(FRAUD_ALERT_WEBHOOK_URL="https://h.example/x") == ["log", "webhook"]
    assert names(FRAUD_SMTP_HOST="mail.example", FRAUD_SMTP_TO="a@example.com") == ["log", "e-mail"]


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"FRAUD_ALERT_WEBHOOK_URL": "hooks.example/s3cret"}, "FRAUD_ALERT_WEBHOOK_URL: must be an address"),
        ({"FRAUD_SMTP_HOST": "mail.example"}, "FRAUD_SMTP_HOST needs FRAUD_SMTP_TO"),
        ({"FRAUD_SMTP_TO": "nobody"}, "FRAUD_SMTP_TO: must be e-mail addresses"),
        ({"FRAUD_SMTP_FROM": "a@b\nBcc: c@d"}, "FRAUD_SMTP_FROM: must be e-mail addresses"),
        ({"FRAUD_SMTP_USER": "ops"}, "FRAUD_SMTP_USER and FRAUD_SMTP_PASSWORD belong together"),
        (
            {"FRAUD_SMTP_USER": "ops", "FRAUD_SMTP_PASSWORD": "s3cret", "FRAUD_SMTP_SECURITY": "none"},
            "for everybody to read",
        ),
        ({"FRAUD_SMTP_SECURITY": "maybe"}, "FRAUD_SMTP_SECURITY"),
        ({"FRAUD_ALERT_REPEAT_MINUTES": "0"}, "FRAUD_ALERT_REPEAT_MINUTES"),
        ({"FRAUD_ALERT_DEAD_LETTER_PERCENT": "101"}, "FRAUD_ALERT_DEAD_LETTER_PERCENT"),
        ({"FRAUD_ALERT_SURGE_FACTOR": "1"}, "FRAUD_ALERT_SURGE_FACTOR"),
    ],
)
def test_wrong_settings_are_one_sentence_without_secrets(environment: dict[str, str], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        settings(**environment)
    assert "s3cret" not in str(caught.value)


def test_secrets_do_not_show_in_the_settings() -> None:
    found = settings(
        FRAUD_ALERT_WEBHOOK_URL="https://h.example/s3cret", FRAUD_SMTP_USER="u", FRAUD_SMTP_PASSWORD="s3cret"
    )
    assert "s3cret" not in repr(found)
