"""The ways by which people are told: a webhook that takes Slack's form, and e-mail.

Neither the webhook's address, which is a secret, nor a password is ever part of a message or a log.
"""

from __future__ import annotations

import ipaddress
import json
import smtplib
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import EmailMessage
from email.policy import default as modern
from http import HTTPStatus
from typing import Any, Protocol
from urllib import error as url_errors
from urllib import request
from urllib.parse import SplitResult, unquote, urlsplit

import tenacity

from customer360.alerts.alert import Alert
from customer360.errors import Customer360Error, SettingsError
from customer360.settings import Settings

TIMEOUT_SECONDS = 10
ATTEMPTS = 4
"""So often a message is sent before it is given up; with the waits between, half a minute."""

_FIRST_WAIT, _LONGEST_WAIT = 2.0, 10.0
_AGAIN_LATER = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
_LONGEST_LINE = 900  # of a header: SMTP takes 998, and receivers show folds as blanks
_PORTS = {"smtp": 25, "smtps": 465}
_TRANSIENT = range(400, 500)  # of SMTP's answers: what may go well later


class AlertError(Customer360Error):
    """An alert was not taken; the message says by whom, why, and which setting leads there."""

    def __init__(self, message: str, *, temporary: bool = False) -> None:
        self.temporary = temporary
        super().__init__(message)


class Channel(Protocol):
    """A way to people."""

    @property
    def name(self) -> str:
        """The same for the same receivers; holds no secret."""

    def send(self, alert: Alert) -> None:
        """Tell it, once more where that may help.

        Raises:
            AlertError: It was not taken.
        """


@dataclass(frozen=True)
class Webhook:
    """An address that takes ``{"text": ...}``, as Slack's, Mattermost's and many others' do."""

    url: str = field(repr=False)

    @property
    def name(self) -> str:
        """``webhook hooks.slack.com``."""
        return f"webhook {urlsplit(self.url).hostname}"

    def send(self, alert: Alert) -> None:
        """See `Channel.send`."""
        text = f"*{_plain(alert.subject)}*\n{_plain(alert.body)}"
        body = json.dumps({"text": text}).encode()
        headers = {"Content-Type": "application/json", "User-Agent": "customer360"}
        posted = request.Request(self.url, body, headers, method="POST")
        again_and_again(lambda: self._post(posted))

    def _post(self, posted: request.Request) -> None:
        where = f"{self.name} (setting alert_webhook_url)"
        try:
            with request.build_opener(_NoRedirect).open(posted, timeout=TIMEOUT_SECONDS):
                return
        except url_errors.HTTPError as error:
            temporary = error.code in _AGAIN_LATER or error.code >= HTTPStatus.INTERNAL_SERVER_ERROR
            error.close()
            raise AlertError(
                f"{where} answers {error.code} {error.reason}", temporary=temporary
            ) from None
        except (url_errors.URLError, OSError, ValueError) as error:
            # The error's own words may hold the address.
            why = error.reason if isinstance(error, url_errors.URLError) else error
            said = why.strerror if isinstance(why, OSError) else None
            raise AlertError(
                f"{where} does not answer: {said or type(why).__name__}", temporary=True
            ) from None


class _NoRedirect(request.HTTPRedirectHandler):
    """What is posted goes to the address that was set, and nowhere else."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


@dataclass(frozen=True)
class Mail:
    """E-mail by an SMTP server.

    Attributes:
        url: ``smtp://user:password@host:587``, which speaks STARTTLS where the server offers it, or
            ``smtps://…``.
        receivers: Addresses.
        sender: Address that it is from.
    """

    url: str = field(repr=False)
    receivers: tuple[str, ...]
    sender: str

    @property
    def name(self) -> str:
        """``e-mail to ops@example.com``."""
        return f"e-mail to {', '.join(self.receivers)}"

    def send(self, alert: Alert) -> None:
        """See `Channel.send`."""
        message = EmailMessage(modern.clone(max_line_length=_LONGEST_LINE))
        message["Subject"] = alert.subject
        message["From"] = self.sender
        message["To"] = ", ".join(self.receivers)
        message.set_content(alert.body)
        again_and_again(lambda: self._deliver(message))

    def _deliver(self, message: EmailMessage) -> None:
        server = urlsplit(self.url)
        where = f"{self.name} by {server.hostname} (setting alert_smtp_url)"
        try:
            with _connected(server) as connection:
                connection.send_message(message)
        except smtplib.SMTPRecipientsRefused as error:
            answers = {code for code, _ in error.recipients.values()}
            raise AlertError(
                f"{where} refuses {', '.join(error.recipients)}",
                temporary=all(code in _TRANSIENT for code in answers),
            ) from None
        except smtplib.SMTPResponseException as error:
            answer = error.smtp_error
            said = answer if isinstance(answer, str) else answer.decode(errors="replace")
            raise AlertError(
                f"{where} answers {error.smtp_code} {said}",
                temporary=error.smtp_code in _TRANSIENT,
            ) from None
        except (smtplib.SMTPException, OSError) as error:
            lost = isinstance(error, smtplib.SMTPServerDisconnected | OSError)
            said = getattr(error, "strerror", None) or str(error) or type(error).__name__
            raise AlertError(f"{where} does not take it: {said}", temporary=lost) from None


def channels(settings: Settings) -> list[Channel]:
    """All ways that ``settings`` name; none where alerts were not asked for.

    Raises:
        SettingsError: One of them is not an address, or lacks another setting.
    """
    found: list[Channel] = []
    if settings.alert_webhook_url is not None:
        url = settings.alert_webhook_url.get_secret_value()
        if urlsplit(url).scheme not in ("https", "http") or not urlsplit(url).hostname:
            raise SettingsError("setting alert_webhook_url: expected an address, https://…")
        found.append(Webhook(url))
    if settings.alert_email_to:
        if settings.alert_smtp_url is None:
            raise SettingsError(
                "setting alert_email_to needs alert_smtp_url, smtp://user:password@host:587 or "
                "smtps://…"
            )
        url = settings.alert_smtp_url.get_secret_value()
        if urlsplit(url).scheme not in _PORTS or not urlsplit(url).hostname:
            raise SettingsError(
                "setting alert_smtp_url: expected smtp://user:password@host:587 or smtps://…"
            )
        sender = settings.alert_email_from or f"customer360@{socket.gethostname()}"
        found.append(Mail(url, tuple(settings.alert_email_to), sender))
    return found


def again_and_again(send: Callable[[], None]) -> None:
    """Call ``send`` until it goes well, `ATTEMPTS` times at most, where the error is temporary."""
    tenacity.Retrying(
        retry=tenacity.retry_if_exception(lambda error: getattr(error, "temporary", False)),
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        wait=tenacity.wait_random_exponential(multiplier=_FIRST_WAIT, max=_LONGEST_WAIT),
        reraise=True,
    )(send)


def _connected(server: SplitResult) -> smtplib.SMTP:
    """A connection to an SMTP server, encrypted where it can be, and logged in where asked for.

    Raises:
        AlertError: A password would go over the network in the clear.
    """
    host, port = server.hostname or "", server.port or _PORTS[server.scheme]
    secure = ssl.create_default_context()
    if server.scheme == "smtps":
        connection: smtplib.SMTP = smtplib.SMTP_SSL(
            host, port, timeout=TIMEOUT_SECONDS, context=secure
        )
    else:
        connection = smtplib.SMTP(host, port, timeout=TIMEOUT_SECONDS)
        connection.ehlo()
        if connection.has_extn("starttls"):
            connection.starttls(context=secure)
            connection.ehlo()
        elif server.username and not _is_this_machine(host):
            connection.close()
            raise AlertError(
                f"{host} offers no STARTTLS, and a password is not sent in the clear: write "
                "smtps:// in the setting alert_smtp_url"
            )
    if server.username:
        connection.login(unquote(server.username), unquote(server.password or ""))
    return connection


def _is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _plain(text: str) -> str:
    """Text in which Slack sees no link, mention or command."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
