"""YAML that people write: mappings, and a deployment's settings.

It is read safely, and what no person writes is refused in one line: values within values beyond
measure, and anchors that repeat each other until no memory would hold them.
"""

from __future__ import annotations

from typing import Any

import yaml

MOST_VALUES = 100_000
"""Values of a text with its anchors written out; thousands of products to leave out are fewer."""


class UnreadableYamlError(ValueError):
    """A text that cannot be used; its message is part of a line, and says where."""


class _EachKeyOnce(yaml.SafeLoader):
    """Refuses a key that stands twice among others: YAML would silently take the last."""

    def compose_mapping_node(self, anchor: Any) -> yaml.MappingNode:
        node: yaml.MappingNode = super().compose_mapping_node(anchor)
        lines: dict[tuple[str, str], int] = {}
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            name = (key.tag, key.value)
            if name in lines:
                problem = f"the key {key.value} stands there twice, first at line {lines[name]}"
                raise yaml.composer.ComposerError(None, None, problem, key.start_mark)
            lines[name] = key.start_mark.line + 1
        return node


def read_yaml(text: str) -> object:
    """What a YAML text holds.

    Raises:
        UnreadableYamlError: It is not YAML, nested beyond measure, or repeats itself so.
    """
    try:
        data = yaml.load(text, Loader=_EachKeyOnce)  # noqa: S506 - a SafeLoader
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise UnreadableYamlError(
            f"is not YAML at line {line}: holds the character {error.character:#04x}, which is "
            "none of a text"
        ) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        at = f" at line {mark.line + 1}" if mark else ""
        problem = " ".join(str(getattr(error, "problem", None) or "cannot be parsed").split())
        if problem.startswith("but "):
            problem = f"{getattr(error, 'context', '')}, {problem}"
        if "'\\t'" in problem:
            problem += ": indent with blanks"
        raise UnreadableYamlError(f"is not YAML{at}: {problem}") from None
    except RecursionError:
        raise UnreadableYamlError("has values within values beyond all measure") from None
    if _written_out(data, {}) > MOST_VALUES:
        raise UnreadableYamlError(
            f"comes to more than {MOST_VALUES:,} values where its anchors (&name, *name) are "
            "written out: write what is meant without them"
        )
    return data


def _written_out(value: object, known: dict[int, float]) -> float:
    """How many values there are in ``value``, one that an anchor repeats counted each time.

    Args:
        value: As YAML gives it: what is repeated is one object.
        known: What was counted before, by the object; infinite for one that holds itself.
    """
    if isinstance(value, dict):
        parts = [*value, *value.values()]
    elif isinstance(value, list | set | tuple):
        parts = list(value)
    else:
        return 1
    if id(value) not in known:
        known[id(value)] = float("inf")
        known[id(value)] = 1 + sum(_written_out(part, known) for part in parts)
    return known[id(value)]
