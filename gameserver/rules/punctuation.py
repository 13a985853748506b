"""Punctuation amid the words of a language that not all keyboards have (UAX 31, tables 3a and 3b).

Law: each counts as the plain form that others type in its place, wherever texts are compared.
"""

from unicodedata import category

MEDIALS = {
    "\u00b7": ".",  # Catalan's col·lega, and names of foreigners in Chinese
    "\u30fb": ".",  # the same in Japanese
    "\uff65": ".",
    "\u05f3": "'",  # Hebrew's geresh, which may end a word
    "\u2018": "'",
    "\u2010": "-",
    "\u2011": "-",
}
"""Each with its plain form."""
_MAY_END = "\u05f3"
_PLAIN_FORMS = str.maketrans(MEDIALS)
_OF_WORDS = "LMN"
"""The categories of letters, marks and digits."""


def with_plain_medials(text: str) -> str:
    return text if text.isascii() else text.translate(_PLAIN_FORMS)


def is_amid_letters(text: str, place: int) -> bool:
    """Whether one of MEDIALS is at this place, between letters, marks or digits."""
    before, after = text[:place][-1:] or " ", text[place + 1 : place + 2] or " "
    return (
        text[place] in MEDIALS
        and category(before)[0] in _OF_WORDS
        and (text[place] in _MAY_END or category(after)[0] in _OF_WORDS)
    )
