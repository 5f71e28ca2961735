"""A page of HTML that stands alone: its pictures are inside, nothing is fetched, nothing runs."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pandas as pd
from jinja2 import Environment

from customer360.language import Language

_PAGE = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string("""\
<!doctype html>
<html lang="{{ language }}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; color: #1b1b1b; max-width: 62rem;
  margin: 2rem auto; padding: 0 1rem; }
h1, h2 { line-height: 1.2; }
h2 { margin-top: 2.5rem; border-top: 1px solid #ccc; padding-top: 1rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; margin: 1rem 0; font-variant-numeric: tabular-nums; }
caption { text-align: left; font-weight: 600; padding-bottom: .3rem; }
th, td { padding: .25rem .7rem; text-align: right; border-bottom: 1px solid #ddd; }
th:first-child, td:first-child { text-align: left; }
.pictures { display: flex; flex-wrap: wrap; gap: 1rem; }
figure { margin: 0; flex: 1 1 26rem; }
img { max-width: 100%; height: auto; }
</style>
</head>
<body>
<h1>{{ title }}</h1>
{% for section in sections %}
<section>
<h2>{{ section.title }}</h2>
{% for paragraph in section.paragraphs %}
<p>{{ paragraph }}</p>
{% endfor %}
{% for caption, table in section.tables.items() %}
<div class="scroll">
<table>
{% if caption %}
<caption>{{ caption }}</caption>
{% endif %}
<thead><tr>{% for name in table.columns %}<th scope="col">{{ name }}</th>{% endfor %}</tr></thead>
<tbody>
{% for row in table.itertuples(index=False) %}
<tr>{% for value in row %}<td>{{ value }}</td>{% endfor %}</tr>
{% endfor %}
</tbody>
</table>
</div>
{% endfor %}
<div class="pictures">
{% for name, picture in section.pictures.items() %}
<figure><img alt="{{ name }}" src="data:image/png;base64,{{ picture }}"></figure>
{% endfor %}
</div>
</section>
{% endfor %}
</body>
</html>
""")


@dataclass(frozen=True)
class Section:
    """One heading of a page and what is under it.

    Attributes:
        title: The heading.
        paragraphs: Text, escaped by the page.
        tables: By caption, "" for none; values are shown as they are, so format them first.
        pictures: PNG images by name, of the group ``plot`` of texts where it has a title there.
    """

    title: str
    paragraphs: Sequence[str] = ()
    tables: Mapping[str, pd.DataFrame] = field(default_factory=dict)
    pictures: Mapping[str, bytes] = field(default_factory=dict)


def page(title: str, sections: Sequence[Section], *, language: str = "en") -> str:
    """The page as text of HTML; ``language`` is the code of that of its texts."""
    said = Language(language)
    encoded = [
        {
            "title": section.title,
            "paragraphs": section.paragraphs,
            "tables": section.tables,
            "pictures": {
                said.named("plot", name): base64.b64encode(png).decode()
                for name, png in section.pictures.items()
            },
        }
        for section in sections
    ]
    return _PAGE.render(title=title, sections=encoded, language=language)
