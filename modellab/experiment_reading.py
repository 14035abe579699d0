"""How text files are read, where a person says so (`[data.reading]`); the rest is found out."""

from __future__ import annotations

import codecs

from modellab.errors import nearest, quote
from modellab.experiment_values import Value, require

DELIMITER_WORDS = {
    "comma": ",", "semicolon": ";", "tab": "\t", "bar": "|", "space": " ", "colon": ":",
    "caret": "^", "tilde": "~",
}  # fmt: skip
"""Names of delimiters that are awkward to write."""
QUOTE_WORDS = {"double": '"', "single": "'", "none": ""}
"""Names of quotation marks that are awkward to write."""
THOUSANDS_WORDS = {"comma": ",", "point": ".", "blank": " ", "apostrophe": "'", "none": ""}
"""Names of the signs between thousands."""
ENCODINGS = (
    "utf-8", "utf-16", "cp1252", "latin-1", "iso-8859-15", "cp1250", "cp1251", "shift_jis",
    "gb18030", "big5", "euc_kr", "mac_roman",
)  # fmt: skip
"""Encodings that are offered; any other that Python knows may be named."""
MAX_MISSING = 1000
_MAX_DELIMITER = 8
_MAX_COMMENT = 8
_MAX_TEXT = 200


class ReadingSpec(Value, frozen=True):
    """How text files are written; what is left out is found out from each file.

    Attributes
    ----------
    delimiter
        What stands between cells: any characters, or one of the words ``comma semicolon tab bar
        space colon caret tilde``.
    quote
        The quotation mark around cells, or ``double single none``; empty: there is none.
    decimal
        The decimal sign.
    encoding
        Name of the character encoding, such as ``utf-8``, ``cp1252`` or ``shift_jis``.
    comment
        What a line begins with that is left out; empty: no line is.
    header
        Whether the first row holds the names of the columns (sheets too).
    missing
        The texts that stand for a missing value instead of the usual ones (``NA``, ``null``, ...);
        the empty one always does. Holds for texts of any format.
    thousands
        The sign between the thousands of numbers: ``,`` ``.`` a blank or ``'``, or one of the words
        ``comma point blank apostrophe none``. It is found out in delimited text, where it can mean
        nothing else; what is said holds for texts of any format.
    """

    delimiter: str | None = None
    quote: str | None = None
    decimal: str | None = None
    encoding: str | None = None
    comment: str | None = None
    header: bool | None = None
    missing: list[str] | None = None
    thousands: str | None = None

    @property
    def separator(self) -> str | None:
        """The delimiter itself, words resolved; None: to be found out."""
        if self.delimiter is None:
            return None
        return DELIMITER_WORDS.get(self.delimiter, self.delimiter)

    @property
    def mark(self) -> str | None:
        """The quotation mark itself, words resolved; None: the usual one."""
        return None if self.quote is None else QUOTE_WORDS.get(self.quote, self.quote)

    @property
    def grouping(self) -> str | None:
        """The sign between thousands itself; None: to be found out."""
        return None if self.thousands is None else THOUSANDS_WORDS.get(
            self.thousands, self.thousands
        )  # fmt: skip

    @property
    def codec(self) -> str | None:
        """The encoding by its usual name, None: to be found out."""
        if self.encoding is None:
            return None
        # Its mark is skipped wherever a file begins with it.
        name = codecs.lookup(self.encoding).name
        return "utf-8" if name == "utf-8-sig" else name

    @property
    def delimited(self) -> bool:
        """Whether something is said that only delimited text has."""
        return (self.delimiter, self.quote, self.comment) != (None, None, None)


def check_reading(reading: ReadingSpec) -> None:
    """Check what types alone cannot.

    Raises
    ------
    ExperimentError
        With a sentence that names the key and says what is allowed.
    """
    between, mark, comment = reading.separator, reading.mark, reading.comment
    if between is not None:
        near = nearest(between, DELIMITER_WORDS) if between.isalpha() else None
        hint = f"; did you mean {near}?" if near else "."
        require(
            0 < len(between) <= _MAX_DELIMITER,
            f"data.reading.delimiter is {quote(between)}, but must be 1 to {_MAX_DELIMITER} "
            f"characters or one of {', '.join(DELIMITER_WORDS)}.",
        )
        require(
            not any(c in between for c in '\r\n"\0'),
            "data.reading.delimiter must not hold a line end, a quotation mark or a NUL.",
        )
        require(
            not any(c.isalnum() for c in between),
            f"data.reading.delimiter is {quote(between)}, but must not hold letters or digits"
            f"{hint}",
        )
        require(not _lone(between), "data.reading.delimiter is no text.")
    if mark is not None:
        require(
            mark == "" or (len(mark) == 1 and mark.isascii() and mark.isprintable()),
            f"data.reading.quote is {quote(mark)}, but must be one ASCII character, or one of "
            f"{', '.join(QUOTE_WORDS)}.",
        )
        require(
            not mark.isalnum() and mark != " ",
            f"data.reading.quote is {quote(mark)}, but must not be a letter, a digit or a blank.",
        )
        require(
            not mark or between is None or mark not in between,
            "data.reading.quote is also in data.reading.delimiter.",
        )
    if comment is not None:
        require(
            len(comment) <= _MAX_COMMENT and not any(c in comment for c in "\r\n\0"),
            f"data.reading.comment is {quote(comment)}, but must be at most {_MAX_COMMENT} "
            "characters of one line.",
        )
        require(
            not comment or comment not in (between, mark),
            "data.reading.comment is also the delimiter or the quotation mark.",
        )
        require(not _lone(comment), "data.reading.comment is no text.")
    require(
        reading.decimal in (None, ".", ","),
        f'data.reading.decimal is {quote(reading.decimal)}, but must be "." or ",".',
    )
    require(
        reading.grouping in (None, *THOUSANDS_WORDS.values()),
        f"data.reading.thousands is {quote(reading.thousands)}, but must be one of "
        f"{', '.join(THOUSANDS_WORDS)}, or the sign itself.",
    )
    require(
        not reading.grouping or reading.grouping != reading.decimal,
        "data.reading.thousands is also data.reading.decimal.",
    )
    if reading.encoding is not None:
        _check_encoding(reading.encoding)
    missing = reading.missing or []
    require(
        len(missing) <= MAX_MISSING,
        f"data.reading.missing lists {len(missing):,} texts, but {MAX_MISSING:,} are the most.",
    )
    require(
        all(len(text) <= _MAX_TEXT and not _lone(text) for text in missing),
        f"data.reading.missing holds a text of more than {_MAX_TEXT} characters, or none at all.",
    )


def _check_encoding(name: str) -> None:
    wrong = f"data.reading.encoding is {quote(name)}, which is no character encoding"
    try:
        found = codecs.lookup(name)
    except (LookupError, ValueError, UnicodeError):
        near = nearest(name, ENCODINGS)
        require(False, f"{wrong}; did you mean {near}?" if near else f"{wrong} that is known here.")
        raise AssertionError from None
    # Some codecs pack or turn bytes instead of reading letters.
    is_text = getattr(found, "_is_text_encoding", True)
    odd = found.name in ("idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape",
                         "utf-7")  # fmt: skip
    require(is_text and not odd and found.incrementaldecoder is not None, f"{wrong}.")


def _lone(text: str) -> bool:
    """Whether a text holds halves of characters, which cannot be written as UTF-8."""
    return any("\ud800" <= c <= "\udfff" for c in text)
