"""What mail systems report, in the shapes their documentation shows."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from serving.messages.collector import Refused
from serving.messages.mail_feedback import MailFeedback
from serving.messages.mail_feedback import mail_feedback as read

ANA, BO = "ana@example.com", "bo@example.com"


def mail_feedback(body: bytes) -> MailFeedback:
    return read(body, lambda document: None)


def ses(kind: str, **more: Any) -> dict[str, Any]:
    mail = {"destination": [ANA, "not-this-one@example.com"], "source": "shop@example.com"}
    return {"notificationType": kind, "mail": mail, **more}


def bounce(type_: str) -> dict[str, Any]:
    recipients = [{"emailAddress": ANA, "status": "5.1.1"}, {"emailAddress": BO}]
    return ses("Bounce", bounce={"bounceType": type_, "bouncedRecipients": recipients})


COMPLAINT = ses("Complaint", complaint={"complainedRecipients": [{"emailAddress": BO}]})


def by_sns(message: dict[str, Any]) -> dict[str, Any]:
    return {"Type": "Notification", "TopicArn": "arn:aws:sns:x", "Message": orjson.dumps(message).decode()}


def sendgrid(event: str, **more: Any) -> dict[str, Any]:
    return {"email": ANA, "timestamp": 1513299569, "event": event, "sg_event_id": "e", **more}


REPORTS: dict[str, tuple[Any, list[str], int]] = {
    "ours": (
        {"events": [{"type": "bounce", "email": ANA}, {"type": "complaint", "email": f" {BO} "}, {"type": "open"}]},
        [ANA, BO],
        1,
    ),
    "ours, for now": ({"events": [{"type": "bounce", "email": ANA, "is_permanent": False}]}, [], 1),
    "ours, unsubscribed twice": ({"events": [{"type": "unsubscribe", "email": ANA}] * 2}, [ANA], 0),
    "ours, of no kind": ({"events": [{"type": {}, "email": ANA}, {"type": [], "email": ANA}]}, [], 2),
    "SES bounce": (bounce("Permanent"), [ANA, BO], 0),
    "SES bounce by SNS": (by_sns(bounce("Permanent")), [ANA, BO], 0),
    "SES full mailbox": (bounce("Transient"), [], 1),
    "SES undetermined": (bounce("Undetermined"), [], 1),
    "SES complaint": (by_sns(COMPLAINT), [BO], 0),
    "SES complaint as an event": ({**COMPLAINT, "notificationType": None, "eventType": "Complaint"}, [BO], 0),
    "SES delivery": (ses("Delivery", delivery={"recipients": [ANA]}), [], 1),
    "SendGrid bounce": ([sendgrid("bounce", type="bounce", status="5.0.0")], [ANA], 0),
    "SendGrid blocked": ([sendgrid("bounce", type="blocked")], [], 1),
    "SendGrid spam report": ([sendgrid("spamreport")], [ANA], 0),
    "SendGrid unsubscribed": ([sendgrid("group_unsubscribe", asm_group_id=1)], [ANA], 0),
    "SendGrid dropped": ([sendgrid("dropped", reason="Bounced Address")], [ANA], 0),
    "SendGrid over quota": ([sendgrid("dropped", reason="Recipient List over Package Quota")], [], 1),
    "SendGrid of no kind": ([sendgrid("open") | {"event": {}}, sendgrid("open") | {"event": []}], [], 2),
    "SendGrid delivered and opened": ([sendgrid("delivered"), sendgrid("open")], [], 2),
}


@pytest.mark.parametrize("name", REPORTS)
def test_who_must_not_be_written_to_is_read_out_of_each_shape(name: str) -> None:
    report, addresses, ignored = REPORTS[name]
    assert mail_feedback(orjson.dumps(report)) == MailFeedback(addresses=tuple(addresses), ignored=ignored)


def test_a_new_subscription_is_for_the_owner_to_confirm() -> None:
    url = "https://sns.eu-west-1.amazonaws.com/?Action=ConfirmSubscription&Token=t"
    asked = {"Type": "SubscriptionConfirmation", "TopicArn": "arn:aws:sns:x", "SubscribeURL": url, "Token": "t"}
    assert mail_feedback(orjson.dumps(asked)) == MailFeedback(is_subscription=True, confirm_at=url)
    for elsewhere in (
        "https://sns.s3-us-west-2.amazonaws.com/?Action=ConfirmSubscription&Token=t",
        "https://evil",
        None,
    ):
        found = mail_feedback(orjson.dumps(asked | {"SubscribeURL": elsewhere}))
        assert found == MailFeedback(is_subscription=True, confirm_at=None)
    ended = asked | {"Type": "UnsubscribeConfirmation"}
    assert mail_feedback(orjson.dumps(ended)) == MailFeedback(ignored=1)


@pytest.mark.parametrize("type_", ["Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation"])
def test_nothing_of_an_envelope_is_read_before_it_is_verified(type_: str) -> None:
    def verify(_: Any) -> None:
        raise Refused("body.Signature: not of this message, expected another")

    with pytest.raises(Refused, match="Signature"):
        read(orjson.dumps(by_sns(COMPLAINT) | {"Type": type_}), verify)


@pytest.mark.parametrize("body", [b"", b"{", b"null", b"{}", b'"x"', b"[1]", b'{"events": [1]}', b"[" * 90_000])
def test_what_is_no_report_is_refused(body: bytes) -> None:
    with pytest.raises(Refused, match="expected"):
        mail_feedback(body)


def test_too_many_events_are_to_be_sent_in_parts() -> None:
    with pytest.raises(Refused, match="at most 5000"):
        mail_feedback(orjson.dumps([sendgrid("open")] * 5001))


json = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4) | st.sampled_from(["Bounce", "Permanent"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "Type",
                    "TopicArn",
                    "Message",
                    "events",
                    "type",
                    "email",
                    "event",
                    "notificationType",
                    "bounce",
                    "bounceType",
                ]
            )
            | st.sampled_from(["bouncedRecipients", "emailAddress", "complaint", "complainedRecipients"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(json)
def test_whatever_is_sent_is_read_or_refused(sent: Any) -> None:
    try:
        found = mail_feedback(orjson.dumps(sent))
    except Refused:
        return
    assert all(isinstance(address, str) and address for address in found.addresses)
