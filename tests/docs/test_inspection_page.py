"""docs/inspection.md keeps to the checks: each has its line and threshold, and the example does what it says."""

import copy
import re
from contextlib import redirect_stdout
from io import StringIO

import planted
import pytest
import torch
from prose import ROOT

from mmsa_utils.inspection.case import answers_to, case_of
from mmsa_utils.inspection.finding import Finding, against
from mmsa_utils.inspection.inspection import CHECKS, looked_at

pytestmark = pytest.mark.usefixtures("one_thread")
PAGE = (ROOT / "docs" / "inspection.md").read_text(encoding="utf8")


def asked() -> list[Finding]:
    """Every check of a model that has everything: labels that it knows, what it was, and posts that it learned from."""
    model, posts = planted.Functional(), planted.posts()
    labels = answers_to(copy.deepcopy(model).eval(), [
        {name: x for name, x in batch.items() if name != "labels"} for batch in posts]).argmax(1)
    case = case_of(model, posts, labels=labels, make=planted.Functional, accuracy=1.0, train=planted.posts(seed=1),
                   before=planted.Functional(seed=1).state_dict())
    return [looked_at(name, case) for name in CHECKS]


def test_the_table_has_every_check_with_its_threshold():
    rows = re.findall(r"^\| `(\w+)` \| [^|]+ \| (at [^|]+) \| [^|]+ \| [^|]+ \|$", PAGE, flags=re.MULTILINE)
    assert [name for name, _ in rows] == list(CHECKS)
    assert [(found.check, against(0, found.limit, found.least)) for found in asked()] == [
        (name, f"0 ({threshold})") for name, threshold in rows]


def test_the_example_finds_its_mistake_and_the_repair_mends_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    example, repair = re.findall(r"^```python\n(.*?)^```$", PAGE, flags=re.DOTALL | re.MULTILINE)
    names: dict = {}
    with redirect_stdout(StringIO()) as out, torch.random.fork_rng():
        exec(example, names)
    assert [finding.check for finding in names["findings"] if finding.verdict == "ill"] == ["padding"]
    (printed,) = re.findall(r"^```text\n(.*?)^\.\.\.$", PAGE, flags=re.DOTALL | re.MULTILINE)
    for told, said in zip(printed.splitlines(), out.getvalue().splitlines()):
        assert re.sub(r"\d\.\d+ +", "", told) == re.sub(r"\d\.\d+ +", "", said)  # the number may be another elsewhere
    assert "padding: ill" in (tmp_path / "inspection.html").read_text(encoding="utf8")
    faulty = "        text = states.mean(1)\n"
    assert example.count(faulty) == 1
    with redirect_stdout(StringIO()), torch.random.fork_rng():
        exec(example.replace(faulty, repair).partition("\ntorch.manual_seed")[0], names)
    assert looked_at("padding", case_of(names["MyModel"](), names["batches"])).verdict == "sound"
