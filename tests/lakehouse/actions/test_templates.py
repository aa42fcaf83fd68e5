from pathlib import Path
from typing import Any

import pytest

from lakehouse.actions.action import Action
from lakehouse.actions.delivery import Result, Sent
from lakehouse.actions.performers import to_mailbox
from lakehouse.actions.templates import Letter, Templates
from lakehouse.config.paths import TEMPLATES
from lakehouse.decisions.gate import Permitted, permit
from lakehouse.decisions.visitor import Visitor
from lakehouse.errors import ActionError
from lakehouse.online.online_profile import OnlineProfile
from tests.lakehouse.decisions.circumstances import circumstances
from tests.online_people import SEEN, person

ANN = ("user_id", "ann")
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


def test_a_letter_reads_the_features_of_whoever_gets_it(tmp_path: Path) -> None:
    told: list[Letter] = []

    class Post:
        def send(self, letter: Permitted[Letter], _: str, __: str) -> Result:
            told.append(letter.what)
            return Sent()

    class Addresses:
        def latest(self, _: OnlineProfile) -> str:
            return "ann@example.com"

    templates = written(
        tmp_path, hello_txt="{{ features.views_7d }} views\n{% if features.spent %}yes{% else %}no{% endif %}"
    )
    post: Any = Post()
    perform = to_mailbox(post, offers=dict, addresses=Addresses(), templates=templates, links=None)
    action = Action(
        decision_id="d", destination="mail", cause="moment", name="hello", identifiers=(ANN,), purpose="marketing",
        created_ms=0, expires_ms=1,
    )  # fmt: skip
    known = circumstances(now=SEEN, features={"views_7d": 3, "spent": None})
    ann = Visitor(identifier=ANN, profile=person("p", [ANN]), recent=known.visitor.recent)
    passed = permit(action, known._replace(visitor=ann), "marketing")
    assert isinstance(passed, Permitted)
    perform(passed)
    assert [(letter.subject, letter.text) for letter in told] == [("3 views", "no\n")]
