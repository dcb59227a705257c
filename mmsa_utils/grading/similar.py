"""Answers that are alike: two to look at, never a verdict. Names, comments and the order of lines do not count.

An answer's syntax tree is taken apart into small pieces (a node and its children, a node below two others), counted,
and two answers are as alike as their pieces: how many they share of all that either has (Ruzicka's similarity, a
weighted Jaccard index). What is short, what stands in the notebook's own solution, and what much of the class wrote in
the same way says nothing, and is left out.
"""

from __future__ import annotations

import ast
import builtins
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .answers import Written, parsed
from .hand_ins import HandIn

ALIKE = 0.8  # from which on two answers are pointed out; independent ones of the tests reach 0.74
FEWEST = 60  # pieces that an answer must have: what is shorter is written alike by many
MANY, SHARE = 4, 0.1  # an answer that more students than both have in this form is the usual one
_BUILTINS = frozenset(dir(builtins))


@dataclass(frozen=True)
class Shape:
    """The pieces of an answer, how many they are, and whose it is."""

    pieces: Counter
    size: int
    student: str
    file: str


def label(node: ast.AST) -> str:
    """What a node is, without the names that somebody chose and without how a number is written."""
    kind = type(node).__name__
    if isinstance(node, ast.Name):
        return f"{kind} {node.id}" if node.id in _BUILTINS else kind
    if isinstance(node, ast.Attribute):
        return f"{kind} {node.attr}"
    if isinstance(node, ast.Constant):
        value = node.value
        if isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e300:
            value = float(value)
        return f"{kind} {value!r}"
    if isinstance(node, ast.keyword):
        return f"{kind} {node.arg}"
    return kind


def pieces(statements: Sequence[ast.stmt]) -> Counter:
    """The pieces of some statements: each node with its children, in any order, and each node below two others."""
    found: Counter = Counter()
    waiting: list[tuple[ast.AST, str, str]] = [(statement, "", "") for statement in statements]
    while waiting:
        node, above, beyond = waiting.pop()
        here, children = label(node), [child for child in ast.iter_child_nodes(node) if not _idle(node, child)]
        family = (here, *sorted(map(label, children)))
        found[family] += 1
        found[(beyond, above, here)] += 1
        waiting += [(child, here, above) for child in children]
    return found


def _idle(node: ast.AST, child: ast.AST) -> bool:
    """What says nothing of how an answer works: documentation, types, and whether a name is read or written."""
    if isinstance(child, ast.expr_context):
        return True
    if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
        return True
    return child in (getattr(node, "annotation", None), getattr(node, "returns", None))


def alike(one: Shape, other: Shape) -> float:
    """How alike two answers are, 0 to 1; of two that differ much in size, the most that it could be."""
    if min(one.size, other.size) < ALIKE * max(one.size, other.size):  # it cannot be more than this
        return min(one.size, other.size) / max(one.size, other.size)
    shared = sum((one.pieces & other.pieces).values())
    return shared / (one.size + other.size - shared)


def similar(handed_in: Sequence[tuple[HandIn, Mapping[str, Written]]],
            follow: Callable[[Sequence[str]], Any] = iter) -> tuple[list[dict[str, Any]], dict[str, str]]:
    """Pairs of students whose answers are alike, the nearest first; and for each exercise what was left out, in words.

    Args:
        handed_in: what counts of each student, with its answers.
        follow: walks through the exercises, under a progress bar for one.
    """
    folds = _folds([item for item, _ in handed_in])
    pairs: list[dict[str, Any]] = []
    left_out: dict[str, str] = {}
    numbers = list(dict.fromkeys(number for _, answers in handed_in for number in answers))
    for number in follow(numbers):
        answers = [(item, answers[number].statements) for item, answers in handed_in if number in answers]
        if len({item.student for item, _ in answers}) < 2:
            continue
        shapes, why = _telling(answers, folds)
        near = _near(shapes)
        limit = max(MANY, SHARE * len(answers))
        common = {i for i, others in near.items() if len({shapes[j].student for j in others}) >= limit}
        why["as many others wrote it"] = len(common)
        pairs += [{"exercise": number, "alike": round(found, 3), "student": shapes[j].student, "file": shapes[j].file,
                   "other student": shapes[i].student, "other file": shapes[i].file}
                  for i, others in near.items() for j, found in others.items() if j < i and not {i, j} & common]
        if any(why.values()):
            left_out[number] = f"of {len(answers)}: " + ", ".join(f"{n} {words}" for words, n in why.items() if n)
    return sorted(pairs, key=lambda pair: (-pair["alike"], pair["exercise"])), left_out


def _telling(answers: Sequence[tuple[HandIn, Sequence[ast.stmt]]],
             folds: Sequence[Sequence[ast.stmt]]) -> tuple[list[Shape], dict[str, int]]:
    """The shapes of those answers to one exercise that can tell something, and why how many others cannot."""
    usual = [_shape(fold) for fold in folds]
    given = _given([statements for _, statements in answers])
    given |= {_key(statement) for fold in folds for statement in fold}
    shapes, why = [], {"too short to tell": 0, "as in the notebook's own solution": 0}
    for item, statements in answers:
        whole = _shape(statements)
        own = _shape([statement for statement in statements if _key(statement) not in given], item)
        if whole.size >= FEWEST and any(alike(whole, fold) >= ALIKE for fold in usual):
            why["as in the notebook's own solution"] += 1
        elif own.size < FEWEST:
            why["too short to tell"] += 1
        else:
            shapes.append(own)
    return shapes, why


def _shape(statements: Sequence[ast.stmt], item: HandIn | None = None) -> Shape:
    counted = pieces(statements)
    return Shape(counted, sum(counted.values()), item.student if item else "", item.file if item else "")


def _near(shapes: Sequence[Shape]) -> dict[int, dict[int, float]]:
    """Place of a shape → places of those of other students that are alike, and how much."""
    near: dict[int, dict[int, float]] = {}
    for i, one in enumerate(shapes):
        for j, other in enumerate(shapes[:i]):
            if one.student != other.student and (found := alike(one, other)) >= ALIKE:
                near.setdefault(i, {})[j] = near.setdefault(j, {})[i] = found
    return near


def _key(statement: ast.stmt) -> str:
    """A statement's form, by which equal ones are known."""
    return repr(sorted(pieces([statement]).items(), key=repr))


def _given(answers: Sequence[Sequence[ast.stmt]]) -> set[str]:
    """Forms of statements that more than half of at least four answers have: what the task itself brought along."""
    counts = Counter(key for statements in answers for key in {_key(statement) for statement in statements})
    return {key for key, count in counts.items() if len(answers) >= 4 and 2 * count > len(answers)}


def _folds(handed_in: Sequence[HandIn]) -> list[list[ast.stmt]]:
    """The solutions that stand in the notebooks: what more than half of a notebook's hand-ins have in their texts."""
    books = Counter(item.notebook for item in handed_in)
    counts = Counter((item.notebook, block) for item in handed_in for block in set(item.folds))
    found = [parsed(block) for (book, block), count in counts.items() if 2 * count > books[book]]
    return [fold for fold in found if fold]
