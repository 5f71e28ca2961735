"""The pages: one module each. They lay out; they neither compute nor query.

A page's module has ``render(page)``, ``ICON`` (a name of Material Symbols) and ``PLACE``, by which
the menu is in order. Its name is that of its address and of its texts, which have at least
``title`` and ``about``.
"""

from __future__ import annotations

import pkgutil
from importlib import import_module
from types import ModuleType


def all_views() -> dict[str, ModuleType]:
    """All pages by name, in the order of the menu."""
    names = [module.name for module in pkgutil.iter_modules(__path__)]
    modules = {name: import_module(f"{__name__}.{name}") for name in names}
    return dict(sorted(modules.items(), key=lambda item: item[1].PLACE))
