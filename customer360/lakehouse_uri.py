"""What the setting ``lakehouse_uri`` may be: a place in an object store, and nothing secret."""

from __future__ import annotations

from urllib.parse import urlsplit

S3 = "s3a"
"""S3 as Hadoop calls it."""

_AZURE = "abfss"
_SCHEMES = (S3, "gs", _AZURE)


def object_store_uri(value: str | None) -> str | None:
    """``value`` as the project writes it: S3 as ``s3a``, no slash at its end.

    >>> object_store_uri("s3://shop/lakehouse/")
    's3a://shop/lakehouse'

    Raises:
        ValueError: It is no place in an object store, or there are credentials in it.
    """
    if value is None:
        return None
    parts = urlsplit(value)
    scheme = S3 if parts.scheme == "s3" else parts.scheme
    if scheme not in _SCHEMES:
        raise ValueError(
            "must begin with s3a://, gs:// or abfss://; leave it out for a folder of the home"
        )
    # Azure's container stands before an @; with the others, and in a path, only a key would.
    container, _, host = parts.netloc.rpartition("@")
    at_account = scheme == _AZURE and ":" not in parts.netloc
    if (
        (container and not at_account)
        or ":" in parts.netloc
        or "@" in parts.path
        or parts.query
        or parts.fragment
    ):
        raise ValueError(
            "must have neither keys nor options in it: they come from the environment alone, see "
            "docs/object-store.md"
        )
    if scheme == _AZURE and not (container and host):
        raise ValueError("must be abfss://container@account.dfs.core.windows.net/prefix")
    if not host:
        raise ValueError(f"must name a bucket: {scheme}://bucket/prefix")
    return f"{scheme}://{parts.netloc}{parts.path}".rstrip("/")
