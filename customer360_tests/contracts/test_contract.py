from __future__ import annotations

import datetime

import pytest

from customer360.contracts import Column, Contract, ContractError
from customer360.contracts.contract import BOOKKEEPING

YAML = """
apiVersion: v3.2.0
kind: DataContract
id: bronze-shop-orders
version: 1.0.0
team: {name: data-engineering}
schema:
  - name: shop_orders
    physicalName: bronze/shop_orders
    description: Orders of the shop.
    dataGranularityDescription: one order
    customProperties:
      - {property: delivery, value: daily}
      - {property: eventTime, value: ordered_at}
      - {property: indexedColumns, value: [_event_date]}
    quality:
      - {type: text, description: Sent again when it changes.}
    properties:
      - name: order_id
        logicalType: string
        physicalType: string
        required: true
        unique: true
        primaryKey: true
        primaryKeyPosition: 2
        description: The shop's number.
        logicalTypeOptions: {minLength: 2, maxLength: 8, pattern: "^A"}
      - name: ordered_at
        logicalType: timestamp
        physicalType: string
        primaryKey: true
        primaryKeyPosition: 1
        description: When.
        logicalTypeOptions: {format: "yyyy-MM-dd HH:mm:ss", minimum: 2010-01-01}
      - name: amount
        logicalType: number
        physicalType: string
        description: What was paid.
        logicalTypeOptions: {exclusiveMinimum: 0, maximum: 10.5}
        customProperties:
          - {property: unit, value: BRL}
      - name: email
        logicalType: string
        physicalType: string
        classification: personal
        description: E-mail address.
        relationships:
          - {to: silver.customers.email}
      - name: kind
        logicalType: string
        physicalType: string
        description: What it is.
        enum:
          - {value: sale, description: Goods were sold.}
          - {value: refund}
"""


def shop(changed: str = "", to: str = "") -> Contract:
    assert changed in YAML
    return Contract.from_yaml(YAML.replace(changed, to) if changed else YAML, where="shop.yaml")


def test_everything_a_contract_states_is_read():
    contract = shop()
    assert (contract.table, contract.layer, contract.name) == (
        "bronze/shop_orders",
        "bronze",
        "shop_orders",
    )
    assert contract.description == "Orders of the shop."
    assert contract.owner == "data-engineering"
    assert contract.grain == "one order"
    assert contract.notes == ("Sent again when it changes.",)
    assert contract.primary_key == ("ordered_at", "order_id")
    assert (contract.delivery, contract.event_time) == ("daily", "ordered_at")
    assert contract.indexed_columns == ("_event_date",)
    assert contract.personal_columns == ("email",)
    assert contract.column("order_id") == Column(
        "order_id",
        required=True,
        unique=True,
        description="The shop's number.",
        min_length=2,
        max_length=8,
        pattern="^A",
    )
    assert contract.column("ordered_at").bounds == {"minimum": "2010-01-01"}
    assert contract.column("amount").bounds == {"exclusive_minimum": 0, "maximum": 10.5}
    assert contract.column("amount").unit == "BRL"
    assert contract.column("email").references == "silver.customers.email"
    assert contract.column("kind").allowed_values == ("sale", "refund")
    assert contract.column("kind").meanings == {"sale": "Goods were sold."}


def test_a_daily_delivery_is_partitioned_by_its_day_and_an_extract_is_not():
    assert shop().partition_by == "_delivered_on"
    assert shop("value: daily", "value: extract").partition_by is None


def test_a_bronze_table_is_stored_with_bookkeeping_and_others_are_not():
    names = tuple(column.name for column in shop().stored_columns)
    assert names == (*shop().column_names, *(column.name for column in BOOKKEEPING))
    silver = Contract.load("silver/transactions")
    assert tuple(column.name for column in silver.stored_columns) == silver.column_names


@pytest.mark.parametrize(
    ("changed", "to", "message"),
    [
        ("required: true", "requred: true", "schema.shop_orders.properties.order_id.requred"),
        ("required: true", "required: perhaps", "schema.shop_orders.properties.order_id.required"),
        ("logicalType: number", "logicalType: money", "shop_orders.amount.logicalType"),
        ("maxLength: 8", "maxlength: 8", "order_id.logicalTypeOptions.maxlength"),
        ("maximum: 10.5", "maximum: plenty", "shop_orders.amount maximum 'plenty'"),
        ("exclusiveMinimum: 0", "multipleOf: 3", "amount.logicalTypeOptions.multipleOf"),
        ("minimum: 2010-01-01", "minimum: yesterday", "ordered_at minimum 'yesterday'"),
        ('"^A"', '"["', "shop_orders.order_id pattern '['"),
        ("{value: refund}", "{value: no}", "shop_orders.kind allowed value False"),
        ("silver.customers.email", "customers.email", "shop_orders.email.relationships.0.to"),
        ("eventTime, value: ordered_at", "eventTime, value: when", "eventTime names 'when'"),
        ("eventTime, value: ordered_at", "eventTime, value: kind", "eventTime 'kind'"),
        ("value: [_event_date]", "value: [nope]", "indexedColumns names 'nope'"),
        ("[_event_date]", "[_delivered_on]", "indexedColumns names the partition column"),
        ("value: daily", "value: hourly", "delivery is 'hourly'"),
        ("{property: delivery, value: daily}", "{property: x}", "must state the custom property"),
        ("name: email", "name: kind", "states column kind more than once"),
        ("name: email", "name: _email", "column _email"),
        ("bronze/shop_orders", "brass/shop_orders", "layer/table"),
        ("team: {name: data-engineering}", "", "team.name"),
        ("    description: Orders of the shop.\n", "", "schema.shop_orders.description"),
        ("kind: DataContract", "kind: Contract", "kind is 'Contract'"),
        ("apiVersion: v3.2.0", "apiVersion: v2.2.2", "apiVersion is 'v2.2.2'"),
        ("type: text", "type: sql", "schema.shop_orders.quality.0"),
        ("schema:", "schema: [", "is not YAML at line"),
        (YAML, "- a list", "is not a mapping"),
    ],
)
def test_a_broken_contract_is_refused_in_one_line_that_names_file_and_property(
    changed, to, message
):
    with pytest.raises(ContractError) as caught:
        shop(changed, to)
    text = str(caught.value)
    assert text.startswith("contract shop.yaml: ")
    assert message in text
    assert "\n" not in text


def test_the_allowed_values_of_a_library_quality_rule_are_read():
    contract = shop(
        "        enum:\n          - {value: sale, description: Goods were sold.}\n"
        "          - {value: refund}\n",
        "        quality:\n          - {metric: invalidValues, mustBe: 0,"
        " arguments: {validValues: [a, b]}}\n",
    )
    assert contract.column("kind").allowed_values == ("a", "b")


def test_a_file_of_the_users_own_is_read_and_named_in_errors(tmp_path):
    path = tmp_path / "mine.odcs.yaml"
    path.write_text(YAML)
    assert Contract.from_path(path) == shop()
    assert Contract.from_path(path, "bronze/files_orders").table == "bronze/files_orders"
    path.write_text("kind: [")
    with pytest.raises(ContractError, match=r"mine\.odcs\.yaml: is not YAML"):
        Contract.from_path(path)
    with pytest.raises(ContractError, match=r"absent\.yaml: cannot be read"):
        Contract.from_path(tmp_path / "absent.yaml")


def test_a_contract_can_be_made_from_columns():
    contract = Contract.from_columns(
        "bronze/files_sales",
        [Column("at", "date", format="dd/MM/yyyy"), Column("Unit price", "number")],
        description="Sales.",
        event_time="at",
        delivery="extract",
        indexed_columns=["_event_date"],
        primary_key=["at"],
        grain="one sale",
    )
    assert contract.column_names == ("at", "Unit price")
    assert contract.event_time == "at"
    assert contract.indexed_columns == ("_event_date",)
    assert contract.partition_by is None
    assert contract.owner == "data-engineering"


@pytest.mark.parametrize(
    ("stated", "message"),
    [
        ({"logical_type": "text"}, "logicalType is 'text'"),
        ({"minimum": 1}, "a string has no minimum"),
        ({"logical_type": "boolean", "maximum": 1}, "a boolean has no minimum or maximum"),
        ({"logical_type": "number", "max_length": 1}, "a number has no pattern"),
        ({"logical_type": "number", "format": "f32"}, "a number has no format"),
        ({"logical_type": "integer", "format": "u8"}, "format is 'u8'"),
        ({"format": "password"}, "format is 'password'"),
        ({"logical_type": "integer", "physical_type": "double"}, "does not hold"),
        ({"logical_type": "integer", "allowed_values": ("1",)}, "'1' is not integer"),
        ({"logical_type": "date", "minimum": datetime.date(2020, 1, 1).year}, "in ISO form"),
    ],
)
def test_a_column_refuses_rules_that_do_not_fit_its_type(stated, message):
    with pytest.raises(ContractError, match=message):
        Column("c", **stated)


def test_unknown_tables_and_columns_are_named():
    with pytest.raises(ContractError, match="contract gold/nothing: none ships"):
        Contract.load("gold/nothing")
    with pytest.raises(ContractError, match="a table is named layer/table"):
        Contract.load("../secrets")
    with pytest.raises(ContractError, match="no column 'nope'; it has order_id"):
        shop().column("nope")


def test_every_quarantine_table_has_the_same_shape():
    one, other = Contract.load("quarantine/cdnow_transactions"), Contract.load("quarantine/x")
    assert (one.table, other.table) == ("quarantine/cdnow_transactions", "quarantine/x")
    assert one.columns == other.columns
