"""E-mails from conf/templates: `<name>.txt.j2`, whose first line is the subject, and `<name>.html.j2` where there is one.

Templates are the owner's, the values in them anybody's: a product called `{{ 7*7 }}` or `<script>` is text. Jinja2's
sandbox keeps a template to the values it is given; HTML is escaped; nothing outside the folder is ever read.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import FileSystemLoader, StrictUndefined, TemplateError, TemplateNotFound
from jinja2.sandbox import ImmutableSandboxedEnvironment

from lakehouse.errors import ActionError

_MOST_SUBJECT = 200
_MOST_CHARACTERS = 500_000


@dataclass(frozen=True)
class Letter:
    """`html` None: plain text only. `unsubscribe_url` None: there is no such link."""

    subject: str
    text: str
    html: str | None
    unsubscribe_url: str | None = None


class Templates:
    """Renders templates of one folder; a changed file counts at once. Content blocks: `{% include block %}`."""

    def __init__(self, folder: Path) -> None:
        self._environment = ImmutableSandboxedEnvironment(
            loader=FileSystemLoader(folder),
            autoescape=lambda name: name is None or name.endswith(".html.j2"),
            undefined=StrictUndefined,
            auto_reload=True,
        )

    def letter(self, name: str, values: Mapping[str, Any], *, blocks: tuple[str, ...] = ()) -> Letter:
        """Render. `blocks`: content blocks chosen by the decision, `blocks/<block>.txt.j2` and `.html.j2`, those there are.

        Raises:
            ActionError: no such template, or it cannot be rendered with these values.
        """
        text = self._render(f"{name}.txt.j2", values, self._blocks(blocks, ".txt.j2"))
        try:
            html = self._render(f"{name}.html.j2", values, self._blocks(blocks, ".html.j2"))
        except TemplateNotFound:
            html = None
        subject, _, body = text.lstrip().partition("\n")
        subject = " ".join(subject.split())[:_MOST_SUBJECT]
        if not subject or not body.strip():
            raise ActionError(
                f"templates/{name}.txt.j2: expected a subject in the first line and a text below. Mend it"
            )
        return Letter(subject=subject, text=body.strip() + "\n", html=html)

    def _blocks(self, blocks: tuple[str, ...], ending: str) -> list[str]:
        known = set(self._environment.list_templates(filter_func=lambda name: name.endswith(ending)))
        return [name for block in blocks if (name := f"blocks/{block}{ending}") in known]

    def _render(self, name: str, values: Mapping[str, Any], blocks: list[str]) -> str:
        try:
            rendered = self._environment.get_template(name).render({**values, "blocks": blocks})
        except TemplateNotFound as error:
            if error.name == name and name.endswith(".html.j2"):
                raise
            raise ActionError(f"templates/{error.name}: not there, expected a file. Write it") from error
        except (TemplateError, ArithmeticError, TypeError, ValueError, LookupError, RecursionError) as error:
            raise ActionError(f"templates/{name}: cannot be rendered, got {type(error).__name__}. Mend it") from error
        if len(rendered) > _MOST_CHARACTERS:
            raise ActionError(f"templates/{name}: got {len(rendered)} characters, expected at most {_MOST_CHARACTERS}")
        return rendered
