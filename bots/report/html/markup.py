"""HTML made of elements, in which text can't become markup."""

from collections.abc import Iterable, Sequence
from html import escape


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


Content = str | int | float | None | Sequence["Content"]


def element(name: str, *content: Content, **attributes: str | bool | None) -> Markup:
    """An element; text in it is escaped. A trailing underscore of an attribute's name is dropped, others are dashes."""
    words = [f" {_name(key)}" if value is True else f' {_name(key)}="{escape(str(value))}"'
             for key, value in attributes.items() if value not in (None, False)]  # fmt: skip
    return Markup(f"<{name}{''.join(words)}>{text(*content)}</{name}>")


def text(*content: Content) -> Markup:
    """Content in a row; text in it is escaped."""
    return Markup("".join(_texts(content)))


def _texts(content: Iterable[Content]) -> Iterable[str]:
    for part in content:
        if isinstance(part, Markup):
            yield part
        elif isinstance(part, str | int | float):
            yield escape(str(part))
        elif part is not None:
            yield from _texts(part)


def _name(key: str) -> str:
    return key.rstrip("_").replace("_", "-")


def table(heads: Sequence[Content], rows: Iterable[Sequence[Content]], *, words: int = 1, caption: str = "") -> Markup:
    """A table that scrolls by itself where it is too wide; its first `words` columns hold words, the others numbers.

    A row may be an element of its own.
    """

    def cells(kind: str, row: Sequence[Content]) -> Markup:
        return element("tr", [element(kind, cell, class_=None if at < words else "n") for at, cell in enumerate(row)])

    head = element("thead", cells("th", heads))
    body = element("tbody", [row if isinstance(row, Markup) else cells("td", row) for row in rows])
    title = element("caption", caption) if caption else None
    return element("div", element("table", title, head, body), class_="scroll", tabindex="0")
