"""Why rows are in quarantine beside the rules that they break; light, for who only reads tables."""

from __future__ import annotations

MALFORMED = "row:malformed"
"""The row could not be split: what is kept of it is one line of text."""

DELETED = "deleted_at_source"
"""The source has the row no more."""

LEFT_OUT = "left_out_by_edit"
"""An edit leaves the row out for good."""

FORGOTTEN_PERSON = "forgotten"
"""The row was of somebody who is forgotten; nothing of it is left but that it was there."""

SETTLED = (LEFT_OUT, FORGOTTEN_PERSON)
"""Reasons of rows that quarantine does not wait to be rid of."""

OTHER_CURRENCY = "other_currency"
"""The row's money is of another currency than its source's: silver leaves it out."""
