"""Write the list of all packages that are installed with ours, as CycloneDX 1.5.

Python's are those of uv.lock; set-up adds the two jars of Delta, which no Python package brings,
and who keeps the tables in S3 those of S3A.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from customer360.lakehouse.jars import S3A_SHA256, SHA256, coordinates, file_name

ROOT = Path(__file__).parents[1]
FROM_THE_LOCK = ("export", "--frozen", "--no-dev", "--quiet", "--preview-features", "sbom-export")


def jars() -> list[dict[str, Any]]:
    """The jars as components."""
    found = []
    delta = {each: SHA256[file_name(each)] for each in coordinates()}
    for coordinate, sha256 in (delta | S3A_SHA256).items():
        group, name, version = coordinate.split(":")
        address = f"pkg:maven/{group}/{name}@{version}"
        digest = {"alg": "SHA-256", "content": sha256}
        found.append(
            {
                "type": "library",
                "scope": "required" if coordinate in delta else "optional",
                "bom-ref": address,
                "group": group,
                "name": name,
                "version": version,
                "purl": address,
                "hashes": [digest],
            }
        )
    return found


def main() -> int:
    """Write the file that the only argument names."""
    target = Path(sys.argv[1])
    target.parent.mkdir(parents=True, exist_ok=True)
    command = [str(ROOT / "scripts" / "uv"), *FROM_THE_LOCK, "--format", "cyclonedx1.5"]
    done = subprocess.run(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        return done.returncode
    listed = json.loads(done.stdout)
    added = jars()
    listed["components"] += added
    ours = listed["metadata"]["component"]["bom-ref"]
    for each in listed["dependencies"]:
        if each["ref"] == ours:
            each["dependsOn"] = [*each.get("dependsOn", ()), *(jar["bom-ref"] for jar in added)]
    listed["dependencies"] += [{"ref": jar["bom-ref"]} for jar in added]
    target.write_text(json.dumps(listed, indent=2) + "\n", encoding="utf-8")
    sys.stdout.write(f"{target}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
