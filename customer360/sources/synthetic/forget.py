"""Taking customers out of a data set that was made: out of its raw files and of the truth."""

from __future__ import annotations

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from customer360.modes import rewritten
from customer360.sources.synthetic.generator import COMPRESSION

RowOfNobody = Callable[[dict[str, Any]], dict[str, Any]]
"""What stands in place of a row of theirs."""

_OWN, _ROW_ID = "customer_id", "row_id"


def forget_customers(
    folder: Path,
    customers: Collection[str],
    *,
    of_customer: RowOfNobody,
    of_transaction: RowOfNobody,
) -> int:
    """Put rows of nobody in place of those of ``customers``; how many they were.

    Rows stay where they are in their files, because the truth names defective ones by their place.

    Args:
        folder: The data set.
        customers: Their ids.
        of_customer: What becomes of a row of their profile.
        of_transaction: What becomes of an order or refund of theirs.
    """
    ids = pa.array(sorted(customers), pa.string())
    count = 0
    names: set[str] = set(customers)
    for part, nobody in (("customers", of_customer), ("transactions", of_transaction)):
        for file in sorted((folder / part).rglob("*.parquet")):
            table = pq.read_table(file)
            theirs = pc.fill_null(pc.is_in(pc.utf8_trim_whitespace(table[_OWN]), ids), False)
            number = int(pc.sum(theirs).as_py() or 0)
            if not number:
                continue
            rows = table.to_pylist()
            for place in pc.indices_nonzero(theirs).to_pylist():
                names.add(rows[place].get("order_id") or "")
                rows[place] = nobody(rows[place])
            with rewritten(file) as beside:
                pq.write_table(
                    pa.Table.from_pylist(rows, schema=table.schema), beside, **COMPRESSION
                )
            count += number
    for file in (folder / "truth" / "customers.parquet", folder / "truth" / "rows.parquet"):
        if file.exists():
            table = pq.read_table(file)
            own = table[_OWN if _OWN in table.column_names else _ROW_ID]
            known = pa.array(sorted(names - {""}), pa.string())
            stays = pc.invert(pc.fill_null(pc.is_in(own, known), False))
            if not pc.all(stays).as_py():
                with rewritten(file) as beside:
                    pq.write_table(table.filter(stays), beside, **COMPRESSION)
    return count
