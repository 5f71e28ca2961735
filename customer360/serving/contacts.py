"""Contact fields as ad platforms match them: normalised in one way, then hashed.

A platform compares hashes, so an address that is normalised in another way matches nobody. The two
large platforms differ, and each has its own columns:

- **Google** (Data Manager API, "Format user data"): e-mail in lower case without any white space;
  of gmail.com and googlemail.com without the dots before the @ (what follows a + stays). Phone in
  E.164 with the leading +.
- **Meta** (Marketing API, "Customer information parameters"): e-mail trimmed, in lower case. Phone
  as digits only, country code first, without + and leading zeros.

Both take SHA-256 without a salt, in lower-case hexadecimal.

Functions take and return expressions of DuckDB's SQL. Who may be written to is decided elsewhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import phonenumbers
from phonenumbers import PhoneNumberType, ValidationResult

if TYPE_CHECKING:
    import duckdb

HASH_PATTERN = "^[0-9a-f]{64}$"
"""A SHA-256 in hexadecimal, as `sha256` gives it."""


def prepare(connection: duckdb.DuckDBPyConnection) -> None:
    """Teach DuckDB the function ``e164(phone, country)``, which queries of `e164` ask."""
    from duckdb.func import ARROW, SPECIAL
    from duckdb.sqltypes import VARCHAR

    connection.create_function(
        "e164", _e164_column, [VARCHAR, VARCHAR], VARCHAR, type=ARROW, null_handling=SPECIAL
    )


def google_email(email: str) -> str:
    """E-mail as Google matches it; null where it is none. See the module."""
    address = f"lower(regexp_replace({email}, '[{_BLANK}]+', '', 'g'))"
    domain = f"split_part({address}, '@', -1)"
    name = f"replace(split_part({address}, '@', 1), '.', '')"
    dotless = (
        f"CASE WHEN {domain} IN ('gmail.com', 'googlemail.com') THEN {name} || '@' || {domain}"
    )
    return _address(f"{dotless} ELSE {address} END")


def meta_email(email: str) -> str:
    """E-mail as Meta matches it; null where it is none. See the module."""
    return _address(email)


def e164(phone: str, country: str) -> str:
    """A phone number in E.164, as Google matches it (``+5511987654321``); null where it is none.

    A number with + or 00 in front says its country itself; any other is read as it is dialled in
    its country, by the numbering plans of Google's libphonenumber. An extension after ``x``, as
    ``silver/customers`` keeps it, is not part of a number. The connection must be `prepare`d.

    Args:
        phone: The number as text.
        country: ISO 3166 code of its owner's country.
    """
    return f"e164({phone}, {country})"


def meta_phone(number: str) -> str:
    """An E.164 number as Meta matches it: its digits."""
    return f"substr({number}, 2)"


def sha256(text: str) -> str:
    """SHA-256 of the text in UTF-8, lower-case hexadecimal, no salt; null stays null."""
    return f"sha256({text})"


_BLANK = r"\s\x0B"


def _address(email: str) -> str:
    lower = f"lower(trim({email}, ' '))"
    part = f"[^@{_BLANK}]+"
    return rf"CASE WHEN regexp_full_match({lower}, '{part}@{part}\.{part}') THEN {lower} END"


_DIALLED = PhoneNumberType.FIXED_LINE_OR_MOBILE


def _e164_column(phones: Any, countries: Any) -> Any:
    """Two Arrow columns of texts to one."""
    import pyarrow as pa

    pairs = zip(phones.to_pylist(), countries.to_pylist(), strict=True)
    return pa.array([_e164(phone, country) for phone, country in pairs], pa.string())


def _e164(phone: str | None, country: str | None) -> str | None:
    written = (phone or "").strip()
    if written.startswith("00"):  # how most of the world dials abroad, whatever the country
        written = f"+{written[2:]}"
    try:
        number = phonenumbers.parse(written, (country or "").strip().upper() or None)
    except phonenumbers.NumberParseException:
        return None
    # Possible rather than valid: ranges are opened faster than libraries are updated.
    # One without its area code reaches nobody, or somebody else.
    reason = phonenumbers.is_possible_number_for_type_with_reason(number, _DIALLED)
    if reason != ValidationResult.IS_POSSIBLE:
        return None
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164)
