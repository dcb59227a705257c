"""claims.py measures what the notebooks claim; docs/claims.md lists exactly its claims."""

import ast
import inspect
import json
import re

import claims
import claims_common
import pytest
from prose import ROOT

from mmsa_utils.encoders.base import masked_mean

PAGE = ROOT / "docs" / "claims.md"
ROW = re.compile(r"^\| (\d\d) \| (.+?) \| (\d+) of (\d+) \| (\S+) \|$", re.M)


def claims_in(function: ast.FunctionDef) -> list[str]:
    """The claims that a notebook's function makes, as patterns: the keys of its dictionaries that are sentences."""
    keys: list[ast.expr | None] = []
    for node in ast.walk(function):
        if isinstance(node, ast.Dict):
            keys += node.keys
        elif isinstance(node, ast.DictComp):
            keys.append(node.key)
        elif isinstance(node, ast.Assign):
            keys += [target.slice for target in node.targets if isinstance(target, ast.Subscript)]
    parts = [key.values if isinstance(key, ast.JoinedStr) else [key] for key in keys]
    found = ["".join(re.escape(one.value) if isinstance(one, ast.Constant) else ".+" for one in some)
             for some in parts if all(isinstance(getattr(one, "value", ""), (str, ast.expr)) for one in some)]
    return [pattern for pattern in found if pattern.count(" ") >= 2 and len(pattern) > 12]


def test_the_page_lists_the_claims_of_the_tool():
    functions = {node.name[-2:]: claims_in(node) for path in sorted((ROOT / "tools" / "measure").glob("claims_*.py"))
                 for node in ast.parse(path.read_text(encoding="utf8")).body
                 if isinstance(node, ast.FunctionDef) and node.name.startswith("notebook_")}
    assert functions.keys() == claims.GROUPS.keys()
    rows = ROW.findall(PAGE.read_text(encoding="utf8"))
    assert [number for number, *_ in rows] == sorted(number for number, *_ in rows)
    for number, patterns in functions.items():
        listed = [claim for of, claim, *_ in rows if of == number]
        assert listed, number
        assert not [claim for claim in listed if not any(re.fullmatch(one, claim) for one in patterns)], number
        assert not [one for one in patterns if not any(re.fullmatch(one, claim) for claim in listed)], number
    # Twenty seeds were run of nearly all; of the largest and of the newest there was time for fewer.
    assert all(int(seeds) >= 7 for *_, seeds, _ in rows)


def test_every_claim_has_a_margin_for_every_seed():
    """Of two notebooks, on a few posts; to run all of them takes minutes, and the tool's own run is for that."""
    quick = claims.measured(["01", "04"], 1, part=0.03, show_progress=False)
    assert all(len(row) == 1 and isinstance(row[0], float) for group in quick.values() for row in group.values())
    for number, claim in (("01", "no validation or test text is a training text"),
                          ("04", "best of 10,000 linear heads: 3 of 4 cases"),
                          ("04", "in train() the same post gets another answer")):  # these hold on few posts too
        assert quick[number][claim][0] > 0, claim


def test_what_the_claims_borrow_is_defined_in_the_notebooks():
    calls = [node for path in sorted((ROOT / "tools" / "measure").glob("claims_*.py"))
             for node in ast.walk(ast.parse(path.read_text(encoding="utf8")))
             if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "borrowed"]
    assert len(calls) > 5
    for call in calls:
        names = [one.value for one in call.args if isinstance(one, ast.Constant)]
        if len(names) == len(call.args):
            (path,) = (ROOT / "notebooks").glob(f"{names[0]}_*.ipynb")
            source = "\n".join("".join(cell["source"]) for cell in json.loads(path.read_text(encoding="utf8"))["cells"])
            defined = re.findall(r"^(?:(?:def|class) (\w+)|([\w, ]+) = )", source, re.M)
            known = {name.strip() for pair in defined for part in pair for name in part.split(",")}
            assert set(names[1:]) <= known, path.name


def test_what_does_not_hold_is_counted_and_reported(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(claims, "GROUPS", {"00": lambda seed, n: {"late": seed - 1, "always": 2},
                                           "01": lambda seed, n: {"posts": n(1000), "no number": float("nan")}})
    path = tmp_path / "margins.json"
    assert claims.main(["--seeds", "3", "--json", str(path)]) == 1
    out = capsys.readouterr().out
    assert ROW.findall(out) == [("00", "late", "1", "3", "-1"), ("00", "always", "3", "3", "2"),
                                ("01", "posts", "3", "3", "1e+03"), ("01", "no number", "0", "3", "nan")]
    assert "2 of 4 claims" in out
    assert json.loads(path.read_text(encoding="utf8"))["00"] == {"late": [-1, 0, 1], "always": [2, 2, 2]}
    monkeypatch.setattr(claims, "GROUPS", {"00": claims.GROUPS["00"]})
    assert claims.main(["--seeds", "1", "--only", "00"]) == 1
    monkeypatch.setattr(claims, "GROUPS", {"00": lambda seed, n: {"always": 1}})
    assert claims.main(["--seeds", "2"]) == 0


def test_functions_are_borrowed_from_the_notebooks():
    (masked,) = claims_common.borrowed("02", "masked_mean")
    assert masked is not masked_mean
    assert masked.__code__.co_code == masked_mean.__code__.co_code
    before, changes = claims_common.borrowed("03", "before", "changes")
    assert before[0].dish == "burger"
    assert "mouldy" in changes
    with pytest.raises(KeyError, match="masked_mean"):  # a name of the package that this notebook does not define
        claims_common.borrowed("07", "masked_mean", "overall")


def test_choices_are_arguments_with_three_values_of_which_one_is_the_notebooks():
    choices = {(number, name): values for number, some in claims.CHOICES.items() for name, values in some.items()}
    assert len(choices) >= 30
    for (number, name), values in choices.items():
        own = inspect.signature(claims.GROUPS[number]).parameters[name].default
        assert len(values) == len(set(values)) == 3, (number, name)
        assert own in values, (number, name)


def test_what_turns_round_with_another_choice_is_said(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(claims, "GROUPS", {"00": lambda seed, n, rate=2: {"fast": 3 - rate, "always": 1}})
    monkeypatch.setattr(claims, "CHOICES", {"00": {"rate": (1, 2, 4)}})
    assert claims.main(["--choices", "--json", str(tmp_path / "rows.json")]) == 0
    out = capsys.readouterr().out
    assert "| 00 | rate | 2 | 2 of 2 | - |" in out
    assert "| 00 | rate | 4 | 1 of 2 | fast |" in out
    assert json.loads((tmp_path / "rows.json").read_text(encoding="utf8"))[2] == ["00", "rate", 4, 1, 2, ["fast"]]
