"""What Dagster shows of a table: its contract as metadata, its commits as figures."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import dagster as dg

from customer360.contracts import Contract
from customer360.orchestration.partitions import AS_OF_PARTITIONS
from customer360.table_names import AS_OF

if TYPE_CHECKING:
    from customer360.lakehouse.delta_log import Commit

KINDS = {"bronze": "bronze", "silver": "silver", "gold": "gold", "quarantine": "bronze"}


def asset_key(table: str) -> dg.AssetKey:
    """``layer/table`` as Dagster's key."""
    return dg.AssetKey(table.split("/"))


def asset_name(step: str) -> str:
    """``layer/table`` of the step that makes it."""
    return step.replace("__", "/")


def column_schema(contract: Contract) -> dg.TableSchema:
    """The contract's columns as Dagster shows them."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=column.name,
                type=column.physical_type,
                description=column.description + (f" Unit: {column.unit}." if column.unit else ""),
                constraints=dg.TableColumnConstraints(
                    nullable=not column.required, unique=column.unique
                ),
                tags={"classification": column.classification} if column.classification else {},
            )
            for column in contract.columns
        ]
    )


def as_of_deps(names: Sequence[str]) -> list[dg.AssetDep]:
    """Dependencies of what is made as of a date: on snapshots of that date, on all of the others.

    All days of silver, because a snapshot looks back at everything; all dates of a model, because
    what scores is the champion, whenever it was trained.
    """
    return [
        dg.AssetDep(
            asset_key(name),
            partition_mapping=dg.IdentityPartitionMapping()
            if is_snapshot(name)
            else dg.AllPartitionMapping(),
        )
        for name in names
    ]


def is_snapshot(name: str) -> bool:
    """Whether what is named so is a table made as of a date."""
    return name.startswith("gold/") and Contract.load(name).partition_by == AS_OF


def is_of_days(name: str) -> bool:
    """Whether what is named so is a table of the business's days in silver."""
    return name.startswith("silver/") and Contract.load(name).partition_by == "business_date"


def table_spec(
    contract: Contract,
    *,
    partitions: dg.PartitionsDefinition,
    deps: Sequence[str] = (),
    skippable: bool = False,
) -> dg.AssetSpec:
    """The asset of the contract's table: key, owner, kinds, tags, description, schema.

    ``skippable`` is for a table that is made together with another and may be left unselected.
    """
    personal = any(column.is_personal for column in contract.columns)
    as_of = partitions == AS_OF_PARTITIONS
    return dg.AssetSpec(
        key=asset_key(contract.table),
        deps=as_of_deps(deps) if as_of else [dg.AssetDep(asset_key(table)) for table in deps],
        group_name=contract.layer,
        owners=[f"team:{contract.owner}"],
        kinds={"spark", "deltalake", KINDS[contract.layer]},
        tags={"layer": contract.layer, "personal_data": "yes" if personal else "no"},
        description=contract.description,
        metadata={
            "dagster/table_name": contract.table,
            "dagster/column_schema": column_schema(contract),
        },
        partitions_def=partitions,
        skippable=skippable,
    )


def selected(
    context: dg.AssetExecutionContext, results: Iterable[dg.MaterializeResult[None]]
) -> Iterator[dg.MaterializeResult[None]]:
    """Those of ``results`` that the run asked for; Dagster refuses to hear of the others."""
    for result in results:
        if result.asset_key in context.selected_asset_keys:
            checks = [
                check
                for check in result.check_results or ()
                if any(
                    key.name == check.check_name and key.asset_key == result.asset_key
                    for key in context.selected_asset_check_keys
                )
            ]
            yield result._replace(check_results=checks)


def commit_metadata(written: Commit, **more: Any) -> dict[str, Any]:
    """A commit's figures."""
    return {
        "dagster/row_count": written.rows,
        "delta_version": written.version,
        "files_written": written.files,
        "bytes_written": written.bytes,
        **more,
    }


def count_table(counts: Mapping[str, int], label: str) -> dg.MarkdownMetadataValue:
    """Counts by name as a small Markdown table."""
    if not counts:
        return dg.MetadataValue.md("none")
    lines = [f"| {label} | rows |", "|---|---:|"]
    lines += [f"| {name} | {count:,} |" for name, count in counts.items()]
    return dg.MetadataValue.md("\n".join(lines))


def day_list(days: Sequence[date]) -> str:
    """Days in few words."""
    if not days:
        return "none"
    if (days[-1] - days[0]).days + 1 == len(days):
        return str(days[0]) if len(days) == 1 else f"{days[0]}...{days[-1]}"
    return ", ".join(str(day) for day in days)
