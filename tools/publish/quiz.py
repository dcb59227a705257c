"""The quiz bank for learning platforms: every question of docs/quiz.md, with its feedback, as GIFT and as QTI.

python tools/publish/quiz.py (make quiz)   build/quiz/quiz.gift, and build/quiz/qti/NN_name.zip for each notebook

Moodle reads GIFT (docs.moodle.org/en/GIFT_format). What reads QTI 2.1 takes the packages: qti.py, beside this file.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import NamedTuple

from markdown_it import MarkdownIt

ROOT = Path(__file__).resolve().parents[2]
BANK = ROOT / "docs" / "quiz.md"
QUIZ = ROOT / "build" / "quiz"

CHOICE, CHOICES, TRUTH, OPEN = "choice", "choices", "truth", "open"
KINDS = {"Choose one.": CHOICE, "Choose all that apply.": CHOICES, "True or false?": TRUTH, "Work out.": OPEN,
         "Find the mistake.": OPEN, "In a sentence.": OPEN, "Order.": OPEN}
BLOCK = re.compile(r"""\*\*(?P<number>\d+)\.\ (?P<kind>.+?)\*\*\ (?P<prompt>\S.*?)\n\n
    (?P<options>-\ a\)\ .+?\n\n)?
    <details>\n<summary>Answer</summary>\n\n(?P<answer>.+?)\n\n</details>\s*""", re.DOTALL | re.VERBOSE)
LETTERS = re.compile(r"\*\*([a-z](?:, [a-z])*)(\.?)\*\*|\*([a-z])\*")  # **a, c.** opens an answer; *b* within it
NUMBER = re.compile(r"\*\*(-?[\d,]+(?:\.\d+)?)(?: ± ([\d.]+))?\.?\*\*")
PLAIN = {"paragraph_open", "paragraph_close", "inline", "text", "softbreak", "code_inline",
         "em_open", "em_close", "strong_open", "strong_close"}  # what means the same on every platform

MARKDOWN = MarkdownIt("commonmark")  # writes XHTML, which QTI asks for


class Question(NamedTuple):
    """One question; its texts are XHTML, the options without a paragraph around them."""

    name: str  # "01.3": notebook and number
    kind: str  # "Choose one."
    prompt: str
    options: dict[str, str]  # letter → text
    right: tuple[str, ...]  # letters, or ("true",) or ("false",)
    number: tuple[float, float] | None  # the answer, and how far off is still right
    feedback: str  # the folded answer, with the options' words in the place of their letters

    @property
    def form(self) -> str:
        return KINDS[self.kind]


class Part(NamedTuple):
    """The questions on one notebook."""

    notebook: str  # "01_synthetic_data"
    title: str  # "01 Synthetic data"
    questions: list[Question]


def markup(source: str, where: str, inline: bool = False) -> str:
    """Markdown → XHTML on one line; ValueError for links, pictures and all else that quiz tools show differently."""
    tokens = MARKDOWN.parse(source)
    strange = {token.type for token in tokens for token in (token, *(token.children or ()))} - PLAIN
    if strange:
        raise ValueError(f"{where}: {', '.join(sorted(strange))} in {source[:60]!r}; expected nothing but text, "
                         "*stress* and `code`, which every platform shows")
    return " ".join((MARKDOWN.renderInline(source) if inline else MARKDOWN.render(source)).split())


def read_options(block: str | None, where: str) -> dict[str, str]:
    found = re.findall(r"^- ([a-z])\) (.+?)(?=\n- |\Z)", (block or "").strip(), flags=re.DOTALL | re.MULTILINE)
    if [letter for letter, _ in found] != [chr(97 + place) for place in range(len(found))]:
        raise ValueError(f"{where}: options {[letter for letter, _ in found]}, expected a, b, c in this order")
    return dict(found)


def read_answer(kind: str, answer: str, options: dict[str, str], where: str) -> tuple[tuple[str, ...], tuple | None]:
    """What is right: letters, or true or false, or a number and its tolerance; neither for an open question."""
    form = KINDS[kind]
    if bool(options) != (form in (CHOICE, CHOICES)):
        raise ValueError(f"{where}: {kind!r} with {len(options)} options, expected some to choose from, else none")
    if form == TRUTH:
        said = re.match(r"\*\*(True|False)\b", answer)
        if not said:
            raise ValueError(f"{where}: the answer begins {answer[:30]!r}, expected **True** or **False**")
        return (said[1].lower(),), None
    if form == OPEN:
        said = NUMBER.match(answer) if kind == "Work out." else None
        return (), said and (float(said[1].replace(",", "")), float(said[2] or 0))
    said = LETTERS.match(answer)
    right = tuple((said and said[1] or "").split(", "))
    if not set(right) <= set(options) or form == CHOICE and len(right) != 1:
        raise ValueError(f"{where}: the answer begins {answer[:30]!r}, expected {'one' if form == CHOICE else 'some'} "
                         f"of {', '.join(options)} in bold")
    return right, None


def with_words(answer: str, options: dict[str, str]) -> str:
    """The answer with each letter replaced by the words of its option: platforms shuffle the options."""
    def words(found: re.Match) -> str:
        letters = (found[1] or found[3]).split(", ")
        return ", ".join(f"“{' '.join(options[letter].split())}”" for letter in letters) + (found[2] or "")
    return LETTERS.sub(words, answer) if options else answer


def read_question(block: str, notebook: str, number: int) -> Question:
    """One block of the bank, from its bold number to `</details>`; ValueError where it has not that form."""
    where = f"{notebook[:2]}.{number}"
    found = BLOCK.fullmatch(block)
    if not found or int(found["number"]) != number:
        raise ValueError(f"{where}: this is not **{number}. Kind.** question, options, folded answer: {block[:80]!r}")
    kind = found["kind"]
    if kind not in KINDS:
        raise ValueError(f"{where}: the kind is {kind!r}, expected one of: {' '.join(KINDS)}")
    options = read_options(found["options"], where)
    right, exact = read_answer(kind, found["answer"], options, where)
    return Question(where, kind, markup(found["prompt"], where),
                    {letter: markup(text, where, inline=True) for letter, text in options.items()}, right, exact,
                    markup(with_words(found["answer"], options), where))


def read_bank(source: str) -> list[Part]:
    """All questions of docs/quiz.md; ValueError names the first that does not fit, and nothing is passed over."""
    parts = []
    for section in re.split(r"^(?=## )", source, flags=re.MULTILINE)[1:]:
        head = re.match(r"## (\d\d .+)\n\nFor \[(\d\d_\w+)\]\(\.\./notebooks/\2\.ipynb\)\.\s+", section)
        if not head:
            raise ValueError(f"a part begins {section[:80]!r}, expected ## with the notebook's number and title, and "
                             "below it the notebook's link")
        blocks = re.split(r"^(?=\*\*\d+\. )", section[head.end():], flags=re.MULTILINE)[1:]
        if not blocks or not section[head.end():].startswith(blocks[0]):
            raise ValueError(f"{head[1]}: between the link and the first question stands something that is no question")
        parts.append(Part(head[2], head[1], [read_question(block, head[2], number)
                                             for number, block in enumerate(blocks, 1)]))
    return parts


# --- GIFT ---

def escaped(text: str) -> str:
    return re.sub(r"([\\~=#{}:])", r"\\\1", text)


def share(percent: float) -> str:
    """A weight as Moodle knows it, to five places: %33.33333%."""
    return f"%{percent:.5f}".rstrip("0").rstrip(".") + "%"


def gift_answers(question: Question) -> list[str]:
    if question.form == TRUTH:
        return [question.right[0].upper()]
    if question.number:
        value, tolerance = question.number
        return [f"#{value:g}:{tolerance:g}"]
    if question.form == CHOICE:
        return [("=" if letter in question.right else "~") + escaped(text) for letter, text in question.options.items()]
    wrong = len(question.options) - len(question.right)  # whoever ticks everything gets nothing, unless all is right
    return [f"~{share(100 / len(question.right) if letter in question.right else -100 / wrong)}{escaped(text)}"
            for letter, text in question.options.items()]


def gift(question: Question) -> str:
    """One question in GIFT, without an empty line, which would end it."""
    lines = [*gift_answers(question), f"####{escaped(question.feedback)}"]
    return (f"::{escaped(f'{question.name} {question.kind}')}::[html]{escaped(question.prompt)}{{\n"
            + "".join(f"{line}\n" for line in lines) + "}\n")


def gift_bank(parts: list[Part]) -> str:
    """The whole bank, a category for each notebook."""
    return "\n".join(text for part in parts for text in (
        f"$CATEGORY: Multimodal sentiment analysis/{part.title}\n", *map(gift, part.questions)))


def main() -> int:
    from qti import write_package

    parts = read_bank(BANK.read_text(encoding="utf8"))
    (QUIZ / "qti").mkdir(parents=True, exist_ok=True)
    (QUIZ / "quiz.gift").write_text(gift_bank(parts), encoding="utf8")
    for part in parts:
        write_package(part, QUIZ / "qti" / f"{part.notebook}.zip")
    print(f"{sum(len(part.questions) for part in parts)} questions on {len(parts)} notebooks: "
          f"{(QUIZ / 'quiz.gift').relative_to(ROOT)} and {len(parts)} packages in {(QUIZ / 'qti').relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
