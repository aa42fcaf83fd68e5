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
    with pytest.raises(StitchlakeError, match=r"^plan: got '.+', expected no argument or --write\."):
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
