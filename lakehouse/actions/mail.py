"""An action as an e-mail, by SMTP."""

import smtplib
import socket
import ssl
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import parseaddr

from lakehouse.actions.delivery import GiveUp, Result, Retry, Sent
from lakehouse.actions.destinations import Mail
from lakehouse.actions.private_addresses import refuse_private
from lakehouse.actions.templates import Letter
from lakehouse.decisions.gate import Permitted
from lakehouse.errors import ActionError

_UNBROKEN = SMTP.clone(max_line_length=990)  # a link that is broken over lines would be written as an encoded word


class MailSender:
    """A connection for each letter: the rate is a person's, not a bulk mailer's."""

    def __init__(self, destination: Mail, *, timeout_seconds: float) -> None:
        self._destination = destination
        self._timeout = timeout_seconds

    def send(self, letter: Permitted[Letter], address: str, key: str) -> Result:
        """Hand over once. `key` makes the Message-ID, the same for every attempt: mail systems may tell a repeat by it."""
        try:
            message = self._message(letter.what, address, key)
        except (MessageError, ValueError, IndexError):
            return GiveUp("the letter cannot be put into a message")
        try:
            with self._connected() as server:
                server.send_message(message, from_addr=parseaddr(self._destination.sender)[1], to_addrs=[address])
        except ActionError as error:
            return GiveUp(str(error))
        except smtplib.SMTPRecipientsRefused as error:
            codes = [code for code, _ in error.recipients.values()]
            return _refused(max(codes, default=550))
        except smtplib.SMTPResponseException as error:
            return _refused(error.smtp_code)
        except (OSError, smtplib.SMTPException) as error:
            return Retry(type(error).__name__)
        return Sent()

    def _message(self, letter: Letter, address: str, key: str) -> EmailMessage:
        message = EmailMessage(policy=_UNBROKEN)
        message["Subject"] = letter.subject
        message["From"] = self._destination.sender
        message["To"] = Address(addr_spec=address)
        domain = parseaddr(self._destination.sender)[1].rpartition("@")[2]
        message["Message-ID"] = f"<{key.replace(':', '.')}@{domain}>"
        message["Auto-Submitted"] = "auto-generated"
        if letter.unsubscribe_url is not None:  # RFC 2369, 3.2; RFC 8058, 3.1
            message["List-Unsubscribe"] = f"<{letter.unsubscribe_url}>"
            message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        message.set_content(letter.text)
        if letter.html is not None:
            message.add_alternative(letter.html, subtype="html")
        return message

    def _connected(self) -> smtplib.SMTP:
        place = self._destination
        context = ssl.create_default_context()
        server: smtplib.SMTP
        if place.security == "tls":
            server = smtplib.SMTP_SSL(place.host, place.port, timeout=self._timeout, context=context)
        else:
            server = smtplib.SMTP(place.host, place.port, timeout=self._timeout)
        try:
            assert isinstance(server.sock, socket.socket)
            if not place.allow_private:
                refuse_private(str(server.sock.getpeername()[0]), place.host)
            if place.security == "starttls":
                server.starttls(context=context)
            if place.user is not None and place.password is not None:
                server.login(place.user.get_secret_value(), place.password.get_secret_value())
        except BaseException:
            server.close()
            raise
        return server


def _refused(code: int) -> Result:
    """RFC 5321, 4.2.1: 4yz is for now, 5yz for good. A refused login (53x) is the owner's to mend, not the letter's fault."""
    if 400 <= code < 500 or code in (530, 534, 535, 538):
        return Retry(f"SMTP {code}")
    return GiveUp(f"SMTP {code}")
