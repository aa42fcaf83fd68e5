"""Marks of clicks: what says most wins."""

from lakehouse.events.enrichment.click_ids import click


def test_a_paid_click_says_more_than_one_that_may_be_unpaid() -> None:
    both = click({"fbclid": "1", "gclid": "2", "page": "3"})
    assert both == ("gclid", "google", "cpc", True)


def test_links_without_a_mark_tell_of_no_click() -> None:
    assert click({}) is None
    assert click({"utm_source": "x", "GCLID": "names are in lower case"}) is None
