"""Contact fields as ad platforms match them: normalised in one way, then hashed.

A platform compares hashes, so an address that is normalised in another way matches nobody. The two
large platforms differ, and each has its own columns:

- **Google** (Data Manager API, "Format user data"): e-mail in lower case without any white space;
  of gmail.com and googlemail.com without the dots before the @ (what follows a + stays). Phone in
  E.164 with the leading +.
- **Meta** (Marketing API, "Customer information parameters"): e-mail trimmed, in lower case. Phone
  as digits only, country code first, without + and leading zeros.

Both take SHA-256 without a salt, in lower-case hexadecimal.

Who may be written to is decided elsewhere.
"""

from __future__ import annotations

from typing import NamedTuple

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as F

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


def google_email(email: Column) -> Column:
    """E-mail as Google matches it; null where it is none. See the module."""
    address = F.lower(F.regexp_replace(email, r"\s+", ""))
    name, domain = F.substring_index(address, "@", 1), F.substring_index(address, "@", -1)
    without_dots = F.concat(F.regexp_replace(name, r"\.", ""), F.lit("@"), domain)
    return _address(
        F.when(domain.isin("gmail.com", "googlemail.com"), without_dots).otherwise(address)
    )


def meta_email(email: Column) -> Column:
    """E-mail as Meta matches it; null where it is none. See the module."""
    return _address(email)


def with_e164(frame: DataFrame, name: str, phone: Column, country: Column) -> DataFrame:
    """Add column ``name``: a phone number in E.164, as Google matches it (``+5511987654321``).

    A number with + or 00 in front says its country itself; any other is read by the numbering plan
    of its country. It is null where it is no number, where its country is not one of
    `NUMBERING_PLANS`, and where it does not fit that plan. An extension after ``x``, as
    ``silver/customers`` keeps it, is not part of a number.

    Args:
        frame: The rows.
        name: Of the new column.
        phone: The number as text.
        country: ISO 3166 code of its owner's country.
    """
    main = F.substring_index(F.lower(F.trim(phone)), "x", 1)
    # Step by step, because each step uses the one before several times: one nested expression
    # would repeat it as often.
    digits, plan = F.col("_digits"), F.col("_plan")
    abroad, trunk, code = F.col("_abroad"), F.col("_plan.trunk_prefix"), F.col("_plan.calling_code")
    read = frame.withColumns(
        {
            "_digits": F.regexp_replace(main, "[^0-9]", ""),
            "_plus": main.startswith("+"),
            "_plan": _plans()[F.upper(F.trim(country))],
        }
    ).withColumns(
        {
            "_abroad": F.when(F.col("_plus"), digits).when(
                digits.startswith("00"), F.substring(digits, F.lit(3), F.length(digits))
            ),
            "_home": F.coalesce(
                _national(digits, plan),
                _national(F.when(digits.startswith(code), _after(digits, code)), plan),
            ),
        }
    )
    # "+44 (0)20 ..." is how many write it; the zero is dialled at home only.
    with_trunk = F.when(
        (trunk == "0") & abroad.startswith(F.concat(code, trunk)),
        F.concat(code, _national(_after(abroad, code), plan)),
    )
    number = F.when(abroad.isNotNull(), F.coalesce(with_trunk, abroad)).otherwise(
        F.concat(code, F.col("_home"))
    )
    # At most 15 digits, the country's first, which is no zero (ITU-T E.164).
    valid = F.when(F.col("_number").rlike("^[1-9][0-9]{6,14}$"), F.concat(F.lit("+"), "_number"))
    return (
        read.withColumn("_number", number)
        .withColumn(name, valid)
        .drop("_digits", "_plus", "_plan", "_abroad", "_home", "_number")
    )


def meta_phone(number: Column) -> Column:
    """An E.164 number as Meta matches it: its digits."""
    return F.substring(number, F.lit(2), F.length(number))


def sha256(text: Column) -> Column:
    """SHA-256 of the text in UTF-8, lower-case hexadecimal, no salt; null stays null."""
    return F.sha2(F.encode(text, "UTF-8"), 256)


def _address(email: Column) -> Column:
    lower = F.lower(F.trim(email))
    return F.when(lower.rlike(r"^[^@\s]+@[^@\s]+\.[^@\s]+$"), lower)


def _national(digits: Column, plan: Column) -> Column:
    """The national number in ``digits``; one that fits only with its trunk prefix keeps it."""
    trunk = plan["trunk_prefix"]
    without = F.when((trunk != "") & digits.startswith(trunk), _after(digits, trunk))
    return F.when(_fits(without, plan), without).when(_fits(digits, plan), digits)


def _fits(digits: Column, plan: Column) -> Column:
    return F.length(digits).between(plan["shortest"], plan["longest"])


def _after(text: Column, prefix: Column) -> Column:
    return F.substring(text, F.length(prefix) + 1, F.length(text))


def _plans() -> Column:
    """`NUMBERING_PLANS` as a literal map from country to struct."""
    entries = ", ".join(
        f"'{country}', named_struct('calling_code', '{plan.calling_code}', "
        f"'trunk_prefix', '{plan.trunk_prefix}', 'shortest', {plan.shortest}, "
        f"'longest', {plan.longest})"
        for country, plan in NUMBERING_PLANS.items()
    )
    return F.expr(f"map({entries})")
