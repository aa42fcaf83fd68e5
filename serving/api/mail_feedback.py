"""POST /api/mail-feedback: bounces and complaints, as a mail system reports them, are suppressions like any other."""

import asyncio
import logging
from typing import Any

from serving.api.outcomes import Unavailable
from serving.api.suppressions import suppress
from serving.messages.mail_feedback import mail_feedback
from serving.messages.request_models import Identifier, SuppressionRequest
from serving.messages.sns_signature import verify
from serving.service import Service

log = logging.getLogger("stitchlake.serving")
_LONGEST = 200  # characters of an identifier in a request: no mailbox has an address of more
_AT_ONCE = 50  # each waits for the store and for Kafka


async def take_feedback(service: Service, body: bytes) -> dict[str, Any]:
    """Leave every address alone that must not be written to. The same report again changes nothing.

    Raises:
        Refused: a report of no known shape, or one of SNS that Amazon has not signed.
        Unavailable: not all of it is kept everywhere, or Amazon's certificate cannot be fetched; to be sent again.
    """
    now = service.clock()
    try:
        feedback = await asyncio.to_thread(
            mail_feedback, body, lambda document: verify(document, now, service.sns_certificates.at)
        )
    except OSError as error:
        log.warning("mail feedback: the certificate of SNS was not fetched: %s", error)
        raise Unavailable("the certificate of SNS: cannot be fetched now. Send it again") from error
    if feedback.is_subscription:  # never fetched: whether it is wanted is the owner's to say
        place = feedback.confirm_at or "the console of SNS"
        log.warning("mail feedback: SNS asks to confirm its subscription. Open %s", place)
    readable = [address for address in feedback.addresses if len(address) <= _LONGEST]
    suppressed = 0
    for start in range(0, len(readable), _AT_ONCE):
        told = (suppress(service, _request(address)) for address in readable[start : start + _AT_ONCE])
        suppressed += sum(answer["is_suppressed"] for answer in await asyncio.gather(*told))
    unreadable = len(feedback.addresses) - suppressed
    return {"suppressed": suppressed, "ignored": feedback.ignored + unreadable}


def _request(address: str) -> SuppressionRequest:
    return SuppressionRequest(identifier=Identifier(type="email", value=address))
