from pathlib import Path

import pytest

from lakehouse.actions.templates import Templates
from lakehouse.config.paths import TEMPLATES
from lakehouse.errors import ActionError

OFFER = {"title": "t", "name": "first_order_offer", "content": {"headline": "Hi", "body": "Free.", "code": "X"}}


def written(tmp_path: Path, **files: str) -> Templates:
    (tmp_path / "blocks").mkdir()
    for name, text in files.items():
        (tmp_path / name.replace("__", "/").replace("_txt", ".txt.j2").replace("_html", ".html.j2")).write_text(text)
    return Templates(tmp_path)


def test_the_shipped_letter_shows_the_blocks_that_the_decision_chose() -> None:
    values = {"offer": OFFER, "items": ["kit-000"], "name": "abandoned_cart", "detail": {}}
    letter = Templates(TEMPLATES).letter("abandoned_cart", values, blocks=("first_order_offer", "items", "no_such"))
    assert letter.subject == "Hi"
    assert "Your code: X" in letter.text
    assert "- kit-000" in letter.text
    assert letter.html is not None
    assert "<code>X</code>" in letter.html
    without = Templates(TEMPLATES).letter("abandoned_cart", values | {"offer": None, "items": []})
    assert "code" not in without.text


@pytest.mark.parametrize("hostile", ["{{ 7*7 }}", "{% include '/etc/passwd' %}", "<script>alert(1)</script>", "\u202e"])
def test_values_are_text_whatever_they_say(tmp_path: Path, hostile: str) -> None:
    templates = written(tmp_path, a_txt="{{ v }}\nbody {{ v }}", a_html="<p>{{ v }}</p>")
    letter = templates.letter("a", {"v": hostile})
    assert hostile in letter.text
    assert letter.html is not None
    assert "<script>" not in letter.html
    assert "49" not in letter.html


def test_a_line_end_in_a_value_makes_no_header(tmp_path: Path) -> None:
    letter = written(tmp_path, a_txt="{{ v }}\nbody").letter("a", {"v": "Hello\r\nBcc: all@example.com"})
    assert "\n" not in letter.subject
    assert letter.subject == "Hello"  # the rest is body


@pytest.mark.parametrize(
    "text",
    [
        "{{ v.__class__.__mro__ }}\nx",
        "{{ ''.__class__.__base__.__subclasses__() }}\nx",
        "{% include '../secret' %}\nx",
        "{{ nothing }}\nx",
        "{% for n in range(10**9) %}x{% endfor %}\nx",
        "{{ 1 // 0 }}\nx",
        "only a subject",
        "{% if %}",
    ],
)
def test_a_template_that_reaches_out_or_breaks_is_one_error(tmp_path: Path, text: str) -> None:
    with pytest.raises(ActionError):
        written(tmp_path, a_txt=text).letter("a", {"v": "x"})


def test_a_missing_template_is_told(tmp_path: Path) -> None:
    with pytest.raises(ActionError, match=r"b\.txt\.j2"):
        Templates(tmp_path).letter("b", {})
