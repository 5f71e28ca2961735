"""How delta-rs, Arrow and Spark reach an object store, and whose lakehouse it is.

Where it is and who asks comes from the environment, by the names that AWS's own tools use:
``AWS_ENDPOINT_URL_S3`` or ``AWS_ENDPOINT_URL`` for a store that is not Amazon's, ``AWS_REGION``;
keys are never looked at here: each of the three finds them by itself, in ``AWS_ACCESS_KEY_ID`` and
its like, in the profile (``AWS_PROFILE``), or in the role of the machine or pod. Google's and
Azure's stores are reached by their libraries' own names of variables.
"""

from __future__ import annotations

import json
import os
import re
import socket
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from customer360.errors import EnvironmentError360, shortened
from customer360.home_lock import HomeBusyError
from customer360.lakehouse_uri import S3
from customer360.redaction import without_credentials
from customer360.settings import write_whole

if TYPE_CHECKING:
    from pyarrow.fs import FileSystem

S3A_CREDENTIALS = "spark.hadoop.fs.s3a.aws.credentials.provider"
"""A session that has this property needs the jars of S3A."""

OWNER = "customer360-home.json"
"""In the root of a lakehouse: the home that writes it."""

HOME_ID = "lakehouse-home.json"
"""In the home: by what its lakehouse knows it. No backup has it: a copy is another home."""

_ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL")
_REGIONS = ("AWS_REGION", "AWS_DEFAULT_REGION")
# Stores that are not Amazon's have no regions, and want one named.
_ANY_REGION = "us-east-1"

_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
_LONG = 300


def is_object_store(root: str) -> bool:
    """Whether ``root`` is a URI and not a folder."""
    return "://" in root


def _is_s3(root: str) -> bool:
    return urlsplit(root).scheme in (S3, "s3")


def _first(names: tuple[str, ...], environ: Mapping[str, str]) -> str | None:
    return next((environ[name] for name in names if environ.get(name)), None)


def _place(environ: Mapping[str, str] | None) -> tuple[str | None, str | None]:
    """The endpoint of S3 and its region, where they are stated."""
    environ = os.environ if environ is None else environ
    endpoint = _first(_ENDPOINTS, environ)
    return endpoint, _first(_REGIONS, environ) or (_ANY_REGION if endpoint else None)


def storage_options(root: str, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """What delta-rs must be told of ``root``, beside what it finds in the environment.

    Args:
        root: Folder or URI of the lakehouse.
        environ: Environment variables; None: this process's.
    """
    if not _is_s3(root):
        return {}
    endpoint, region = _place(environ)
    options = {"endpoint_url": endpoint, "region": region}
    if endpoint:
        # Else it looks for keys in profiles and roles only where the store is Amazon's.
        options["AWS_FORCE_CREDENTIAL_LOAD"] = "true"
        options["allow_http"] = str(urlsplit(endpoint).scheme == "http").lower()
    return {name: value for name, value in options.items() if value}


def s3a_config(root: str, environ: Mapping[str, str] | None = None) -> dict[str, str]:
    """What Spark must be told of ``root``, as ``spark.*`` properties; arguments as above."""
    if not _is_s3(root):
        return {}
    endpoint, region = _place(environ)
    # Hadoop's own chain knows no profiles and no roles of pods; that of AWS's library does.
    config = {S3A_CREDENTIALS: "software.amazon.awssdk.auth.credentials.DefaultCredentialsProvider"}
    if endpoint:
        config |= {
            "spark.hadoop.fs.s3a.endpoint": endpoint,
            "spark.hadoop.fs.s3a.path.style.access": "true",
            "spark.hadoop.fs.s3a.connection.ssl.enabled": str(
                urlsplit(endpoint).scheme != "http"
            ).lower(),
        }
    if region:
        config["spark.hadoop.fs.s3a.endpoint.region"] = region
    return config


def filesystem(root: str, environ: Mapping[str, str] | None = None) -> tuple[FileSystem, str]:
    """Arrow's file system of ``root``, and what it calls ``root``; arguments as above."""
    from pyarrow import fs

    if not is_object_store(root):
        return fs.LocalFileSystem(), str(Path(root).resolve())
    if not _is_s3(root):
        system, path = fs.FileSystem.from_uri(root)
        return system, str(path)
    endpoint, region = _place(environ)
    parts = urlsplit(root)
    stated = urlsplit(endpoint or "")
    system = fs.S3FileSystem(
        endpoint_override=stated.netloc or None, scheme=stated.scheme or None, region=region
    )
    return system, f"{parts.netloc}{parts.path}".rstrip("/")


@contextmanager
def reaching(root: str) -> Iterator[None]:
    """Say of a store that cannot be reached or denies what is asked, in one line, which it is.

    Raises:
        EnvironmentError360: Whatever an object store answers with an error.
    """
    try:
        yield
    except OSError as error:  # Arrow's and delta-rs's errors of input and output are such
        if not is_object_store(root):
            raise
        place, where = (
            ("bucket", "AWS_ENDPOINT_URL and AWS_REGION are right, and the environment or profile")
            if _is_s3(root)
            else ("bucket or container", "the environment")
        )
        raise EnvironmentError360(
            f"{root} cannot be reached: {_said(error)}; see whether the {place} is there, and "
            f"{where} has credentials that may read and write it"
        ) from error


def _said(error: OSError) -> str:
    """What an error says, in one line: delta-rs draws a tree of causes, in colours."""
    causes = (line.strip(" \u21b3") for line in _COLOURS.sub("", str(error)).splitlines())
    return shortened(without_credentials(": ".join(filter(None, causes))), _LONG)


def require_bucket(system: FileSystem, path: str) -> None:
    """Nothing, where the bucket or container of ``path`` is there; a prefix may be empty.

    Raises:
        FileNotFoundError: It is not there.
    """
    from pyarrow import fs

    bucket = path.partition("/")[0]
    if system.get_file_info(bucket).type == fs.FileType.NotFound:
        raise FileNotFoundError(f"there is no bucket {bucket}")


def claim(root: str, home: Path) -> None:
    """Let ``home`` be the one that writes the lakehouse at ``root``.

    Delta's commits by Spark on S3 are safe from one driver at a time, and the lock of a home knows
    of no other home: a second one would overwrite commits. So the first that writes leaves its
    name, and any other is refused.

    Args:
        root: URI of the lakehouse.
        home: The deployment's folder; the caller holds it.

    Raises:
        HomeBusyError: Another home writes there.
        EnvironmentError360: The store cannot be reached.
    """
    from pyarrow import fs

    kept = home / HOME_ID
    if not kept.exists():
        ours = {
            "id": uuid.uuid4().hex,
            "home": str(home.absolute()),
            "host": socket.gethostname(),
            "since": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        write_whole(kept, json.dumps(ours))
    ours = json.loads(kept.read_text(encoding="utf-8"))
    with reaching(root):
        system, path = filesystem(root)
        note = f"{path}/{OWNER}"
        if system.get_file_info(note).type == fs.FileType.NotFound:
            with system.open_output_stream(note) as stream:
                stream.write(json.dumps(ours).encode())
        # Read again also after writing: of two that came at once, the later one stands.
        with system.open_input_stream(note) as stream:
            owner = json.loads(stream.read())
    if owner["id"] != ours["id"]:
        raise HomeBusyError(
            f"{root} is written by another home, {owner['home']} on {owner['host']} since "
            f"{owner['since']}, and two would overwrite each other's commits: give this one a "
            f"prefix of its own, or, if that home is gone, delete {root}/{OWNER}"
        )
