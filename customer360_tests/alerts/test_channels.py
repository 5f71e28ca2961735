"""Alerts that go over the wire: what arrives, what is tried again, and what never shows."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from customer360.alerts import channels as module
from customer360.alerts.alert import Alert, Kind
from customer360.alerts.channels import ATTEMPTS, AlertError, Mail, Webhook, channels
from customer360.errors import SettingsError
from customer360.settings import load_settings
from customer360_tests.alerts.servers import PASSWORD, mail_server, webhook

ALERT = Alert(
    Kind.RUN_FAILED,
    "bronze/shop_orders",
    "2026-11-24...2026-11-25",
    "a.csv: expected column <amount> & more,\nfound none",
    "customer360 run --home shop",
    "run 1",
)


@pytest.fixture(autouse=True)
def _no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_LONGEST_WAIT", 0.0)


def test_a_webhook_gets_slack_s_form_with_table_day_reason_and_command() -> None:
    with webhook() as hook:
        Webhook(hook.url).send(ALERT)
    assert hook.posts == [
        {
            "text": "*customer360: a run failed: bronze/shop_orders, 2026-11-24...2026-11-25*\n"
            "Why: a.csv: expected column &lt;amount&gt; &amp; more, found none\n"
            "What helps: customer360 run --home shop"
        }
    ]


def test_e_mail_says_the_same_and_logs_in() -> None:
    with mail_server(login=True) as server:
        url = f"smtp://ops:{quote(PASSWORD, safe='')}@{server.host}:{server.port}"
        Mail(url, ("a@example.com", "b@example.com"), "me@example.com").send(ALERT)
    (message,) = server.messages
    assert message["Subject"] == (
        "customer360: a run failed: bronze/shop_orders, 2026-11-24...2026-11-25"
    )
    assert (message["From"], message["To"]) == ("me@example.com", "a@example.com, b@example.com")
    assert server.receivers == ["a@example.com", "b@example.com"]
    assert server.logins == 1
    assert message.get_content().splitlines() == [
        "Why: a.csv: expected column <amount> & more, found none",
        "What helps: customer360 run --home shop",
    ]


def test_what_may_go_well_later_is_tried_again() -> None:
    with webhook(503, 429, 200) as hook:
        Webhook(hook.url).send(ALERT)
    assert len(hook.posts) == 3
    with mail_server("451 later", "250 OK") as server:
        Mail(f"smtp://{server.host}:{server.port}", ("a@example.com",), "b@example.com").send(ALERT)
    assert len(server.messages) == 1


@pytest.mark.parametrize(
    ("answer", "tries"), [(503, ATTEMPTS), (404, 1), (403, 1), (302, 1), (308, 1)]
)
def test_who_refuses_is_not_asked_again_and_nothing_is_posted_elsewhere(
    answer: int, tries: int, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG), webhook(answer) as hook:
        with pytest.raises(AlertError) as error:
            Webhook(hook.url).send(ALERT)
        assert len(hook.posts) == tries
    message = f"webhook 127.0.0.1 (setting alert_webhook_url) answers {answer} "
    assert str(error.value).startswith(message)
    assert "s3cr3t" not in str(error.value) + caplog.text


def test_e_mail_that_is_refused_says_what_the_server_said() -> None:
    with mail_server("554 no such thing") as server:
        mail = Mail(f"smtp://{server.host}:{server.port}", ("a@example.com",), "b@example.com")
        with pytest.raises(AlertError, match=r"setting alert_smtp_url\) answers 554 no such thing"):
            mail.send(ALERT)
    with mail_server(login=True) as server:
        mail = Mail(f"smtp://ops:wrong@{server.host}:{server.port}", ("a@b.c",), "b@example.com")
        with pytest.raises(AlertError, match=r"answers 535 ") as error:
            mail.send(ALERT)
    assert "wrong" not in str(error.value)
    assert server.logins >= 1


def test_a_server_that_is_away_is_named_without_its_secret() -> None:
    for way in (
        Webhook("http://127.0.0.1:1/services/s3cr3t"),
        Mail("smtp://ops:s3cr3t@127.0.0.1:1", ("a@example.com",), "b@example.com"),
    ):
        with pytest.raises(AlertError, match=r"[Cc]onnection refused") as error:
            way.send(ALERT)
        assert "s3cr3t" not in str(error.value)
        assert "s3cr3t" not in repr(way) + way.name


def test_a_password_never_leaves_this_machine_in_the_clear(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_is_this_machine", lambda host: False)
    with mail_server() as server:
        mail = Mail(f"smtp://ops:x@{server.host}:{server.port}", ("a@b.c",), "b@example.com")
        with pytest.raises(AlertError, match="offers no STARTTLS"):
            mail.send(ALERT)
    assert server.logins == 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"alert_webhook_url": "hooks.slack.com/s3cr3t"}, "setting alert_webhook_url: expected an"),
        ({"alert_webhook_url": "file:///etc/s3cr3t"}, "setting alert_webhook_url: expected an"),
        ({"alert_email_to": "a@example.com"}, "setting alert_email_to needs alert_smtp_url"),
        (
            {"alert_email_to": "a@example.com", "alert_smtp_url": "http://s3cr3t"},
            "setting alert_smtp_url: expected smtp://",
        ),
    ],
)
def test_a_wrong_setting_is_one_line_without_it(
    tmp_path: Path, given: dict[str, Any], said: str
) -> None:
    with pytest.raises(SettingsError) as error:
        channels(load_settings(tmp_path, **given))
    assert str(error.value).startswith(said)
    assert "s3cr3t" not in str(error.value)


def test_the_settings_say_by_which_ways(tmp_path: Path) -> None:
    assert channels(load_settings(tmp_path)) == []
    settings = load_settings(
        tmp_path,
        alert_webhook_url="https://hooks.slack.com/services/s3cr3t",
        alert_email_to="a@example.com,b@example.com",
        alert_smtp_url="smtps://mail.example.com",
    )
    assert [way.name for way in channels(settings)] == [
        "webhook hooks.slack.com",
        "e-mail to a@example.com, b@example.com",
    ]
    assert "s3cr3t" not in repr(settings)
