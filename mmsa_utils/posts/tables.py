"""Tables of posts as people have them, taken apart into rows: CSV, JSON lines."""

from __future__ import annotations

import codecs
import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence

Row = dict | ValueError  #: the cells by column; or an error that says what such a row is or has
Numbered = Iterator[tuple[int, Row]]
SUFFIXES = (".csv", ".tsv", ".jsonl", ".ndjson")
TOLD = r"\"?sep=(.)\"?\r?\n"  #: a line that Excel writes and reads: the sign between the cells


class Unread(ValueError):
    """The row that an error of this kind stands for is the last one of its file: what follows could not be read."""


def of_the_disk(error: Exception) -> bool:
    """Whether it is the disk that fails, or a permission, and not what the file holds: the next try may go well."""
    return isinstance(error, OSError) and error.errno is not None


def rows_of(name: str, data: bytes, known: Sequence[str]) -> tuple[list[str], Iterator[tuple[int, Row]]]:
    """A file of a table, taken apart.

    Args:
        name: of the file; its ending says what it is.
        data: what it holds.
        known: columns that it is to have, or may have; among separators, those that give them are taken.

    Returns:
        Its columns, and each row's number (the header of a CSV is row 1) with its cells by column, or with the error
        that it is.

    Raises:
        ValueError: if it cannot be taken apart; the message names the row.
    """
    suffix = _suffix(name)
    if suffix not in SUFFIXES:
        raise ValueError(f"{name} is not a .csv or .jsonl file: save the table as one of these."
                         + (" Or load it with pandas, and give load_posts the frame." if suffix in (
                             ".xlsx", ".xls", ".parquet", ".ods", ".json", ".feather") else ""))
    text = _text(name, data)
    if suffix in (".jsonl", ".ndjson"):
        lines = text.split("\n")  # splitlines would break at other marks within a text
        rows = list(json_rows(enumerate(lines, start=1)))
        columns = list(dict.fromkeys(key for _, row in rows if isinstance(row, dict) for key in row))
        if rows and not columns:
            raise ValueError(f"{name} row {rows[0][0]} {rows[0][1] or 'is an object without keys.'}")
        return columns, iter(rows)
    header, cells = _csv_rows(name, text, known, "\t" if suffix == ".tsv" else ",")
    check_once(header, known, name)
    return header, by_column(header, cells)


def check_once(header: Sequence[str], known: Sequence[str], name: str) -> None:
    """Raise ValueError for a header that has one of the columns known more than once."""
    twice = {column for column in known if header.count(column) > 1}
    if twice:
        raise ValueError(f"{name} has the column {', '.join(sorted(twice))} more than once: keep one.")


def _suffix(name: str) -> str:
    return "." + name.rpartition(".")[2].lower() if "." in name else ""


def _text(name: str, data: bytes) -> str:
    utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))  # what spreadsheets call "Unicode text"
    try:
        return data.decode("utf-16" if utf16 else "utf-8-sig")  # -sig: they put a byte order mark in front
    except UnicodeDecodeError as error:
        raise ValueError(f"{name} is not UTF-8 text ({error}): save it with that encoding, which spreadsheets call "
                         "\"CSV UTF-8\".") from error


def _csv_rows(name: str, text: str, known: Sequence[str], usual: str) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header, and each row with its number."""
    told = re.match(TOLD, text)
    header_line = text[told.end() if told else 0:].split("\n", 1)[0]
    sign, first = separator(header_line, known, usual, told), int(bool(told))
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, delimiter=sign)
    rows: list[list[str]] = []
    try:
        rows.extend(reader)
    except csv.Error as error:
        raise ValueError(f"{name} cannot be taken apart in row {len(rows) + 1} {about_csv(error)}") from error
    numbered = list(enumerate(rows, start=1))[first:]
    return (numbered[0][1], numbered[1:]) if numbered else ([], [])


def about_csv(error: csv.Error) -> str:
    """What csv found wrong with a row, and what to do."""
    if "field limit" in str(error):  # a mark left open may run into the limit, too
        return (f"(a cell has more than {csv.field_size_limit():,} characters): shorten it, or close the quotation "
                "mark that is left open.")
    return f"({error}): is a quotation mark left open, or alone in a text? Within quoted texts write it twice."


def separator(header_line: str, known: Sequence[str], usual: str, told: re.Match[str] | None = None) -> str:
    """The sign between the cells of a CSV: what its first line tells, or that which gives most of the columns known."""
    if told:
        return told[1]
    separators = [usual, *(sign for sign in ",;\t|" if sign != usual)]
    line = header_line.rstrip("\r\n")
    headers = {sign: [cell.strip(' "').casefold() for cell in line.split(sign)] for sign in separators}
    sign = max(separators, key=lambda sign: (sum(column.strip().casefold() in headers[sign] for column in known)))
    if len(headers[sign]) == 1:  # none of the columns is there: what gives most of them is the separator
        sign = max(separators, key=lambda sign: len(headers[sign]))
    return sign


def by_column(header: Sequence[str], rows: Iterable[tuple[int, list[str]]]) -> Iterator[tuple[int, Row]]:
    """Numbered cells → each row's cells by column, or what is wrong with it; rows of nothing are passed over."""
    named = max((place for place, column in enumerate(header, start=1) if column.strip()), default=0)
    for number, row in rows:
        if any(row[len(header):]):
            yield number, ValueError(f"has {len(row)} cells, and the header {len(header)}: put texts with commas in "
                                     "quotation marks.")
        elif any(cell.strip() for cell in row):  # spreadsheets leave rows of nothing behind
            yield number, dict(zip(header, row)) if len(row) >= named else ValueError(
                f"has {len(row)} cell{'s' * (len(row) != 1)}, and the header {named}: is the file cut off there? Else "
                "write the commas of empty cells, too.")


def json_rows(lines: Iterable[tuple[int, str]]) -> Iterator[tuple[int, Row]]:
    """Numbered lines → each one's object, or what is wrong with it; empty lines are passed over."""
    for number, line in lines:
        if line.strip():
            try:
                record = json.loads(line)
            except (ValueError, RecursionError) as error:
                yield number, ValueError(f"is not JSON ({error}): expected an object a line.")
                continue
            yield number, record if isinstance(record, dict) else ValueError(
                "is not an object with text, image and label: write one a line.")


def columns_for(wanted: Mapping[str, str], found: Sequence[str], name: str,
                optional: Mapping[str, str] = {}) -> dict[str, str]:
    """The columns of a table that are meant: what it is for → its name there. Case and white space make no difference.

    Args:
        wanted: "text", "image", "voice" and "label", or some of them → the column that is asked for.
        optional: the same for columns that are taken where they are there.

    Raises:
        ValueError: if one is missing; the message says which there are, and which of them it could be.
    """
    by_plain = {str(column).strip().casefold(): column for column in reversed(found)}
    chosen = {side: column if column in found else by_plain.get(column.strip().casefold())
              for side, column in {**wanted, **optional}.items()}
    chosen = {side: column for side, column in chosen.items() if side in wanted or column is not None}
    missing = sorted(wanted[side] for side, column in chosen.items() if column is None)
    if not missing:
        if len(set(chosen.values())) < len(chosen):
            shown = ", ".join(f"{OPTIONS.get(side, side)}: {column}" for side, column in chosen.items())
            raise ValueError(f"{name}: one column is to be two things at once ({shown}): name one of its own for each.")
        return {side: column for side, column in chosen.items() if column is not None}
    free = [column for column in found if column not in chosen.values()]
    guesses = {side: guess for side, column in chosen.items() if column is None
               for guess in _likely(side, free)[:1]}
    expected = ",".join(wanted.values()) + (" in the object of each line" if _suffix(name) in (".jsonl", ".ndjson")
                                            else ", separated by commas")
    message = f"{name} lacks the column {', '.join(missing)}: expected {expected}; it has "
    message += f"{', '.join(str(column)[:40] for column in found[:20])}." if found else "none at all."
    if guesses:
        options = " ".join(f"--{OPTIONS.get(side, side)}-column {_quoted(guess)}" for side, guess in guesses.items())
        words = ", ".join(f"{side}_column={guess!r}" for side, guess in guesses.items())
        message += f" Is it {options}? (In Python: {words}.)"
    elif found:
        names = [f"--{OPTIONS.get(side, side)}-column" for side, column in chosen.items() if column is None]
        message += f" Name {'it' if len(names) == 1 else 'them'} by {' and '.join(names)}."
    raise ValueError(message)


#: What a column is for → what its option is called, where that is another word.
OPTIONS = {"voice": "audio"}
_OFTEN = {"text": ("sentence", "caption", "tweet", "content", "message", "comment", "review", "body", "description",
                   "title", "post", "text"),
          "image": ("img", "picture", "photo", "filename", "file", "path", "pic", "media", "image"),
          "voice": ("voice", "sound", "wav", "recording", "speech", "clip", "mp3", "flac", "spoken", "audio"),
          "label": ("sentiment", "class", "target", "mood", "polarity", "category", "emotion", "annotation", "y",
                    "label", "labels")}


def _likely(side: str, columns: Sequence[str]) -> list[str]:
    """The columns that are often called so, the likeliest first."""
    words = {column: re.split(r"[^a-z]+", str(column).casefold()) for column in columns}
    ranked = [column for often in _OFTEN[side] for column in columns
              if often in words[column] or len(often) > 3 and often in str(column).casefold()]
    return list(dict.fromkeys(ranked))


def _quoted(word: str) -> str:
    return f'"{word}"' if " " in word else word
