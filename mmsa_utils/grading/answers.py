"""A student's own code for each exercise: found in the cells by the check that it is handed to, and never run.

What comes from a student may be written to bring a parser down, so cells above MOST_SIGNS are left alone.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from dataclasses import dataclass

from ..exercises.table import EXERCISES

MOST_SIGNS = 20_000  # of a cell: far more than any answer has, and too few to nest deep enough to harm the parser
_NUMBERS = {name: number for number, name in EXERCISES.items()}


@dataclass(frozen=True)
class Written:
    """An answer as it stands in a notebook: the text of its cells, and its statements without the check's own."""

    text: str
    statements: tuple[ast.stmt, ...]


def parsed(source: str) -> list[ast.stmt]:
    """The statements of a cell; of one that is no Python or too large, none. Magics and shell lines are left out."""
    if len(source) > MOST_SIGNS:
        return []
    for text in (source, re.sub(r"^(\s*)[%!?].*$", r"\1pass", source, flags=re.MULTILINE)):
        try:
            return ast.parse(text).body
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
    return []


def written(cells: Sequence[str]) -> dict[str, Written]:
    """Exercise → the answer that its check was last handed in these cells.

    The answer is what stands in the cell of the check, without the check; and, where the name that it was handed is
    defined in an earlier cell, that definition.
    """
    bodies, found = [parsed(source) for source in cells], {}
    for place, body in enumerate(bodies):
        for check, handed in [pair for statement in body for pair in _checks(statement)]:
            own = [statement for statement in body if not any(True for _ in _checks(statement))]
            texts = [cells[place]]
            name = handed.id if isinstance(handed, ast.Name) else None
            if name is None:
                own.append(ast.Expr(handed))  # a lambda, or a value as it stands
            elif not any(_defines(statement, name) for statement in own):
                for earlier in range(place - 1, -1, -1):
                    if there := [statement for statement in bodies[earlier] if _defines(statement, name)]:
                        own, texts = [*there, *own], [cells[earlier], *texts]
                        break
            found[check] = Written("\n\n".join(texts), tuple(own))
    return found


def _checks(statement: ast.stmt):
    """The checks that a statement at the top of a cell calls: (exercise, what it is handed)."""
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        return
    for node in ast.walk(statement):
        if (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args
                and node.func.attr in _NUMBERS and isinstance(node.func.value, ast.Name)):
            yield _NUMBERS[node.func.attr], node.args[0]


def _defines(statement: ast.stmt, name: str) -> bool:
    """Whether a statement gives a name its meaning."""
    if isinstance(statement, (ast.FunctionDef, ast.ClassDef)):
        return statement.name == name
    targets = statement.targets if isinstance(statement, ast.Assign) else []
    return any(isinstance(node, ast.Name) and node.id == name for target in targets for node in ast.walk(target))
