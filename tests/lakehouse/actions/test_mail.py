"""Letters against a real SMTP server."""

import dataclasses
from email import message_from_bytes, policy

import pytest

from lakehouse.actions.delivery import GiveUp, Retry, Sent
from lakehouse.actions.destinations import Mail
from lakehouse.actions.mail import MailSender
from lakehouse.actions.templates import Letter
from lakehouse.actions.unsubscribe_links import UnsubscribeLinks
from lakehouse.machine import free_port
from tests.lakehouse.actions.servers import smtp_server
from tests.lakehouse.decisions.circumstances import passed

LETTER = Letter("Grüße: 10 % off", "Hello\n.\nsecond line\n", "<p>Hello</p>")


def sender(port: int, *, allow_private: bool = True) -> MailSender:
    told = {"name": "x", "kind": "email", "host": "127.0.0.1", "port": port, "security": "none", "allow_private": True}
    one = Mail.model_validate(told | {"sender": "Shop <shop@example.com>"})
    return MailSender(one.model_copy(update={"allow_private": allow_private}), timeout_seconds=2)


def test_a_letter_arrives_as_it_was_written_with_an_id_that_never_changes() -> None:
    with smtp_server() as mailbox:
        for _ in range(2):
            assert sender(mailbox.port).send(passed(LETTER), "ana@example.com", "d1:letters") == Sent()
        assert [to for to, _ in mailbox.letters] == [["ana@example.com"]] * 2
        first, second = (message_from_bytes(data, policy=policy.default) for _, data in mailbox.letters)
    assert first["Subject"] == LETTER.subject
    assert first["Message-ID"] == second["Message-ID"] == "<d1.letters@example.com>"
    text, html = first.get_body(("plain",)), first.get_body(("html",))
    assert text is not None
    assert html is not None
    assert text.get_content().replace("\r\n", "\n") == LETTER.text
    assert "<p>Hello</p>" in html.get_content()


def test_a_letter_says_by_which_one_click_it_was_the_last() -> None:
    links = UnsubscribeLinks(["k" * 32], "https://shop.example.com")
    url = links.url("somebody.with.a.long.name.and.a.longer.one@mail.some-department.example.com")
    with smtp_server() as mailbox:
        letter = dataclasses.replace(LETTER, unsubscribe_url=url)
        assert sender(mailbox.port).send(passed(letter), "ana@example.com", "k") == Sent()
        ((_, data),) = mailbox.letters
    assert f"\r\nList-Unsubscribe: <{url}>\r\n".encode() in data  # in one line, as it is
    assert b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in data


@pytest.mark.parametrize(
    ("answer", "kind"),
    [("450 later", Retry), ("421 busy", Retry), ("550 no such mailbox", GiveUp), ("552 full", GiveUp)],
)
def test_a_refusal_for_now_is_tried_again_and_one_for_good_is_not(answer: str, kind: type) -> None:
    with smtp_server() as mailbox:
        mailbox.answer = answer
        assert isinstance(sender(mailbox.port).send(passed(LETTER), "ana@example.com", "k"), kind)


def test_nobody_there_is_tried_again() -> None:
    assert isinstance(sender(free_port()).send(passed(LETTER), "ana@example.com", "k"), Retry)


def test_a_private_server_is_not_told_anything_unless_it_is_allowed() -> None:
    with smtp_server() as mailbox:
        assert isinstance(
            sender(mailbox.port, allow_private=False).send(passed(LETTER), "ana@example.com", "k"), GiveUp
        )
        assert mailbox.letters == []


@pytest.mark.parametrize("address", ["a@example.com\nBcc: b@example.com", "a b@example.com", "ana", ""])
def test_an_address_that_is_none_reaches_nobody(address: str) -> None:
    with smtp_server() as mailbox:
        assert isinstance(sender(mailbox.port).send(passed(LETTER), address, "k"), GiveUp)
        assert mailbox.letters == []
