"""From the names in the settings to sources."""

from __future__ import annotations

from pathlib import Path

from customer360.errors import SettingsError
from customer360.settings import Settings
from customer360.sources.base import Source
from customer360.table_names import FORGOTTEN

NAMES = ("synthetic", "cdnow", "olist", "files", "postgres")


def active_sources(settings: Settings) -> list[Source]:
    """The sources that ``settings.sources`` names, in that order; nothing is read yet.

    Raises:
        SettingsError: A name is unknown, none is given, or a source lacks its path or mapping.
    """
    if not settings.sources:
        raise SettingsError(f"setting sources is empty: name one or more of {', '.join(NAMES)}")
    return [source for name in settings.sources for source in _sources_of(name, settings)]


def _sources_of(name: str, settings: Settings) -> list[Source]:
    # Only what is active is loaded: the others have needs of their own, and each takes a while.
    if name == "synthetic":
        from customer360.sources.synthetic.source import SyntheticSource

        return [SyntheticSource(settings.raw_dir / "synthetic")]
    if name == "cdnow":
        from customer360.sources.cdnow import CdnowSource

        return [CdnowSource(settings.cdnow_dataset)]
    if name == "olist":
        from customer360.sources.olist import OlistSource

        if settings.olist_path is None:
            raise SettingsError(
                "source olist: no path; give --path FOLDER-OR-ZIP or set CUSTOMER360_OLIST_PATH"
            )
        return [OlistSource(settings.olist_path, cache=_copies(settings, "olist"))]
    if name == "files":
        from customer360.sources.files import FilesSource, load_mapping

        if not settings.files_mapping:
            raise SettingsError(
                "source files: no mapping; give --mapping YAML or set CUSTOMER360_FILES_MAPPING"
            )
        mappings = [load_mapping(name) for name in settings.files_mapping]
        # One path for several mappings would give each the others' files.
        alone = len(mappings) == 1
        return [
            FilesSource(
                m,
                settings.files_path if alone or m.path is None else m.path,
                cache=_copies(settings, "files"),
            )
            for m in mappings
        ]
    if name == "postgres":
        from customer360.sources.postgres import PostgresSource
        from customer360.sources.postgres import load_mapping as load_postgres_mapping
        from customer360.sources.postgres.database import Database

        if settings.postgres_url is None:
            raise SettingsError(
                "source postgres: no database; set CUSTOMER360_POSTGRES_URL to "
                "postgresql://user@host/database"
            )
        if not settings.postgres_mapping:
            raise SettingsError(
                "source postgres: no mapping; give --mapping YAML or set "
                "CUSTOMER360_POSTGRES_MAPPING"
            )
        database = Database.of_url(settings.postgres_url.get_secret_value())
        return [
            PostgresSource(load_postgres_mapping(mapping), database)
            for mapping in settings.postgres_mapping
        ]
    raise SettingsError(f"source {name!r} is unknown; choose from {', '.join(NAMES)}")


def _copies(settings: Settings, name: str) -> Path | None:
    """Where copies lie of files that cannot be read as they are; None is for as long as a process.

    Such a copy would bring into the home who is forgotten, and whom the file still holds.
    """
    return None if settings.has_table(FORGOTTEN) else settings.raw_dir / name
