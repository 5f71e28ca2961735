"""An S3 of the tests' own: moto's server, a process on this machine alone."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3

from customer360_tests.browser.lineage import free_port
from customer360_tests.sockets import wait_for_port

BUCKET = "shop"


@dataclass(frozen=True)
class ObjectStore:
    """A server with one bucket, and what a process must have in its environment to use it."""

    endpoint: str
    log: Path
    pid: int

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": "of-the-tests",
            "AWS_SECRET_ACCESS_KEY": "known-to-the-tests",
            "AWS_REGION": "us-east-1",
            # What is not found in the environment is not sought on the network.
            "AWS_EC2_METADATA_DISABLED": "true",
        }

    @property
    def client(self) -> Any:
        return boto3.client(
            "s3",
            endpoint_url=self.endpoint,
            region_name="us-east-1",
            aws_access_key_id="of-the-tests",
            aws_secret_access_key="known-to-the-tests",
        )

    def uri(self, prefix: str) -> str:
        return f"s3a://{BUCKET}/{prefix}"

    def keys(self, prefix: str) -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return [each["Key"] for page in pages for each in page.get("Contents", ())]

    def content(self, prefix: str) -> bytes:
        """The bytes of all objects below ``prefix``."""
        got = (self.client.get_object(Bucket=BUCKET, Key=key) for key in self.keys(prefix))
        return b"".join(each["Body"].read() for each in got)

    def requests(self) -> int:
        """How many the server has answered."""
        return self.log.read_text().count(" HTTP/1.1")

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """It takes connections and does not answer, within."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)


@contextmanager
def object_store(folder: Path) -> Iterator[ObjectStore]:
    """A server that ends with the block; its log is in ``folder``."""
    port = free_port()
    log = folder / "object_store.log"
    with log.open("w") as stream:
        server = subprocess.Popen(
            [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
            stdout=stream,
            stderr=subprocess.STDOUT,
        )
    try:
        wait_for_port(port, server, log, seconds=60)
        store = ObjectStore(f"http://127.0.0.1:{port}", log, server.pid)
        store.client.create_bucket(Bucket=BUCKET)
        yield store
    finally:
        server.terminate()
        server.wait()
