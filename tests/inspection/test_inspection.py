"""Every planted bug is found, by the check that it belongs to; sound models of several makers pass."""

import copy
import math
import random

import numpy as np
import planted
import pytest
import torch
from helpers import food, generators, mini
from torch import nn

from mmsa_utils import FUSIONS, accuracy, make_loader
from mmsa_utils.inspection.answers import averaged
from mmsa_utils.inspection.case import case_of, logits_in, moved
from mmsa_utils.inspection.finding import VERDICTS, Finding, as_text, judged, not_asked, worst_first
from mmsa_utils.inspection.frozen import as_made
from mmsa_utils.inspection.inputs import digests, joined, longer, shorter, sides_of
from mmsa_utils.inspection.inspection import CHECKS, inspect_model, looked_at
from mmsa_utils.inspection.weights import untouched

pytestmark = pytest.mark.usefixtures("one_thread")


def verdicts(findings: list[Finding]) -> dict[str, str]:
    return {finding.check: finding.verdict for finding in findings}


def ill(findings: list[Finding]) -> list[str]:
    return [finding.check for finding in findings if finding.verdict == "ill"]


class Around(nn.Module):
    """Somebody's own class around one of our models, which changes what goes in or comes out."""

    def __init__(self, model, before=lambda batch: batch, after=lambda logits: logits):
        super().__init__()
        self.inner, self.before, self.after = copy.deepcopy(model), before, after

    def forward(self, **batch):
        return self.after(self.inner(**self.before(dict(batch))))


@pytest.fixture(scope="module")
def ours():
    """A model of ours that has learned, and 48 posts that it has not seen."""
    from mmsa_utils import load_model

    model = load_model()
    return model, list(make_loader(food(48, "test"), model, 24))


@pytest.mark.parametrize("bug", planted.BUGS)
def test_a_planted_bug_is_found(bug):
    case = case_of(planted.Functional(bug), planted.posts(), make=lambda: planted.Functional(bug))
    findings = [looked_at(name, case) for name in planted.BUGS[bug]]
    assert ill(findings), findings


def test_without_a_bug_each_of_these_checks_is_content():
    case = case_of(planted.Functional(), planted.posts(), make=planted.Functional)
    names = set().union(*planted.BUGS.values())
    assert len(names) > 14
    assert {looked_at(name, case).verdict for name in names} == {"sound"}


@pytest.mark.parametrize("seed", range(20))
def test_sound_models_of_strangers_pass(seed):
    two = seed % 2
    maker = [planted.Functional, planted.Bag, planted.Recurrent][seed % 3]
    classes = 2 if maker is planted.Recurrent else 3
    findings = inspect_model(maker(seed=seed), planted.posts(32, 16 - two, seed, classes), seed=seed,
                             make=lambda: maker(seed=seed), train=planted.posts(seed=seed + 1000, classes=classes))
    assert ill(findings) == []
    assert sum(verdict == "sound" for verdict in verdicts(findings).values()) >= 16


@pytest.mark.parametrize(("bug", "check"), [
    ("no mask", "padding"), ("attends to one", "attention"), ("softmax over nothing", "missing"),
    ("frozen text", "frozen")])
def test_a_bug_among_parts_of_hugging_face_is_found(bug, check):
    assert looked_at(check, case_of(planted.HuggingFace(bug), planted.posts())).verdict == "ill"


@pytest.mark.parametrize("seed", range(2))
def test_sound_models_of_hugging_face_pass(seed):
    assert ill(inspect_model(planted.HuggingFace(seed=seed), planted.posts(seed=seed), seed=seed)) == []


@pytest.mark.parametrize("fusion", ["attention", "bottleneck", "tensor", "gated"])
def test_our_models_pass(tiny, fusion):
    seed = list(FUSIONS).index(fusion)
    model = tiny(fusion=fusion, seed=seed, absent=seed % 2 == 1, frozen=seed % 3 == 2)
    findings = inspect_model(model, make_loader(food(24, "test"), model, 12), seed=seed,
                             train=make_loader(food(24), model, 12))
    assert ill(findings) == []
    assert {name for name, verdict in verdicts(findings).items() if verdict == "not asked"} <= {
        "trained", "counted", "calibration", "label_order"}


def test_one_that_has_learned_passes(ours):
    findings = inspect_model(*ours)
    assert ill(findings) == []
    assert verdicts(findings)["calibration"] == "sound"


@pytest.mark.parametrize(("names", "before", "after"), [
    ({"padding"}, lambda b: {**b, "attention_mask": torch.ones_like(b["attention_mask"])}, None),
    ({"ignored"}, lambda b: {**b, "pixel_values": torch.zeros_like(b["pixel_values"])}, None),
    ({"ignored"}, lambda b: {**b, "input_ids": torch.full_like(b["input_ids"], 7),
                             "attention_mask": torch.ones_like(b["attention_mask"])}, None),
    ({"word_order"}, lambda b: {**b, "input_ids": b["input_ids"].masked_fill(
        b["attention_mask"] == 0, 10**4).sort(1).values.remainder(10**4)}, None),
    ({"overwhelmed"}, lambda b: {**b, "pixel_values": 1e-4 * b["pixel_values"]}, None),
    ({"label_order"}, None, lambda logits: logits.roll(1, 1)),
    ({"label_order"}, None, lambda logits: logits[:, [2, 1, 0]]),
    ({"saturation"}, None, lambda logits: 1e4 * logits.roll(1, 1)),
    ({"calibration"}, None, lambda logits: 0.05 * logits),
    ({"company"}, None, lambda logits: logits - logits.mean(0)),
    ({"order"}, None, lambda logits: logits + logits.cumsum(0)),
    ({"gradients"}, None, lambda logits: logits.detach()),
    ({"attention"}, None, lambda logits: logits * torch.softmax(logits[:, :1], 1)),
])
def test_a_bug_around_our_model_is_found(ours, names, before, after):
    model, posts = ours
    given = {name: way for name, way in (("before", before), ("after", after)) if way is not None}
    case = case_of(Around(model, **given), posts)
    assert set(ill([looked_at(name, case) for name in names])) == names


def test_a_frozen_side_and_frozen_encoders(tiny):
    model = tiny()
    posts = list(make_loader(food(12), model, 12))
    model.encoders["text"].requires_grad_(False)
    found = looked_at("frozen", case_of(model, posts))
    assert found.verdict == "ill"
    assert "text" in found.saw
    model.encoders["image"].requires_grad_(False)
    assert looked_at("frozen", case_of(model, posts)).verdict == "sound"
    model.requires_grad_(False)
    assert {looked_at(name, case_of(model, posts)).verdict for name in ("frozen", "gradients", "step", "by_heart")} == {
        "not asked"}


def test_a_layer_that_never_learned_is_told_by_its_weights():
    with torch.random.fork_rng():
        torch.manual_seed(0)
        new = [nn.Linear(30, 40), nn.Conv2d(3, 8, 5), nn.Linear(200, 100)]
        other = nn.Linear(30, 40)
        nn.init.normal_(other.weight, std=0.02)
    assert all(map(as_made, new))
    assert not as_made(other)
    with torch.no_grad():
        new[0].weight += 0.05 * new[0].weight.flip(0)
    assert not as_made(new[0])


def test_what_an_optimiser_passed_over_is_told():
    model = planted.Functional()
    before = copy.deepcopy(model.state_dict())
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if not name.startswith("project"):
                weight += 1e-3
    found = looked_at("trained", case_of(model, planted.posts(), before=before))
    assert (found.verdict, found.number) == ("ill", 1)
    assert untouched(before, model.state_dict(), model) == ["project"]
    assert looked_at("trained", case_of(model, planted.posts())).verdict == "not asked"


def test_an_accuracy_is_held_against_what_is_counted():
    model, posts = planted.Functional(), planted.posts(40, 16)
    for batch, wrong in zip(posts, (0, 8, 8)):  # right are 16 of 16, 8 of 16, 0 of 8: 24 of 40
        with torch.no_grad():
            said = model(**{name: x for name, x in batch.items() if name != "labels"}).logits.argmax(1)
        batch["labels"] = (said + (torch.arange(len(said)) < wrong)) % 3
    found = {value: looked_at("counted", case_of(model, posts, accuracy=value)) for value in (0.6, 0.5, 0.4, 0.3)}
    assert {value: finding.verdict for value, finding in found.items()} == {
        0.6: "sound", 0.5: "ill", 0.4: "ill", 0.3: "ill"}
    assert "mean over batches" in found[0.5].saw  # (1 + 0.5 + 0) / 3
    assert "share of wrong answers" in found[0.4].saw
    assert "which is" not in found[0.3].saw
    assert averaged(torch.tensor([1, 1, 0, 0, 0]), [4, 1]) == 0.25


def test_posts_of_the_training_are_found_however_they_are_padded():
    train, test = planted.posts(seed=1), planted.posts(seed=2)
    again = {name: tensor[:3] for name, tensor in train[0].items()}
    again = longer(again, ("input_ids", "attention_mask"), 4)
    found = looked_at("repeated", case_of(planted.Functional(), [*test, again], train=train))
    assert found.verdict == "ill"
    assert found.number == pytest.approx(3 / 35)
    assert looked_at("repeated", case_of(planted.Functional(), test, train=train)).number == 0
    text_alone = {**test[0], "input_ids": train[0]["input_ids"], "attention_mask": train[0]["attention_mask"]}
    case = case_of(planted.Functional(), [text_alone], train=train)
    assert looked_at("repeated", case).verdict == "sound"
    assert "16 by their text" in looked_at("repeated", case).saw


def test_labels_among_the_inputs_are_found():
    posts = [{**batch, "mood": batch["labels"] * 2.0} for batch in planted.posts()]

    class Told(planted.Bag):
        def forward(self, mood, **batch):
            return super().forward(**batch)["logits"] + mood[:, None] * torch.tensor([-1.0, 0, 1])

    assert ill([looked_at("leak", case_of(Told(), posts))]) == ["leak"]
    other = [{**batch, "mood": torch.arange(float(len(batch["labels"])))} for batch in posts]
    assert looked_at("leak", case_of(Told(), other)).verdict == "sound"


def test_nothing_is_changed():
    model = planted.Recurrent().train()
    model.cnn[1].eval()
    model.lstm.weight_ih_l0.grad = torch.ones_like(model.lstm.weight_ih_l0)
    model(**{name: x for name, x in planted.posts(classes=2)[0].items() if name != "labels"})
    weights = copy.deepcopy(model.state_dict())
    modes = [part.training for part in model.modules()]
    posts = planted.posts(classes=2)
    kept = copy.deepcopy(posts)
    random.seed(3)
    before = generators()
    inspect_model(model, posts, train=posts, make=lambda: planted.Recurrent(seed=int(np.random.randint(9))))  # noqa: NPY002
    assert generators() == before
    assert all(torch.equal(weights[name], x) for name, x in model.state_dict().items())
    assert [part.training for part in model.modules()] == modes
    assert [name for name, p in model.named_parameters() if p.grad is not None] == ["lstm.weight_ih_l0"]
    assert model.lstm.weight_ih_l0.grad.eq(1).all()
    assert all(torch.equal(a[name], b[name]) for a, b in zip(posts, kept) for name in a)


@pytest.mark.parametrize("bug", [False, True])
def test_a_model_that_cannot_be_copied_is_put_back(bug):
    model = planted.Functional()
    forward, head = model.forward, model.hidden

    def patched(**batch):  # it holds the very model: in a copy of it, too
        if bug:
            batch["attention_mask"] = torch.ones_like(batch["attention_mask"])
        return forward(**batch)

    model.forward = patched
    head.forward = lambda x: nn.functional.linear(x, head.weight, head.bias)
    model.last.bias.grad = torch.ones(3)
    weights = copy.deepcopy(model.state_dict())
    findings = inspect_model(model, planted.posts(), make=planted.Functional)
    assert ill(findings) == ["padding"] * bug
    assert all(torch.equal(weights[name], x) for name, x in model.state_dict().items())
    assert {name for name, p in model.named_parameters() if p.grad is not None} == {"last.bias"}
    assert model.training


def test_a_loader_shuffles_as_if_nobody_had_looked():
    model = mini()
    loaders = [make_loader(food(8), model, 4, shuffle=True, seed=5) for _ in range(2)]
    case_of(model, loaders[0])
    assert torch.equal(*(next(iter(loader))["labels"] for loader in loaders))


@pytest.mark.parametrize(("kind", "by_heart"), [(torch.bfloat16, "sound"), (torch.float16, "not asked")])
def test_models_of_sixteen_bits(ours, kind, by_heart):
    model, posts = ours
    batches = [{**batch, "pixel_values": batch["pixel_values"].to(kind)} for batch in posts[:1]]
    case = case_of(Around(model).to(kind), batches)
    assert {name: looked_at(name, case).verdict for name in ("padding", "company", "by_heart")} == {
        "padding": "sound", "company": "sound", "by_heart": by_heart}
    deaf = Around(model, before=lambda b: {**b, "attention_mask": torch.ones_like(b["attention_mask"])}).to(kind)
    assert looked_at("padding", case_of(deaf, batches)).verdict == "ill"


def test_the_same_seed_finds_the_same():
    one, other = (inspect_model(planted.Functional("noise"), planted.posts(), seed=4) for _ in range(2))
    assert one == other
    assert list(verdicts(one)) == list(CHECKS)


def test_a_model_that_answers_at_random_is_told_so_once():
    found = verdicts(inspect_model(planted.Functional("dropout on"), planted.posts()))
    assert found["twice"] == "ill"
    assert found["padding"] == found["order"] == found["company"] == "not asked"


def test_labels_beside_the_loader_and_none_at_all():
    posts = planted.posts()
    bare = [{name: x for name, x in batch.items() if name != "labels"} for batch in posts]
    labels = torch.cat([batch["labels"] for batch in posts])
    with_labels = verdicts(inspect_model(planted.Functional(), bare, labels=labels.tolist(), make=planted.Functional))
    assert with_labels == verdicts(inspect_model(planted.Functional(), posts, make=planted.Functional))
    without = inspect_model(planted.Functional(), bare, make=planted.Functional)
    assert {name for name, verdict in verdicts(without).items() if verdict == "not asked"} == {
        "trained", "label_order", "calibration", "counted", "leak", "repeated"}


def test_a_model_that_gives_numbers():
    class Number(planted.Bag):
        def forward(self, **batch):
            return super().forward(**batch)["logits"][:, :1]

    posts = [{**batch, "labels": batch["labels"] - 1.0} for batch in planted.posts()]
    findings = inspect_model(Number(), posts)
    assert ill(findings) == []
    assert verdicts(findings)["by_heart"] == "sound"
    assert verdicts(findings)["label_order"] == "not asked"


@pytest.mark.parametrize(("loader", "options", "words"), [
    ([], {}, "has no batches"),
    ([(torch.zeros(2), torch.zeros(2))], {}, "expected tensors by name"),
    ([{"input_ids": ["a"]}], {}, "expected tensors by name"),
    ([{"labels": torch.zeros(2)}], {}, "nothing but labels"),
    ([{"input_ids": torch.ones(2, 3, dtype=torch.long)}], {}, "cannot answer the first batch"),
    (planted.posts(), {"labels": [0, 1]}, "expected \\(32,\\)"),
    (planted.posts(classes=5), {}, "expected 0 to 2"),
    ([planted.posts()[0], {k: x for k, x in planted.posts()[1].items() if k != "labels"}], {}, "have no labels"),
])
def test_what_cannot_be_looked_at_is_refused(loader, options, words):
    with pytest.raises(ValueError, match=words):
        inspect_model(planted.Functional(), loader, **options)


def test_unknown_checks_and_verdicts_are_refused():
    with pytest.raises(ValueError, match="no check is called 'luck'"):
        looked_at("luck", case_of(planted.Functional(), planted.posts()))
    with pytest.raises(ValueError, match="the verdict of 'order' is 'fine'"):
        worst_first([Finding("order", "", "", "", None, "fine")])


def test_the_table_has_the_worst_first():
    findings = [judged("order", "did", "saw", 0.25, 0.5, "x"), not_asked("leak", "did", "no labels"),
                judged("padding", "did a", "saw b", 3.0, 0.5, "mend c")]
    assert [finding.verdict for finding in worst_first(findings)] == list(VERDICTS)
    lines = as_text(findings).splitlines()
    assert [line.split()[0] for line in lines] == ["ill", "did", "mend", "not", "sound"]
    assert "3 (at most 0.5)" in lines[0]
    assert "saw b" in lines[0]
    assert "no labels" in lines[3]
    assert as_text([]) == "No check was made."


@pytest.mark.parametrize(("number", "least", "verdict"), [
    (0.5, False, "sound"), (0.6, False, "ill"), (0.5, True, "sound"), (0.4, True, "ill"),
    (math.nan, False, "ill"), (math.nan, True, "ill"), (math.inf, False, "ill")])
def test_a_number_is_held_against_its_limit(number, least, verdict):
    found = judged("order", "did", "saw", number, 0.5, "mend", least)
    assert (found.verdict, found.limit, found.follows == "mend") == (verdict, 0.5, verdict == "ill")
    assert f"({'at least' if least else 'at most'} 0.5)" in as_text([found])


def test_tensors_find_their_sides():
    x = torch.zeros(2, 3)
    assert sides_of({"input_ids": x, "attention_mask": x, "labels": x, "pixel_values": x, "image_present": x}) == {
        "text": ("input_ids", "attention_mask"), "image": ("pixel_values", "image_present")}
    assert sides_of({"input_values": x, "attention_mask": x}) == {"voice": ("input_values", "attention_mask")}
    assert sides_of({"mood": x, "mood_mask": x, "attention_mask": x}) == {"mood": ("mood", "mood_mask")}


def test_batches_are_changed_as_said():
    batch = {"input_ids": torch.tensor([[5, 6, 7], [8, 0, 0]]), "attention_mask": torch.tensor([[1, 1, 1], [1, 0, 0]])}
    names = tuple(batch)
    assert longer(batch, names, 2, pad_id=9)["input_ids"].tolist() == [[5, 6, 7, 9, 9], [8, 0, 0, 9, 9]]
    assert longer(batch, names, 2, pad_id=9)["attention_mask"].sum(1).tolist() == [3, 1]
    index, less = shorter(batch, names, "attention_mask")
    assert (index.tolist(), less["input_ids"].tolist()) == ([1], [[8]])
    assert shorter({name: x[:1] for name, x in batch.items()}, names, "attention_mask") is None
    other = {"input_ids": torch.tensor([[1]]), "attention_mask": torch.tensor([[1]])}
    assert joined([batch, other], 9)["input_ids"].tolist() == [[5, 6, 7], [8, 0, 0], [1, 0, 0]]
    assert joined([batch, other], 2)["input_ids"].tolist() == batch["input_ids"].tolist()
    assert digests(batch, names)[1] == digests(less, names)[0] != digests(batch, names)[0]


def test_logits_are_found_in_what_a_model_gives():
    logits = torch.ones(2, 3)
    for output in (logits, {"logits": logits}, (logits, "more")):
        assert logits_in(output) is logits
    assert logits_in(torch.ones(2)).shape == (2, 1)
    with pytest.raises(TypeError, match="expected logits"):
        logits_in("three")
    with pytest.raises(TypeError, match="shape \\(2, 3, 1\\)"):
        logits_in(torch.ones(2, 3, 1))


def test_how_far_answers_move_is_told_in_their_spread():
    before = torch.tensor([[0.0, 1.0], [2.0, 1.0]])
    assert moved(before, before + torch.tensor([[0.0, 0.0], [0.5, 0.0]])) == pytest.approx(0.5)
    assert moved(before, before * math.nan) == math.inf


def test_confidence_is_what_the_answers_say(ours):
    model, posts = ours
    with torch.no_grad():
        logits = torch.cat([model(**{k: x for k, x in batch.items() if k != "labels"}) for batch in posts])
    labels = torch.cat([batch["labels"] for batch in posts])
    sure = (logits.softmax(1).max(1).values > 0.999).double().mean().item()
    found = looked_at("saturation", case_of(model, posts))
    assert found.number == pytest.approx(sure - accuracy(logits.softmax(1), labels))
