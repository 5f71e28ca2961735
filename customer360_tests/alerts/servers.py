"""Servers of this machine that take what is sent, and keep it."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword

PASSWORD = "hush/hush@1"


@dataclass
class Hook:
    """A webhook that answers with ``answers`` one after the other, the last from then on."""

    url: str = ""
    answers: list[int] = field(default_factory=lambda: [200])
    posts: list[dict[str, Any]] = field(default_factory=list)

    def texts(self) -> list[str]:
        return [post["text"] for post in self.posts]


@contextmanager
def webhook(*answers: int) -> Iterator[Hook]:
    """A server that takes JSON by POST."""
    hook = Hook()
    if answers:
        hook.answers = [*answers]

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            content = self.rfile.read(int(self.headers["Content-Length"]))
            hook.posts.append(json.loads(content))
            assert self.headers["Content-Type"] == "application/json"
            code = hook.answers.pop(0) if len(hook.answers) > 1 else hook.answers[0]
            self.send_response(code)
            if code in (301, 302, 307, 308):
                self.send_header("Location", hook.url + "elsewhere")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hook.url = f"http://127.0.0.1:{server.server_port}/services/T0/B0/s3cr3t"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hook
    finally:
        server.shutdown()
        server.server_close()


@dataclass
class MailServer:
    """Who may log in as ``ops``, and what came."""

    host: str = ""
    port: int = 0
    answers: list[str] = field(default_factory=lambda: ["250 OK"])
    messages: list[EmailMessage] = field(default_factory=list)
    receivers: list[str] = field(default_factory=list)
    logins: int = 0

    async def handle_DATA(self, server: Any, session: Any, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if answer.startswith("250"):
            assert isinstance(envelope.content, bytes)
            message = message_from_bytes(envelope.content, policy=policy.default)
            assert isinstance(message, EmailMessage)
            self.messages.append(message)
            self.receivers += envelope.rcpt_tos
        return answer

    def authenticated(
        self, server: Any, session: Any, envelope: Any, how: str, data: Any
    ) -> AuthResult:
        assert isinstance(data, LoginPassword)
        self.logins += 1
        right = (data.login, data.password) == (b"ops", PASSWORD.encode())
        return AuthResult(success=right, handled=right)


@contextmanager
def mail_server(*answers: str, login: bool = False) -> Iterator[MailServer]:
    """An SMTP server; ``login``: one that takes mail of those alone who have logged in."""
    kept = MailServer()
    if answers:
        kept.answers = [*answers]
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        kept.host, kept.port = free.getsockname()
    controller = Controller(
        kept,
        hostname="127.0.0.1",
        port=kept.port,
        authenticator=kept.authenticated,
        auth_require_tls=False,
        auth_required=login,
    )
    controller.start()
    try:
        yield kept
    finally:
        controller.stop()
