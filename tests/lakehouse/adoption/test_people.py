"""Who a row speaks of, and what they allow: what is mapped is right, and nobody's refusal is left out."""

from pathlib import Path

from lakehouse.adoption import report
from lakehouse.events.consent import ConsentReader
from tests.lakehouse.adoption.test_adopt import CONFIG, documents, proposed, source_of, table


def test_whoever_unsubscribed_is_heard_however_the_column_says_it(tmp_path: Path) -> None:
    head = "Email,First Name,LAST_CHANGED,UNSUB_TIME,Unsubscribed from all email,newsletter"
    said = (
        "2024-02-01 10:00:00,,",
        "0000-00-00 00:00:00,,",
        ",true,",
        ",false,SUBSCRIBED",
        ",,unsubscribed",
        ",,NEVER_SUBSCRIBED",
    )
    rows = [f"p{n}@x.example,Ann,2024-01-10,{said[n % 6]}" for n in range(60)]
    looked, draft = proposed(table(tmp_path / "people.csv", head, *rows))
    heard = []
    for document in documents(tmp_path / "people.csv", source_of(looked, draft))[:6]:
        context = document["context"]
        assert isinstance(context, dict)
        (answer,) = ConsentReader(CONFIG.consent).column([context])
        heard.append(None if answer is None else answer.consent.marketing)
    assert heard == [False, None, False, True, False, False]


def test_a_customers_name_is_no_number_of_theirs(tmp_path: Path) -> None:
    rows = [
        f"{n},Ann Lee{n % 5},{n % 5}@x.example,2024-01-10,5.50,{('Livré', 'Annulé')[n == 11]}" for n in range(10, 60)
    ]
    path = table(tmp_path / "commandes.csv", "ID,Client,E-mail,Date,Total,État", *rows)
    looked, draft = proposed(path)
    first, second = documents(path, source_of(looked, draft))[:2]
    assert "userId" not in first
    assert first["properties"]["customer_name"] == "Ann Lee0"  # type: ignore[index]
    assert (first["event"], second["event"]) == ("Order Completed", "Order Cancelled")


def test_a_weak_id_is_one_that_does_not_go_with_the_address(tmp_path: Path) -> None:
    def written_by(customer: str) -> str:
        rows = [f"o{n},{customer.format(n=n, p=n % 9)},p{n % 9}@x.example,2024-01-15,5.25" for n in range(60)]
        return "\n".join(["order_id,customer_id,email,date,total", *rows])

    for customer, strength in (("c{p}", "user_id"), ("checkout-{n}", "guest_id")):
        path = tmp_path / f"{strength}.csv"
        path.write_text(written_by(customer))
        _, draft = proposed(path)
        assert draft.fields["customer"].goes_to == f"identifiers.{strength}"


def test_a_consent_of_words_nobody_knows_is_unsure(tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text(
        "customer_id,first_name,updated_at,newsletter\n" + "".join(f"c{n},Ann,2024-01-15,abo\n" for n in range(9))
    )
    looked, draft = proposed(path)
    assert "consent" not in draft.sections
    assert "unsure: consent, for 100 % of its values are neither a yes nor a no" in "\n".join(
        report.of_draft(looked, draft)
    )


def test_an_id_that_repeats_only_in_the_lines_of_its_order_is_weak(tmp_path: Path) -> None:
    path = tmp_path / "lines.csv"
    rows = [f"o{n // 3},checkout-{n // 3},2024-01-15,p{n},1,{n}.50" for n in range(90)]
    path.write_text("\n".join(["order_id,customer_id,date,product_id,quantity,unit_price", *rows]))
    _, draft = proposed(path)
    assert draft.fields["customer"].goes_to == "identifiers.guest_id"
