"""What is wrong with the raw data, how often, and what ought to become of it.

A row has at most one defect, so that every count is a binomial draw with its own rate and the
truth can say what each row must turn into. Defects that break a row are caught by the bronze
contract; the others are silver's business.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import Any

from customer360.errors import Customer360Error


class DefectRateError(Customer360Error):
    """A defect rate is outside its range; the message names it."""


@dataclass(frozen=True)
class Defect:
    """One kind of defect.

    Attributes:
        name: Field of :class:`DefectRates`.
        effect: ``quarantined`` (the bronze contract rejects the row), ``excluded`` (silver
            knows no such customer), ``repaired`` (silver's text rules restore the value),
            ``duplicate`` (dropped by silver) or ``late`` (kept, on its own day).
    """

    name: str
    effect: str


TRANSACTION_DEFECTS = (
    Defect("duplicate_same_day", "duplicate"),
    Defect("duplicate_later", "duplicate"),
    Defect("late", "late"),
    Defect("missing_customer", "quarantined"),
    Defect("unknown_customer", "excluded"),
    Defect("bad_date", "quarantined"),
    Defect("wrong_type", "quarantined"),
    Defect("negative_amount", "quarantined"),
    Defect("unknown_currency", "quarantined"),
    Defect("broken_text", "quarantined"),
    Defect("untidy_text", "repaired"),
)
CUSTOMER_DEFECTS = (
    Defect("customer_duplicate_same_day", "duplicate"),
    Defect("customer_duplicate_later", "duplicate"),
    Defect("customer_late", "late"),
    Defect("customer_missing_id", "quarantined"),
    Defect("customer_bad_birth_date", "quarantined"),
    Defect("customer_bad_email", "quarantined"),
    Defect("customer_broken_text", "quarantined"),
    Defect("customer_untidy_text", "repaired"),
)


@dataclass(frozen=True)
class DefectRates:
    """Share of rows with each defect; the defaults break 1.0 % of the transactions.

    Attributes:
        duplicate_same_day: The row comes twice in its day's file.
        duplicate_later: The row comes again in the file of a later day.
        late: The row comes only in the file of a later day.
        missing_customer: ``customer_id`` is null or blank.
        unknown_customer: ``customer_id`` is well formed, but nobody's.
        bad_date: ``occurred_at`` does not exist or is written another way.
        wrong_type: ``amount`` or ``items`` is no number.
        negative_amount: ``amount`` is below zero.
        unknown_currency: ``currency`` is not the shop's.
        broken_text: A replacement or control character in a text: nobody knows what it was.
        untidy_text: Case, blanks, as in `` ELECTRONICS ``: can be repaired.
        customer_duplicate_same_day: A profile row comes twice in its day's file.
        customer_duplicate_later: A profile row comes again in the file of a later day.
        customer_late: A profile row comes only in the file of a later day.
        customer_missing_id: ``customer_id`` is null or blank.
        customer_bad_birth_date: ``birth_date`` does not exist.
        customer_bad_email: ``email`` is no address.
        customer_broken_text: A replacement or control character in ``name``.
        customer_untidy_text: Case, blanks or mojibake in name, city or e-mail: repairable.
        max_days_late: Later means 1 to this many days, never after the last day of the data.
    """

    duplicate_same_day: float = 0.005
    duplicate_later: float = 0.005
    late: float = 0.01
    missing_customer: float = 0.002
    unknown_customer: float = 0.002
    bad_date: float = 0.002
    wrong_type: float = 0.002
    negative_amount: float = 0.002
    unknown_currency: float = 0.001
    broken_text: float = 0.001
    untidy_text: float = 0.01
    customer_duplicate_same_day: float = 0.002
    customer_duplicate_later: float = 0.002
    customer_late: float = 0.004
    customer_missing_id: float = 0.0005
    customer_bad_birth_date: float = 0.0005
    customer_bad_email: float = 0.0005
    customer_broken_text: float = 0.0005
    customer_untidy_text: float = 0.01
    max_days_late: int = 5

    def __post_init__(self) -> None:
        for defect in TRANSACTION_DEFECTS + CUSTOMER_DEFECTS:
            rate = getattr(self, defect.name)
            if not 0 <= rate <= 1:
                raise DefectRateError(f"defects: {defect.name} is {rate!r}, must be 0 to 1")
        for table, defects in (
            ("transactions", TRANSACTION_DEFECTS),
            ("customers", CUSTOMER_DEFECTS),
        ):
            total = sum(self.rates(defects))
            if total > 1 + 1e-9:
                raise DefectRateError(
                    f"defects: the rates of {table} add up to {total:.3f}; a row has at most one "
                    "defect, so lower them to 1 or less together"
                )
        if not 1 <= self.max_days_late <= 60:
            raise DefectRateError(
                f"defects: max_days_late is {self.max_days_late!r}, must be 1 to 60"
            )

    def rates(self, defects: tuple[Defect, ...]) -> list[float]:
        """The rates of ``defects``, in their order."""
        return [float(getattr(self, defect.name)) for defect in defects]

    @classmethod
    def none(cls, **changes: Any) -> DefectRates:
        """No defect but those named: ``DefectRates.none(late=0.1)``."""
        plain: dict[str, Any] = {f.name: 0.0 for f in fields(cls) if f.name != "max_days_late"}
        return cls(**(plain | changes))

    def scaled(self, factor: float) -> DefectRates:
        """All rates times ``factor``."""
        values = asdict(self)
        latest = values.pop("max_days_late")
        scaled = {name: rate * factor for name, rate in values.items()}
        return DefectRates(**scaled, max_days_late=latest)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> DefectRates:
        """The rates written in a manifest."""
        return cls(**values)
