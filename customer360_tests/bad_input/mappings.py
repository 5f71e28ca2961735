"""Mappings that cannot be read, and mappings that say something wrong."""

from __future__ import annotations

from customer360_tests.bad_input.case import MAPPING, Case, Group
from customer360_tests.bad_input.files import BAKERY, HEADER, ROWS

LAUGHS = (
    "a0: &a0 ["
    + "x," * 9
    + "]\n"
    + "".join(f"a{n}: &a{n} [{f'*a{n - 1},' * 9}]\n" for n in range(1, 12))
)


def said_of(
    id: str, wrong: str, says: str, mapping: str | bytes, *, needs: tuple[str, ...] = ()
) -> Case:
    """A mapping that `customer360 check` is given."""
    command = ("check", "--mapping", MAPPING, "may.csv")
    return Case(id, wrong, says, command, {MAPPING: mapping, "may.csv": HEADER + ROWS}, needs=needs)


def written(id: str, line: str, says: str, replaced: str = "", *, wrong: str = "") -> Case:
    """The least mapping with one line more, or another in the place of ``replaced``."""
    mapping = BAKERY.replace(replaced, line) if replaced else f"{BAKERY}{line}\n"
    assert mapping != BAKERY
    return said_of(id, wrong or f"`{line.strip()}`", says, mapping)


YAML = Group(
    "Mappings that are no mapping",
    "",
    (
        Case(
            "mapping_missing",
            "the file is not there",
            "mapping nowhere.yaml: no such file or directory; give a YAML file or the "
            "name of a mapping that ships (online_retail, orders_with_refunds, shopify, "
            "stripe, woocommerce)",
            ("check", "--mapping", "nowhere.yaml"),
        ),
        Case(
            "mapping_not_given",
            "no mapping is named",
            "check needs --mapping: a YAML file or the name of one that ships",
            ("check", "may.csv"),
        ),
        said_of(
            "mapping_empty",
            "an empty file",
            "mapping shop.yaml: expected keys such as name, columns, time_zone, each on "
            "a line of its own as `name: shop`, found nothing",
            "",
        ),
        said_of(
            "mapping_words",
            "words instead of keys",
            "mapping shop.yaml: expected keys such as name, columns, time_zone, each on "
            "a line of its own as `name: shop`, found only 'name shop'",
            "name shop",
        ),
        said_of(
            "mapping_list",
            "a list",
            "mapping shop.yaml: expected keys such as name, columns, time_zone, each on "
            "a line of its own as `name: shop`, found only \"[{'name': 'shop'}, {'grain': "
            "'orders'}]\"",
            "- name: shop\n- grain: orders\n",
        ),
        said_of(
            "mapping_yaml",
            "YAML with a bracket of the wrong kind",
            "mapping shop.yaml: is not YAML at line 11: expected ',' or ']', but got "
            "'}'; a mapping is three levels of keys and values",
            BAKERY + "keep: [Shop}\n",
        ),
        said_of(
            "mapping_tab",
            "a tab to indent with",
            "mapping shop.yaml: is not YAML at line 2: found character '\\t' that cannot "
            "start any token: indent with blanks; a mapping is three levels of keys and "
            "values",
            "name: shop\n\tgrain: orders\n",
        ),
        said_of(
            "mapping_nul",
            "NUL in it",
            "mapping shop.yaml: is not YAML at line 1: holds the character 0x00, which "
            "is none of a text; a mapping is three levels of keys and values",
            "currency: E\0R\n",
        ),
        said_of(
            "mapping_encoding",
            "bytes that are no UTF-8",
            "mapping shop.yaml: expected UTF-8 text, found other bytes; save it as UTF-8",
            BAKERY.encode() + b"description: caf\xe9\n",
        ),
        said_of(
            "mapping_object",
            "an object of Python's",
            "mapping shop.yaml: is not YAML at line 1: could not determine a constructor "
            "for the tag 'tag:yaml.org,2002:python/object/apply:os.getcwd'; a mapping is "
            "three levels of keys and values",
            "a: !!python/object/apply:os.getcwd []\n",
        ),
        said_of(
            "mapping_bomb",
            "anchors that come to billions of values",
            "mapping shop.yaml: comes to more than 100,000 values where its anchors "
            "(&name, *name) are written out: write what is meant without them; a mapping "
            "is three levels of keys and values",
            LAUGHS,
        ),
        said_of(
            "mapping_holds_itself",
            "an anchor that holds itself",
            "mapping shop.yaml: comes to more than 100,000 values where its anchors "
            "(&name, *name) are written out: write what is meant without them; a mapping "
            "is three levels of keys and values",
            "keep: &k [*k]\n",
        ),
        said_of(
            "mapping_deep",
            "lists within lists, 50,000 deep",
            "mapping shop.yaml: has values within values beyond all measure; a mapping "
            "is three levels of keys and values",
            "[" * 50_000,
        ),
        said_of(
            "mapping_key_twice",
            "a key that stands there twice",
            "mapping shop.yaml: is not YAML at line 11: the key currency stands there "
            "twice, first at line 3; a mapping is three levels of keys and values",
            BAKERY + "currency: USD\n",
        ),
        said_of(
            "mapping_unknown_anchor",
            "an anchor that is nowhere set",
            "mapping shop.yaml: is not YAML at line 11: found undefined alias 'columns'; "
            "a mapping is three levels of keys and values",
            BAKERY + "keep: *columns\n",
        ),
        said_of(
            "mapping_two_documents",
            "two documents in a file",
            "mapping shop.yaml: is not YAML at line 11: expected a single document in "
            "the stream, but found another document; a mapping is three levels of keys "
            "and values",
            f"{BAKERY}---\n{BAKERY}",
        ),
    ),
    by="check --mapping shop.yaml may.csv",
)

KEYS = Group(
    "Mappings that say something wrong",
    "[Mappings](mappings.md) also shows, for each key, a wrong value and what is said of it.",
    (
        written(
            "unknown_key",
            "timezone: UTC",
            "mapping shop.yaml: timezone: is not a key of a mapping; write time_zone if "
            "that is meant (and 1 more)",
            "time_zone: UTC",
        ),
        written(
            "key_missing",
            "",
            "mapping shop.yaml: grain is missing: write it like `grain: lines`",
            "grain: orders\n",
            wrong="no `grain`",
        ),
        written(
            "no_order_id",
            "",
            "mapping shop.yaml: columns.order_id is missing: write it like `order_id: InvoiceNo`",
            "  order_id: Receipt\n",
            wrong="no `order_id`: nothing tells orders apart",
        ),
        written(
            "no_amount",
            "",
            "mapping shop.yaml: columns: amount is missing: name it, or both quantity "
            "and unit_price",
            "  amount: Total\n",
            wrong="no `amount`, nor `quantity` and `unit_price`",
        ),
        written(
            "unknown_role",
            "  amuont: Total",
            "mapping shop.yaml: columns.amuont: is not a key of a mapping; write amount "
            "if that is meant",
            "  amount: Total",
        ),
        written(
            "amount_twice",
            "  amount: Total\n  quantity: Pieces\n  unit_price: Price",
            "mapping shop.yaml: columns: amount and unit_price contradict each other: "
            "name one of them",
            "  amount: Total",
            wrong="`amount` and `unit_price`",
        ),
        written(
            "no_text",
            "  order_id: No",
            "mapping shop.yaml: columns.order_id: False is not text; put it in quotation marks",
            "  order_id: Receipt",
            wrong="`order_id: No`, which is YAML for false",
        ),
        written(
            "unknown_column",
            "  amount: Sum",
            "may.csv: expected column Sum, found only Receipt, Day, Total; write the "
            "file's own names in the mapping, and leave out what it does not have",
            "  amount: Total",
            wrong="`amount: Sum`, a column that the file does not have",
        ),
        written(
            "name",
            "name: My Bakery",
            "mapping shop.yaml: name: 'My Bakery' must be small letters, digits and _, a "
            "letter first",
            "name: bakery",
        ),
        written(
            "name_taken",
            "name: olist",
            "mapping shop.yaml: name: olist is the name of another source; choose another",
            "name: bakery",
        ),
        written(
            "zone",
            "time_zone: London",
            "mapping shop.yaml: time_zone: 'London' is not an IANA time zone like Europe/London",
            "time_zone: UTC",
        ),
        written(
            "currency",
            "currency: pounds",
            "mapping shop.yaml: currency: 'pounds' must be an ISO code of three capital "
            "letters, like EUR",
            "currency: EUR",
        ),
        written(
            "grain",
            "grain: rows",
            "mapping shop.yaml: grain: 'rows' must be 'orders' or 'lines'",
            "grain: orders",
        ),
        written(
            "line_id_of_orders",
            "  amount: Total\n  line_id: Line",
            "mapping shop.yaml: columns.line_id needs grain: lines",
            "  amount: Total",
            wrong="`line_id` with `grain: orders`",
        ),
        written(
            "closed",
            "closed: sometimes",
            "mapping shop.yaml: closed: 'sometimes' must be true or false",
        ),
        written(
            "skip_lines",
            "skip_lines: two",
            "mapping shop.yaml: skip_lines: 'two' must be a whole number",
        ),
        written(
            "conflicts",
            "conflicts: ignore",
            "mapping shop.yaml: conflicts: 'ignore' must be 'quarantine' or 'stop'",
        ),
        written(
            "delimiter",
            "delimiter: semicolon",
            "mapping shop.yaml: delimiter: 'semicolon' must be one character, such as ';'",
        ),
        written(
            "no_list",
            "exclude: {column: Total, below: 0, reason: x}",
            "mapping shop.yaml: exclude: {'column': 'Total', 'below': 0, 'reason': 'x'} "
            "must be a list: begin each of its entries with `- `",
        ),
        written(
            "no_reason",
            "exclude: [{column: Total, below: 0}]",
            "mapping shop.yaml: exclude.0.reason is missing: write it like `reason: test_order`",
        ),
        written(
            "no_test",
            "cancellations: [{column: Total}]",
            "mapping shop.yaml: cancellations.0: give exactly one of equals, "
            "starts_with, matches, blank, below, at_most, above, at_least; found none",
        ),
        written(
            "two_tests",
            "cancellations: [{column: Total, below: 0, equals: x}]",
            "mapping shop.yaml: cancellations.0: give exactly one of equals, "
            "starts_with, matches, blank, below, at_most, above, at_least; found equals, "
            "below",
        ),
        written(
            "regex",
            "cancellations: [{column: Total, matches: '('}]",
            "mapping shop.yaml: cancellations.0: matches: '(' is not a regular "
            "expression that both Python and Spark know: missing ), unterminated "
            "subpattern at position 0",
        ),
        said_of(
            "regex_of_python",
            "`matches: '(?P<sign>-)'`, which Python knows and Spark does not",
            "mapping bakery: cancellations.0.matches: '(?P<sign>-)' is not a regular "
            "expression that Spark knows; write it as Java does: (?<name>…) for "
            "(?P<name>…), and no (?(1)…)",
            BAKERY + "cancellations: [{column: Total, matches: '(?P<sign>-)'}]\n",
            needs=("spark",),
        ),
        written(
            "regex_of_java",
            "cancellations: [{column: Total, matches: '\\p{Sc}'}]",
            "mapping shop.yaml: cancellations.0: matches: '\\\\p{Sc}' is not a regular "
            "expression that both Python and Spark know: bad escape \\p at position 0",
        ),
        written(
            "thousands",
            "thousands_separator: '.'",
            "mapping shop.yaml: thousands_separator '.' is the decimal separator too; "
            'state decimal_separator: "," if that parts decimals',
        ),
        written(
            "python_dates",
            "date_format: '%d/%m/%Y %H:%M'",
            "mapping shop.yaml: date_format: '%d/%m/%Y %H:%M' is Python's notation, "
            "Spark's is wanted; write it as dd/MM/yyyy HH:mm",
            "date_format: yyyy-MM-dd",
        ),
        written(
            "capital_dates",
            "date_format: DD.MM.YYYY",
            "mapping shop.yaml: date_format: 'DD' in 'DD.MM.YYYY' is not supported; "
            "write it as dd.MM.yyyy",
            "date_format: yyyy-MM-dd",
        ),
        written(
            "capital_iso_dates",
            "date_format: YYYY-MM-DD",
            "mapping shop.yaml: date_format: 'YYYY' in 'YYYY-MM-DD' means nothing; "
            "write it as yyyy-MM-dd",
            "date_format: yyyy-MM-dd",
        ),
        written(
            "weekdays",
            "date_format: EEE dd MMM yyyy",
            "mapping shop.yaml: date_format: 'EEE' in 'EEE dd MMM yyyy' is not "
            "supported; write it like yyyy-MM-dd HH:mm:ss",
            "date_format: yyyy-MM-dd",
        ),
        written(
            "python_weekdays",
            "date_format: '%A, %d %B %Y'",
            "mapping shop.yaml: date_format: '%A, %d %B %Y' is Python's notation, "
            "Spark's is wanted; write it like yyyy-MM-dd HH:mm:ss",
            "date_format: yyyy-MM-dd",
        ),
        written(
            "no_year",
            "date_format: dd.MM HH:mm",
            "mapping shop.yaml: date_format: 'dd.MM HH:mm' has no year; write it like "
            "yyyy-MM-dd HH:mm:ss",
            "date_format: yyyy-MM-dd",
        ),
        written(
            "two_dates",
            "date_format: [dd/MM/yyyy, MM/dd/yyyy]",
            "mapping shop.yaml: date_format: 'dd/MM/yyyy' and 'MM/dd/yyyy' both read "
            "'05/03/2004', as different days; state the one that the files have",
            "date_format: yyyy-MM-dd",
        ),
        written(
            "offset_and_none",
            "date_format: [yyyy-MM-dd, \"yyyy-MM-dd'T'HH:mmXXX\"]",
            "mapping shop.yaml: date_format: some of its formats carry an offset from "
            "UTC and some do not; state formats of one kind",
            "date_format: yyyy-MM-dd",
        ),
        written(
            "dates_to_before",
            "dates_from: 2024-12-31\ndates_to: 2024-01-01",
            "mapping shop.yaml: dates_to 2024-01-01 is before dates_from 2024-12-31; swap the two",
            wrong="`dates_to` before `dates_from`",
        ),
        written(
            "files_and_date",
            'files: "*.csv"\ndate_in_name: "sales_{yyyy-MM-dd}.csv"',
            "mapping shop.yaml: files and date_in_name contradict each other: give one of them",
            wrong="both `files` and `date_in_name`",
        ),
        written(
            "date_in_name",
            "date_in_name: sales.csv",
            "mapping shop.yaml: date_in_name: 'sales.csv' must hold yyyy, MM and dd "
            "once, in braces; write it like sales_{yyyy-MM-dd}.csv",
        ),
        written(
            "rates_alone",
            "rates: {USD: 0.92}",
            "mapping shop.yaml: rates need columns.currency: the column that names each currency",
            wrong="`rates` and no column that names the currency",
        ),
        written(
            "encoding",
            "encoding: windows",
            "mapping shop.yaml: encoding: 'windows' is no encoding; usual ones are "
            "utf-8, windows-1252, latin-1, utf-16, cp850, iso-8859-2, iso-8859-15, "
            "cp1250, cp1251, shift_jis and gb18030",
        ),
    ),
    by="check --mapping shop.yaml may.csv",
)

GROUPS = (YAML, KEYS)
