"""The YAML that says what the columns of a table or query mean.

Everything that a mapping of files says about rows, said alike (see
`customer360.sources.files.mapping`), and instead of files::

    table: public.orders                # or query: SELECT ... (joins, casts, what it takes)
    watermark:                          # optional: read what changed, not everything
      column: updated_at                # a time, or a number that only grows
      overlap: 1 day                    # read again so much: transactions that committed late
    key: [id]                           # tells rows apart; unset: order_id, and line_id of lines
    deletes: snapshot                   # optional: compare keys; or {column: deleted_at}, or
                                        # {column: state, equals: [gone]}
    partition_by: id                    # optional: slices of it are read side by side
    partitions: 4                       # how many

The server knows the columns' types, so no format is stated; a time or number kept as text is cast
in ``query``. Columns that the mapping does not name are not read. Two mappings, or a mapping and
another source, may have one ``name`` in different deployments: the name is part of the customer
keys, so the same data read from files and from a database has the same customers.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, Field, field_validator, model_validator

from customer360.sources import mapping as shared
from customer360.sources.mapping import RowMapping, Strict, Texts


class Watermark(Strict):
    """The column that grows whenever a row is added or changed."""

    column: str = Field(
        description="A time or number that grows with every change.", examples=["updated_at"]
    )
    overlap: int | str | None = Field(
        None,
        description="Read again so much, for transactions that commit late: a number, or an "
        "interval. Unset: 1 day, or 1000 of a number.",
        examples=["2 hours"],
    )


class SoftDelete(Strict):
    """The column that marks a row as deleted: see `customer360.sources.postgres.deleted`."""

    column: str = Field(description="The column that marks a deleted row.", examples=["deleted_at"])
    equals: Texts | None = Field(
        None, description="The values that mark a row, case aside.", examples=[["gone"]]
    )


class PostgresMapping(RowMapping):
    """One table or query; see the module's docstring."""

    model_config = ConfigDict(protected_namespaces=())

    from_table: str | None = Field(
        None,
        alias="table",
        min_length=1,
        description="The table to read; or `query`.",
        examples=["public.orders"],
    )
    query: str | None = Field(
        None,
        min_length=1,
        description="What to read instead of a table: joins, casts, whatever it takes.",
        examples=["SELECT id, customer, placed_at, total FROM orders JOIN payments USING (id)"],
    )
    watermark: Watermark | None = Field(
        None,
        description="After the first load, only rows whose `column` is at least where it last "
        "stood less `overlap` are read, and rows without one. Unset, every load reads everything.",
        examples=[{"column": "updated_at", "overlap": "1 day"}],
        json_schema_extra={"wrong": "updated_at"},
    )
    key: list[str] = Field(
        default_factory=list,
        description="What tells rows apart; unset: `order_id`, with `line_id` for lines.",
        examples=[["id"]],
        json_schema_extra={"wrong": "id"},
    )
    deletes: Literal["snapshot"] | SoftDelete | None = Field(
        None,
        description="`snapshot`: each load compares keys, and a row that is gone leaves bronze and "
        "silver; or the column that marks deleted rows, which stay in bronze and count no more.",
        examples=[{"column": "state", "equals": ["gone"]}],
        json_schema_extra={"wrong": "deleted_at"},
    )
    partition_by: str | None = Field(
        None,
        description="Column whose ranges are read side by side. A plain table needs none.",
        examples=["id"],
    )
    partitions: int = Field(
        4,
        ge=1,
        le=64,
        description="How many ranges.",
        examples=[8],
        json_schema_extra={"wrong": 100},
    )

    @field_validator("query")
    @classmethod
    def _one_statement(cls, query: str | None) -> str | None:
        return query.strip().rstrip(";").rstrip() if query is not None else None

    @field_validator("deletes", mode="before")
    @classmethod
    def _one_way(cls, deletes: object) -> object:
        if isinstance(deletes, dict) or deletes in (None, "snapshot"):
            return deletes
        raise ValueError(f"{deletes!r} must be snapshot, or the column that marks a deleted row")

    @model_validator(mode="after")
    def _consistent(self) -> PostgresMapping:
        if (self.from_table is None) == (self.query is None):
            raise ValueError("name either a table or a query")
        if self.columns.refunded_at is not None:
            raise ValueError(
                "columns.refunded_at is for files; give refunds rows of their own in the query"
            )
        numbered = self.grain == "orders" or self.columns.line_id is not None
        if not self.key and not numbered and (self.watermark or self.deletes == "snapshot"):
            raise ValueError(
                "watermark and deletes need to tell lines apart: name columns.line_id or a key"
            )
        return self

    @property
    def table(self) -> str:
        """The source's bronze table: never that of files of the same name."""
        return f"{self.name}_postgres_{self.grain}"

    @property
    def place(self) -> str:
        """What is read, as people call it."""
        return self.from_table or "the query"

    @property
    def key_columns(self) -> tuple[str, ...]:
        """Columns that tell rows apart; none where nothing needs them."""
        if self.key:
            return tuple(self.key)
        if self.watermark is None and self.deletes != "snapshot":
            return ()
        line = (self.columns.line_id,) if self.columns.line_id else ()
        return tuple(dict.fromkeys((*self.columns.headers("order_id"), *line)))

    @property
    def deleted_column(self) -> str | None:
        """The column that marks deleted rows."""
        return self.deletes.column if isinstance(self.deletes, SoftDelete) else None

    def stated_columns(self) -> list[str]:
        """The columns that bronze keeps, each once: also those that guide the reading."""
        guiding = [*self.key_columns]
        if self.watermark is not None:
            guiding.append(self.watermark.column)
        if self.deleted_column is not None:
            guiding.append(self.deleted_column)
        return list(dict.fromkeys((*super().stated_columns(), *guiding)))


def shipped_mappings() -> tuple[str, ...]:
    """Names of the mappings that ship with the package."""
    return shared.shipped(__package__)


def load_mapping(name: str | Path) -> PostgresMapping:
    """The mapping in a YAML file, or one of `shipped_mappings` by its name.

    Raises:
        SettingsError: There is no such file, or what is in it is wrong; one line says where.
    """
    return shared.load(PostgresMapping, __package__, name)


def parse_mapping(text: str, *, where: str) -> PostgresMapping:
    """The mapping in YAML ``text``; ``where`` names it in errors.

    Raises:
        SettingsError: It is not YAML, or says something wrong.
    """
    return shared.parse(PostgresMapping, text, where=where)
