import json
import subprocess
from pathlib import Path

import pytest

from lakehouse.commands import plan
from lakehouse.config import PROJECT
from lakehouse.errors import StitchlakeError


def test_without_an_argument_the_plan_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    plan.main([])
    assert capsys.readouterr().out.startswith("Tables, in flow order:\n")


@pytest.mark.parametrize("argv", [["--wrte"], ["write"], ["--write", "--write"], ["--write", "docs"]])
def test_an_argument_it_does_not_know_is_refused_before_anything_is_done(
    argv: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(StitchlakeError, match=r"^plan: got '.+', expected no argument, --write, or check"):
        plan.main(argv)
    assert capsys.readouterr().out == ""


def test_write_says_which_pages_changed(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    written = []
    monkeypatch.setattr(
        "lakehouse.commands.reference_pages.write",
        lambda project: written.append(project) or {"docs/a.md": True, "docs/b.md": False},
    )
    plan.main(["--write"])
    assert written == [PROJECT]
    assert capsys.readouterr().out.splitlines() == ["docs/a.md: written", "docs/b.md: unchanged"]


PLAN = """
properties: []
events:
  - {{event: Quiz Done, owner: growth, description: a quiz, properties: {{properties: {{score: {{type: {type}}}}}}}}}
"""


def test_a_plan_is_checked_against_a_file_and_against_what_git_has(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    planned, other = tmp_path / "events.yaml", tmp_path / "other.yaml"
    git = (
        "git",
        "-C",
        str(tmp_path),
        "-c",
        "user.name=t",
        "-c",
        "user.email=t@example.com",
        "-c",
        "commit.gpgsign=false",
    )
    planned.write_text("properties: []\n")
    for words in (["init", "-q"], ["add", "events.yaml"], ["commit", "-q", "-m", "none"]):
        subprocess.run([*git, *words], check=True)
    planned.write_text(PLAN.format(type="number"))
    assert plan.check(planned, "HEAD") == 0  # all of it is new
    subprocess.run([*git, "commit", "-q", "-a", "-m", "a plan"], check=True)
    assert plan.check(planned, "HEAD") == 0
    planned.write_text(PLAN.format(type="[number, string]"))
    assert plan.check(planned, "HEAD") == 0
    other.write_text(PLAN.format(type="integer"))
    capsys.readouterr()
    assert plan.check(other, str(planned)) == 1
    line, told = capsys.readouterr().out.splitlines()
    assert line == (
        "other.yaml: Quiz Done, version 1: properties.score.type: got integer, expected number, string to be taken as well: the type is "
        "narrower. Leave version 1 as it was recorded, and declare this as version 2"
    )
    assert json.loads(told)["breaking"] == 1
    with pytest.raises(StitchlakeError, match="got 'nowhere', expected a file, or a revision"):
        plan.check(planned, "nowhere")
