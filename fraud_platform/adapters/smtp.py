"""One e-mail to a mail server, every wait bounded. No error holds an address or a password."""

import smtplib
import ssl
import threading
from contextlib import suppress
from email.message import EmailMessage

from fraud_platform.adapters.bounded import call_once
from fraud_platform.errors import BrokerUnavailable, ChannelUnavailable
from fraud_platform.settings import Settings

TIMEOUT_S = 5.0
TOTAL_S = 10.0


def send_mail(settings: Settings, message: EmailMessage, *, total_s: float = TOTAL_S) -> None:
    """Hand the message to the server of `FRAUD_SMTP_*`.

    Raises:
        ChannelUnavailable: no connection, no answer in time, or the server refuses it.
    """
    accepted = threading.Event()
    try:
        call_once(lambda: _send(settings, message, accepted), total_s)
    except BrokerUnavailable:
        if accepted.is_set():
            return
        raise ChannelUnavailable(f"no answer within {total_s:g} s") from None
    except ssl.SSLError:
        raise ChannelUnavailable("its certificate is not trusted, or TLS failed") from None
    except smtplib.SMTPAuthenticationError:
        raise ChannelUnavailable("it refuses user or password") from None
    except smtplib.SMTPNotSupportedError:
        raise ChannelUnavailable("it does not offer what FRAUD_SMTP_SECURITY or FRAUD_SMTP_USER ask for") from None
    except smtplib.SMTPResponseException as error:
        raise ChannelUnavailable(f"it answers with code {error.smtp_code}") from None
    except smtplib.SMTPRecipientsRefused:
        raise ChannelUnavailable("it refuses the recipients") from None
    except (smtplib.SMTPException, OSError) as error:
        raise ChannelUnavailable(f"no connection ({type(error).__name__})") from None


def _send(settings: Settings, message: EmailMessage, accepted: threading.Event) -> None:
    server = _connect(settings)
    try:
        if settings.smtp_security == "starttls":
            server.starttls(context=ssl.create_default_context())
        if settings.smtp_user and settings.smtp_password:
            server.login(settings.smtp_user, settings.smtp_password.get_secret_value())
        # One refused recipient of several is no failure: the others would get it again and again.
        server.send_message(message)
        accepted.set()
        # What goes wrong with the farewell is no refusal: the message would come twice.
        with suppress(smtplib.SMTPException, OSError):
            server.quit()
    finally:
        server.close()


def _connect(settings: Settings) -> smtplib.SMTP:
    host, port = settings.smtp_host or "", settings.smtp_port
    if settings.smtp_security == "tls":
        return smtplib.SMTP_SSL(host, port, timeout=TIMEOUT_S, context=ssl.create_default_context())
    return smtplib.SMTP(host, port, timeout=TIMEOUT_S)
