"""The check that the suppression list can be read: what needs it waits, and all else goes on."""

from __future__ import annotations

import dagster as dg

LIST_READABLE = "suppression_list_readable"


def suppression_check(asset: dg.AssetKey) -> dg.AssetCheckSpec:
    """The check of an asset that is left as it was where the list cannot be read."""
    return dg.AssetCheckSpec(
        LIST_READABLE,
        asset=asset,
        description="The suppression list can be read; otherwise campaign lists stay as they were.",
    )


def suppression_result(asset: dg.AssetKey, unread: Exception | None = None) -> dg.AssetCheckResult:
    """What the check of ``asset`` says.

    Args:
        asset: Which one.
        unread: The error of the list that could not be read, which names file, row and remedy.
    """
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=LIST_READABLE,
        passed=unread is None,
        description=None if unread is None else str(unread),
    )
