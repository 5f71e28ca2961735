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
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
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
"""In the root of a lakehouse: the home that writes it, and the token of its last claim."""

HOME_ID = "lakehouse-home.json"
"""In the home: by what its lakehouse knows it, and the tokens of its claims. No backup has it: a
home that is restored is another one."""

FIRST_CLAIM_SECONDS = 2.0
"""How long a home that has found no note waits for the note of another that found none either."""

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


def claim(root: str, home: Path, *, pause: Callable[[float], object] = time.sleep) -> None:
    """Let ``home`` be the one that writes the lakehouse at ``root``.

    Delta's commits by Spark on S3 are safe from one driver at a time, and the lock of a home knows
    of no other home: a second one would overwrite commits. So whoever writes leaves its name, and
    any other is refused. A copy of a home has its name too. So each claim leaves a new token, and
    of two copies the one is refused whose home has not the token that the other has left.

    Args:
        root: URI of the lakehouse.
        home: The deployment's folder; the caller holds it.
        pause: Waits for so many seconds.

    Raises:
        HomeBusyError: Another home writes there, or another copy of this one.
        EnvironmentError360: The store cannot be reached, or what lies there, or in the home, is
            no note of a home.
    """
    from pyarrow import fs

    note = f"{root}/{OWNER}"
    kept = _Kept.of(home / HOME_ID)
    with reaching(root):
        system, path = filesystem(root)
        there = f"{path}/{OWNER}"

        def read() -> _Note:
            with system.open_input_stream(there) as stream:
                return _Note.of(stream.read(), note)

        is_first = system.get_file_info(there).type == fs.FileType.NotFound
        former = None if is_first else read()
        if former is not None:
            _refuse_other(former, kept, root)
        ours = _Note(
            id=kept.id,
            home=str(home.absolute()),
            host=socket.gethostname(),
            last=datetime.now(UTC).isoformat(timespec="seconds"),
            token=uuid.uuid4().hex,
        )
        # First in the home, beside what the note says until it is written: whenever a crash comes,
        # the home knows the token that stands there.
        kept = kept.with_token(root, ours.token, None if former is None else former.token)
        write_whole(home / HOME_ID, json.dumps(asdict(kept)))
        with system.open_output_stream(there) as stream:
            stream.write(json.dumps(asdict(ours)).encode())
        if is_first:
            # Who looked before this was written has then written, too, unless it was held up for
            # longer: of the two the later note stands, and both read it.
            pause(FIRST_CLAIM_SECONDS)
        _refuse_other(read(), kept, root)


def _refuse_other(owner: _Note, kept: _Kept, root: str) -> None:
    """Raise where the note at ``root`` is of another home than ``kept``, or of a copy of it."""
    note, who = f"{root}/{OWNER}", f"{owner.home} on {owner.host}, last at {owner.last}"
    if owner.id != kept.id:
        raise HomeBusyError(
            f"{root} is written by another home, {who}, and two would overwrite each other's "
            "commits: give this one a prefix of its own, or, if that home is gone, delete "
            f"{note}"
        )
    if not kept.knows(owner.token):
        raise HomeBusyError(
            f"{root} is written by another copy of this home, {who}, and two would overwrite each "
            "other's commits: go on with that one, or, if it is gone for good or this one was set "
            f"back to an earlier time, delete {note}"
        )


@dataclass(frozen=True)
class _Note:
    """What stands in a lakehouse: who writes it, from where, and by which claim."""

    id: str
    home: str
    host: str
    last: str
    token: str

    @classmethod
    def of(cls, text: bytes, where: str) -> _Note:
        """The note that lies at ``where``.

        Raises:
            EnvironmentError360: It is none.
        """
        try:
            note = cls(**json.loads(text))
            if all(isinstance(value, str) for value in asdict(note).values()):
                return note
        except (ValueError, TypeError):
            pass
        raise EnvironmentError360(
            f"{where} is no note of a home; delete it if no other home writes there"
        )


@dataclass(frozen=True)
class _Kept:
    """What a home knows itself by.

    Attributes:
        id: The home's, and of every copy.
        tokens: For each lakehouse that it wrote, those that the note there can have: the last that
            was seen in it, and those written since.
    """

    id: str
    tokens: Mapping[str, Sequence[str]]

    @classmethod
    def of(cls, file: Path) -> _Kept:
        """What ``file`` says; of a home that never wrote to a store, a new one.

        Raises:
            EnvironmentError360: It says nothing that can be understood.
        """
        if not file.exists():
            return cls(uuid.uuid4().hex, {})
        try:
            said = json.loads(file.read_bytes())
            if isinstance(said["id"], str) and isinstance(said["tokens"], dict):
                return cls(**said)
        except (ValueError, TypeError, KeyError):
            pass
        raise EnvironmentError360(
            f"{file} does not say by what a lakehouse knows this home: delete it, and the home is "
            "another one to its lakehouse"
        )

    def knows(self, token: str) -> bool:
        """Whether it was this home that left ``token``, or the home that it is a copy of before."""
        return any(token in tokens for tokens in self.tokens.values())

    def with_token(self, root: str, token: str, former: str | None) -> _Kept:
        """This with ``token`` for ``root``, where ``former`` stands until now, or no note does."""
        known = self.tokens.get(root, ()) if former is None else (former,)
        return _Kept(self.id, {**self.tokens, root: (*known, token)})
