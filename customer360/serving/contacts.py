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

from typing import NamedTuple

HASH_PATTERN = "^[0-9a-f]{64}$"
"""A SHA-256 in hexadecimal, as `sha256` gives it."""


class NumberingPlan(NamedTuple):
    """How a country writes its phone numbers at home.

    ``calling_code`` and ``trunk_prefix`` (dialled before a national number, "" for none) are
    digits; ``shortest`` and ``longest`` count the digits of the national (significant) number.
    """

    calling_code: str
    trunk_prefix: str
    shortest: int
    longest: int


NUMBERING_PLANS: dict[str, NumberingPlan] = {
    "AE": NumberingPlan("971", "0", 8, 9),
    "AT": NumberingPlan("43", "0", 7, 12),
    "AU": NumberingPlan("61", "0", 9, 9),
    "BE": NumberingPlan("32", "0", 8, 9),
    "BR": NumberingPlan("55", "0", 10, 11),
    "CA": NumberingPlan("1", "1", 10, 10),
    "CH": NumberingPlan("41", "0", 9, 9),
    "CL": NumberingPlan("56", "", 9, 9),
    "CN": NumberingPlan("86", "0", 10, 11),
    "CO": NumberingPlan("57", "", 10, 10),
    "CZ": NumberingPlan("420", "", 9, 9),
    "DE": NumberingPlan("49", "0", 7, 11),
    "DK": NumberingPlan("45", "", 8, 8),
    "ES": NumberingPlan("34", "", 9, 9),
    "FI": NumberingPlan("358", "0", 6, 11),
    "FR": NumberingPlan("33", "0", 9, 9),
    "GB": NumberingPlan("44", "0", 9, 10),
    "GR": NumberingPlan("30", "", 10, 10),
    "HK": NumberingPlan("852", "", 8, 8),
    "IE": NumberingPlan("353", "0", 7, 9),
    "IL": NumberingPlan("972", "0", 8, 9),
    "IN": NumberingPlan("91", "0", 10, 10),
    # An Italian number keeps its leading zero abroad.
    "IT": NumberingPlan("39", "", 6, 11),
    "JP": NumberingPlan("81", "0", 9, 10),
    "KR": NumberingPlan("82", "0", 8, 10),
    "MX": NumberingPlan("52", "", 10, 10),
    "NL": NumberingPlan("31", "0", 9, 9),
    "NO": NumberingPlan("47", "", 8, 8),
    "NZ": NumberingPlan("64", "0", 8, 10),
    "PE": NumberingPlan("51", "0", 8, 9),
    "PL": NumberingPlan("48", "", 9, 9),
    "PT": NumberingPlan("351", "", 9, 9),
    "RO": NumberingPlan("40", "0", 9, 9),
    "SE": NumberingPlan("46", "0", 7, 10),
    "SG": NumberingPlan("65", "", 8, 8),
    "TR": NumberingPlan("90", "0", 10, 10),
    "US": NumberingPlan("1", "1", 10, 10),
    "ZA": NumberingPlan("27", "0", 9, 9),
}
"""By ISO 3166 code; the national plans deposited with the ITU (E.164 national numbering plans)."""


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


def with_e164(rows: str, name: str, phone: str, country: str) -> str:
    """Add column ``name``: a phone number in E.164, as Google matches it (``+5511987654321``).

    A number with + or 00 in front says its country itself; any other is read by the numbering plan
    of its country. It is null where it is no number, where its country is not one of
    `NUMBERING_PLANS`, and where it does not fit that plan. An extension after ``x``, as
    ``silver/customers`` keeps it, is not part of a number.

    Args:
        rows: Name of the rows, or a query in brackets.
        name: Of the new column.
        phone: The number as text.
        country: ISO 3166 code of its owner's country.

    Returns:
        A query of all columns of the rows and the new one.
    """
    main = f"split_part(lower(trim({phone}, ' ')), 'x', 1)"
    plans = ", ".join(
        f"('{country}', '{plan.calling_code}', '{plan.trunk_prefix}', {plan.shortest}, "
        f"{plan.longest})"
        for country, plan in NUMBERING_PLANS.items()
    )
    own = ("_main", "_digits", "_abroad", "_home", "_number", "_owner", *_PLAN)
    # "+44 (0)20 ..." is how many write it; the zero is dialled at home only.
    with_trunk = (
        "CASE WHEN _trunk = '0' AND starts_with(_abroad, _code || _trunk) "
        f"THEN _code || {_national(_after('_abroad', '_code'))} END"
    )
    # Step by step, because each step uses the one before several times.
    return f"""SELECT * EXCLUDE ({", ".join(own)}),
        -- At most 15 digits, the country's first, which is no zero (ITU-T E.164).
        CASE WHEN regexp_full_match(_number, '[1-9][0-9]{{6,14}}') THEN '+' || _number END AS {name}
    FROM (SELECT *, CASE WHEN _abroad IS NOT NULL THEN coalesce({with_trunk}, _abroad)
            ELSE _code || _home END AS _number
        FROM (SELECT *,
                CASE WHEN starts_with(_main, '+') THEN _digits
                    WHEN starts_with(_digits, '00') THEN substr(_digits, 3) END AS _abroad,
                coalesce({_national("_digits")}, CASE WHEN starts_with(_digits, _code)
                    THEN {_national(_after("_digits", "_code"))} END) AS _home
            FROM (SELECT *, regexp_replace(_main, '[^0-9]', '', 'g') AS _digits
                FROM (SELECT *, {main} AS _main, upper(trim({country}, ' ')) AS _owner FROM {rows})
                LEFT JOIN (VALUES {plans}) plan({", ".join(_PLAN)}) ON _owner = _country)))"""


def meta_phone(number: str) -> str:
    """An E.164 number as Meta matches it: its digits."""
    return f"substr({number}, 2)"


def sha256(text: str) -> str:
    """SHA-256 of the text in UTF-8, lower-case hexadecimal, no salt; null stays null."""
    return f"sha256({text})"


_PLAN = ("_country", "_code", "_trunk", "_shortest", "_longest")
_BLANK = r"\s\x0B"


def _address(email: str) -> str:
    lower = f"lower(trim({email}, ' '))"
    part = f"[^@{_BLANK}]+"
    return rf"CASE WHEN regexp_full_match({lower}, '{part}@{part}\.{part}') THEN {lower} END"


def _national(digits: str) -> str:
    """The national number in ``digits``; one that fits only with its trunk prefix keeps it."""
    without = _after(digits, "_trunk")
    return (
        f"CASE WHEN _trunk <> '' AND starts_with({digits}, _trunk) AND {_fits(without)} "
        f"THEN {without} WHEN {_fits(digits)} THEN {digits} END"
    )


def _fits(digits: str) -> str:
    return f"length({digits}) BETWEEN _shortest AND _longest"


def _after(text: str, prefix: str) -> str:
    return f"substr({text}, length({prefix}) + 1)"
