"""What people read, in each language: the only place of words for what data hold as codes.

``<code>.yaml`` is a language: how it is called and which of CLDR's rules (Babel's) it follows, then
all its texts by dotted key. A file more is a language more. `Language` writes texts, numbers, money
and dates; nothing here reads prose. No package of the project is imported here, and nothing heavy:
the command line and the dashboard both write by it.
"""

from customer360.language.language import CODED, LANGUAGES, MISSING, Language, texts

__all__ = ["CODED", "LANGUAGES", "MISSING", "Language", "texts"]
