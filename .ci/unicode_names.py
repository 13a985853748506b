"""Writes gameserver/rules/unicode/ from ICU: `python3 .ci/unicode_names.py FOLDER` where PyICU is installed.

The files in the repository were made with Debian 12's libicu72 and python3-icu (ICU 72.1, Unicode 15.0). Claims are
stored under keys made from them: other files need the keys of all names to be made again.
"""

import sys
from pathlib import Path
from unicodedata import normalize

import icu

HEADER = "# {}\n# Made by .ci/unicode_names.py from ICU {} (Unicode {}). Licence: LICENSE.txt in this folder.\n"
KINDS = "LMN"
PUNCTUATION = "_-.'\u2019\u00b7\u05f3\u2010\u2018\u30fb"


def in_names(code: int) -> bool:
    """Whether names may have the character: a letter, mark or digit, or one of their punctuation marks."""
    return kind_of(code)[0] in KINDS or chr(code) in PUNCTUATION


def kind_of(code: int) -> str:
    value = icu.Char.charType(code)
    form = icu.UPropertyNameChoice.SHORT_PROPERTY_NAME
    return icu.Char.getPropertyValueName(icu.UProperty.GENERAL_CATEGORY, value, form)


def scripts_of(code: int) -> str:
    return " ".join(sorted(icu.Script(value).getShortName() for value in icu.Script.getScriptExtensions(code)))


def script_lines() -> list[str]:
    lines: list[tuple[int, int, str]] = []
    for code in filter(in_names, range(0x110000)):
        scripts = scripts_of(code)
        if lines and lines[-1][1:] == (code - 1, scripts):
            lines[-1] = (lines[-1][0], code, scripts)
        else:
            lines.append((code, code, scripts))
    return [f"{first:04X}..{last:04X} {scripts}" for first, last, scripts in lines]


def look_lines() -> list[str]:
    checker, lines = icu.SpoofChecker(), []
    for code in filter(in_names, range(0x110000)):
        character = chr(code)
        if normalize("NFD", character) == character and (look := checker.getSkeleton(0, character)) != character:
            lines.append(f"{code:04X} {' '.join(f'{ord(part):04X}' for part in look)}")
    return lines


def write(path: Path, title: str, lines: list[str]) -> None:
    header = HEADER.format(title, icu.ICU_VERSION, icu.UNICODE_VERSION)
    path.write_text(header + "\n".join(lines) + "\n", encoding="ascii")


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    write(folder / "scripts.txt", "Scripts of letters, marks and digits: Script_Extensions (UAX 24).", script_lines())
    write(folder / "confusables.txt", "What a character looks like (UTS 39, confusables), in NFD.", look_lines())
