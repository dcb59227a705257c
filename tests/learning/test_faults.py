"""Faults that were found once, each as a kind: the right value is the test."""

import copy
import multiprocessing
import threading

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from mmsa_utils import (
    BINARY_LABELS,
    Concat,
    Encoded,
    Features,
    FoodPosts,
    MultimodalSentimentModel,
    Post,
    accuracy,
    align,
    evaluate,
    fit_temperature,
    load_text_encoder,
    loss_of,
    make_loader,
    measure,
    random_head,
    train,
)
from mmsa_utils.bars import progress
from mmsa_utils.learning.cache import cached_features
from mmsa_utils.learning.metrics import calibration_error, confusion, macro_f1, summary
from mmsa_utils.learning.runs import read
from mmsa_utils.model.head import Dropout, Scale
from mmsa_utils.model.modes import evaluating
from mmsa_utils.posts.identity import identity
from mmsa_utils.seeds import seeded


@pytest.fixture(scope="module")
def posts() -> list[Post]:
    return list(FoodPosts(24, binary=True))


def small(frozen: bool = True) -> MultimodalSentimentModel:
    return MultimodalSentimentModel("bert", None, classes=BINARY_LABELS, frozen=frozen, hidden=16)


def fake_features(n: int, seed: int = 0) -> Features:
    """Two sides that say something about three classes."""
    generator = torch.Generator().manual_seed(seed)
    labels = torch.randint(3, (n,), generator=generator)
    sides = {name: torch.randn(n, width, generator=generator) + labels.unsqueeze(1) * torch.eye(width)[0]
             for name, width in (("text", 8), ("image", 6))}
    return Features({name: Encoded.of(vectors) for name, vectors in sides.items()}, labels)


def weights(net: nn.Module) -> torch.Tensor:
    return torch.cat([tensor.flatten().float() for tensor in net.state_dict().values()])


class Counted(list):
    """Batches that count how often they are asked for from the start."""

    asked = 0

    def __iter__(self):
        Counted.asked += 1
        return super().__iter__()


@pytest.mark.parametrize("show", [True, False])
def test_a_bar_asks_its_items_once(show):
    items = Counted(range(5))
    Counted.asked = 0
    assert list(progress(items, "count", show)) == [0, 1, 2, 3, 4]
    assert Counted.asked == 1


def test_a_progress_bar_changes_nothing(posts, monkeypatch):
    import tqdm.auto
    import tqdm.std

    class AsInANotebook(tqdm.std.tqdm):
        def __iter__(self):
            iter(self.iterable)  # what tqdm's notebook bar does: a loader draws its shuffle's seed here
            yield from super().__iter__()

    monkeypatch.setattr(tqdm.auto, "tqdm", AsInANotebook)
    found = []
    for show in (True, False):
        model = small()
        train(model, make_loader(posts, model, 8, shuffle=True), make_loader(posts[:4], model), epochs=2,
              show_progress=show)
        found.append(weights(model.head))
    assert torch.equal(*found)


@pytest.mark.parametrize("logit", [0.3, 17.0, 30.0, 90.0, 800.0])
@pytest.mark.parametrize("columns", [1, 3])
def test_the_loss_is_exact_at_any_logit(posts, logit, columns):
    labels = torch.tensor([0, 1])
    logits = torch.full((2, columns), -logit) if columns == 1 else torch.tensor([[0.0, -logit, 0.0]] * 2)
    exact = F.softplus(torch.tensor([-logit, logit], dtype=torch.double)) if columns == 1 else (
        torch.logsumexp(logits.double(), -1) - logits.double()[[0, 1], labels])
    head = nn.Sequential(nn.Linear(columns, columns))
    with torch.no_grad():
        head[0].weight.copy_(torch.eye(columns))
        head[0].bias.zero_()
    features = Features({"text": Encoded.of(logits)}, labels)

    class AsItIs(Concat):
        def forward(self, sides):
            return sides["text"].pooled

    found = measure(AsItIs({"text": columns}), head, features)["loss"]
    assert found == pytest.approx(exact.mean().item(), rel=1e-6)

    class Model(nn.Module):
        classes, device = ("a", "b") if columns == 1 else ("a", "b", "c"), torch.device("cpu")

        def forward(self, x):
            return x

    assert evaluate(Model(), [{"x": logits, "labels": labels}])["loss"] == pytest.approx(exact.mean().item(), rel=1e-6)


def test_of_two_sure_epochs_the_less_wrong_one_is_kept():
    """Beyond a logit of 17 both looked alike: 27.6 for each mistake."""
    sure, surer = torch.tensor([[40.0]]), torch.tensor([[400.0]])
    assert loss_of(sure, torch.tensor([0])) < loss_of(surer, torch.tensor([0]))


@pytest.mark.parametrize("value", [0.0, 3.0, 1e4])
def test_a_column_without_variance_is_harmless(value):
    train_set, validation = fake_features(n=64), fake_features(n=32, seed=1)

    def with_constant(features: Features, offset: float) -> Features:
        vectors = features.sides["text"].pooled.clone()
        vectors[:, 3] = value + offset
        return Features({**features.sides, "text": Encoded.of(vectors)}, features.labels)

    class Plain(Concat):
        def forward(self, sides):
            return torch.cat([side.pooled for side in self.chosen(sides)], -1)

    fusion = Plain(train_set.widths)
    head = random_head(fusion.width)
    align(fusion, head, with_constant(train_set, 0.0), with_constant(validation, 0.0), epochs=3)
    same = measure(fusion, head, with_constant(validation, 0.0))["loss"]
    other = measure(fusion, head, with_constant(validation, 1e-3))["loss"]
    assert abs(same - other) < 0.01  # it was scaled by a million


def test_a_missing_side_is_a_constant_one_and_aligns(posts):
    features = fake_features(n=64)
    gone = Encoded(features.sides["image"].tokens, torch.zeros(64, 1, dtype=torch.bool))
    missing = Features({**features.sides, "image": gone}, features.labels)
    fusion = Concat(features.widths)
    head = random_head(fusion.width)
    history = align(fusion, head, missing[:48], missing[48:], epochs=5)
    assert all(row["loss"] < 5 for row in history)


def test_a_side_of_width_one_is_not_erased():
    sides = {"text": Encoded.of(torch.randn(5, 8)), "image": Encoded.of(torch.arange(5.0).unsqueeze(1))}
    assert Concat({"text": 8, "image": 1})(sides)[:, 8].tolist() == [0, 1, 2, 3, 4]


def test_scale_is_idle_until_it_has_measured_and_then_keeps_constant_columns():
    scale = Scale(3)
    inputs = torch.stack([torch.arange(6.0), torch.full((6,), 7.0), torch.zeros(6)], 1)
    assert torch.equal(scale(inputs), inputs)
    scale.measure(inputs)
    scaled = scale(inputs)
    assert torch.allclose(scaled.mean(0), torch.zeros(3), atol=1e-6)
    assert scaled[:, 0].square().mean().item() == pytest.approx(1)
    assert torch.equal(scaled[:, 1:], torch.zeros(6, 2))
    assert torch.allclose(scale(inputs + 1)[:, 1], torch.ones(6))


def test_what_a_callback_draws_changes_nothing(posts):
    def run(on_epoch) -> tuple[torch.Tensor, torch.Tensor]:
        model = small()
        train(model, make_loader(posts, model, 8, shuffle=True), make_loader(posts[:4], model), epochs=2,
              show_progress=False, on_epoch=on_epoch)
        features = fake_features(n=64)
        head = random_head(Concat(features.widths).width)
        align(Concat(features.widths), head, features[:48], features[48:], epochs=3, on_epoch=on_epoch)
        return weights(model.head), weights(head)

    plain, drawn = run(None), run(lambda net: torch.rand(7))
    assert torch.equal(plain[0], drawn[0])
    assert torch.equal(plain[1], drawn[1])


def test_a_run_that_goes_on_refuses_to_show_only_its_later_epochs(posts, tmp_path):
    features = fake_features(n=64)

    def run(**options):
        fusion = Concat(features.widths)
        return align(fusion, random_head(fusion.width), features[:48], features[48:], epochs=2,
                     checkpoint=tmp_path / "run", **options)

    seen = []
    assert len(run(on_epoch=seen.append)) == len(seen) == 3
    with pytest.raises(ValueError, match="goes on after 3 epochs, which on_epoch would not see"):
        run(on_epoch=seen.append)
    assert len(run()) == 3


def test_frozen_encoders_are_not_written_after_each_epoch(posts, tmp_path):
    model = small()
    loader = make_loader(posts[:8], model)
    train(model, loader, loader, epochs=1, checkpoint=tmp_path / "run", show_progress=False)
    head = sum(p.numel() * p.element_size() for p in model.head.parameters())
    assert (tmp_path / "run").stat().st_size < 8 * head  # weights, the best ones, two moments, settings
    assert not any("encoders" in name for name in read(tmp_path / "run")["net"])


def test_a_run_with_other_encoders_is_another_run(posts, tmp_path):
    first, other = small(), MultimodalSentimentModel("distilbert", None, classes=BINARY_LABELS, frozen=True, hidden=16)
    other.head.load_state_dict(first.head.state_dict())
    for model in (first, other):
        loader = make_loader(posts[:8], model)
        if model is other:
            with pytest.raises(ValueError, match="another encoders"):
                train(model, loader, loader, epochs=1, checkpoint=tmp_path / "run", show_progress=False)
        else:
            train(model, loader, loader, epochs=1, checkpoint=tmp_path / "run", show_progress=False)


def test_overlapping_seeds_in_threads_give_their_own_numbers_and_leave_the_global_ones():
    before = torch.get_rng_state()
    with seeded(3):
        expected = torch.rand(400)
    found, start = {}, threading.Barrier(4)

    def draw(name: int) -> None:
        start.wait()
        with seeded(3):
            found[name] = torch.cat([torch.rand(1) for _ in range(400)])

    threads = [threading.Thread(target=draw, args=(name,)) for name in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(torch.equal(numbers, found[0]) for numbers in found.values())
    assert torch.equal(torch.cat([found[0][:1]]), expected[:1])
    assert torch.equal(torch.get_rng_state(), before)


def test_evaluating_leaves_every_part_in_its_mode():
    net = nn.Sequential(nn.Linear(2, 2), nn.Sequential(nn.Dropout(), nn.BatchNorm1d(2)))
    net.train()
    net[1][1].eval()
    before = [part.training for part in net.modules()]
    with evaluating(net):
        assert not any(part.training for part in net.modules())
    assert [part.training for part in net.modules()] == before
    net.eval()
    net[1][0].train()  # Monte Carlo dropout: a part alone
    with evaluating(net):
        assert not any(part.training for part in net.modules())
    assert net[1][0].training
    assert not net.training


def test_identity_ends_on_a_data_set_that_knows_no_end(posts):
    class Endless:
        def __len__(self):
            return 3

        def __getitem__(self, index):
            return posts[index % 3]

    assert identity(Endless()) == identity(posts[:3])


def test_dropout_compiles_in_one_piece_and_maps():
    head = nn.Sequential(Dropout(0.5), nn.Linear(4, 2)).train()
    inputs = torch.ones(6, 4)
    assert torch.compile(copy.deepcopy(head), fullgraph=True, backend="eager")(inputs).shape == (6, 2)
    mapped = torch.func.vmap(lambda row: Dropout(0.5).train()(row), randomness="different")(inputs)
    assert set(mapped.flatten().tolist()) <= {0.0, 2.0}


def test_what_is_not_a_number_is_neither_right_nor_wrong():
    probabilities, labels = torch.tensor([[float("nan")] * 2, [0.1, 0.9]]), torch.tensor([0, 1])
    for figure in (accuracy, macro_f1, calibration_error):
        assert figure(probabilities, labels) != figure(probabilities, labels)  # NaN
    assert all(value != value for value in summary(probabilities, labels).values())
    with pytest.raises(ValueError, match="NaN"):
        confusion(probabilities, labels)


def test_a_list_of_batches_is_a_loader(posts):
    model = small()
    batches = list(make_loader(posts, model, 8))
    history = train(model, batches, batches, epochs=2, show_progress=False)
    again = small()
    assert history == train(again, make_loader(posts, again, 8), make_loader(posts, again, 8), epochs=2,
                            show_progress=False)
    with pytest.raises(ValueError, match="without a length"):
        train(model, iter(batches), batches, epochs=1)
    with pytest.raises(ValueError, match="needs loaders from make_loader"):
        train(model, batches, batches, epochs=1, checkpoint="never-written")


def test_gradients_reach_the_pixels_through_frozen_encoders():
    model = MultimodalSentimentModel(None, "vit", frozen=True).eval()
    pixels = torch.zeros(1, 3, 64, 64, requires_grad=True)
    model(pixel_values=pixels).sum().backward()
    assert pixels.grad.abs().sum() > 0
    assert all(p.grad is None for p in model.encoders.parameters())


@pytest.mark.parametrize("name", ["about.json", "manifest.json", "labels.npy", "states.npy", "text.npy",
                                  "text-mask.npy"])
def test_no_file_of_a_cache_can_change_without_being_made_anew(posts, tmp_path, name):
    model = small()
    expected = copy.deepcopy(cached_features(model, posts, tmp_path, show_progress=False))  # no longer mapped
    path = next(tmp_path.glob(f"features-*/{name}"))
    whole = path.read_bytes()
    for place in (len(whole) // 2, len(whole) - 3):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1:])
        found = cached_features(model, posts, tmp_path, show_progress=False)
        assert all(torch.equal(*pair) for pair in zip(found.tensors(["text"]), expected.tensors(["text"])))
        assert found.relations == expected.relations
        assert found.text_kinds == expected.text_kinds
        assert path.read_bytes() == whole


def test_a_refused_watcher_has_changed_nothing(tmp_path):
    features = fake_features(n=64)
    fusion = Concat(features.widths)
    options = {"epochs": 2, "checkpoint": tmp_path / "run"}
    align(fusion, random_head(fusion.width), features[:48], features[48:], **options)
    head = random_head(fusion.width)
    before = weights(head[2])
    with pytest.raises(ValueError, match="on_epoch would not see"):
        align(fusion, head, features[:48], features[48:], on_epoch=print, **options)
    assert torch.equal(weights(head[2]), before)
    assert len(align(fusion, head, features[:48], features[48:], **options)) == 3  # and what was advised works


def test_a_watcher_may_wait_for_a_thread_that_draws():
    features = fake_features(n=64)
    fusion = Concat(features.widths)

    def watch(head) -> None:
        thread = threading.Thread(target=random_head, args=(4,), daemon=True)
        thread.start()
        thread.join(timeout=20)
        assert not thread.is_alive()

    found = []
    for on_epoch in (None, watch):
        head = random_head(fusion.width)
        align(fusion, head, features[:48], features[48:], epochs=2, on_epoch=on_epoch)
        found.append(weights(head))
    assert torch.equal(*found)


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="no fork here")
def test_a_process_that_was_forked_while_a_thread_drew_can_draw():
    drawing, done = threading.Event(), threading.Event()

    def draw() -> None:
        with seeded(1):
            drawing.set()
            done.wait()

    thread = threading.Thread(target=draw)
    thread.start()
    drawing.wait()
    child = multiprocessing.get_context("fork").Process(target=random_head, args=(4,))
    child.start()
    child.join(timeout=30)
    alive = child.is_alive()
    if alive:
        child.kill()
    done.set()
    thread.join()
    assert not alive


def test_who_loads_an_encoder_beside_a_run_does_not_disturb_it(posts):
    def run(beside: bool) -> torch.Tensor:
        model = small(frozen=False)
        batches = list(make_loader(posts, model, 4))
        stop = threading.Event()

        def load() -> None:
            while not stop.is_set():
                load_text_encoder("distilbert")

        thread = threading.Thread(target=load)
        if beside:
            thread.start()
        train(model, batches, batches[:1], epochs=1, show_progress=False)
        stop.set()
        if beside:
            thread.join()
        return weights(model.head)

    assert torch.equal(run(False), run(True))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("image", ["resnet18", "vit"])
def test_a_model_in_half_precision_predicts(posts, image, dtype):
    model = MultimodalSentimentModel("bert", image, classes=BINARY_LABELS).eval()
    given = [post.text for post in posts[:4]], [post.image for post in posts[:4]]
    assert torch.allclose(model.predict(*given), model.to(dtype).predict(*given).float(), atol=0.05)


def test_what_is_masked_may_be_anything():
    tokens, mask = torch.randn(3, 4, 5), torch.tensor([[1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]])
    expected = Encoded(tokens, mask.bool()).pooled
    spoiled = tokens.masked_fill(mask.unsqueeze(-1) == 0, float("nan"))
    assert torch.equal(Encoded(spoiled, mask.bool()).pooled, expected)
    assert torch.equal(Encoded(tokens, mask).pooled, expected)  # a mask of whole numbers is one
    labels = torch.tensor([0, 1, 2])
    assert Features({"text": Encoded(spoiled, mask.bool())}, labels).check()
    with pytest.raises(ValueError, match="the text features of post 1 hold NaN"):
        Features({"text": Encoded(tokens.index_fill(0, torch.tensor([1]), float("nan")), mask.bool())}, labels).check()


def test_a_layer_that_was_set_free_learns(posts, tmp_path):
    model = small()
    layer = model.encoders["text"].net.encoder.layer[-1].requires_grad_(True)
    before = weights(layer)
    batches = make_loader(posts, model, 8)
    train(model, batches, batches, epochs=1, show_progress=False, checkpoint=tmp_path / "run")
    assert not torch.equal(weights(layer), before)
    assert any("encoders" in name for name in read(tmp_path / "run")["net"])


def test_a_fusion_that_draws_draws_in_every_step():
    class Forgetful(Concat):
        asked = 0

        def forward(self, sides):
            Forgetful.asked += self.training
            return super().forward(sides)

    features = fake_features(n=64)
    fusion = Forgetful(features.widths)
    align(fusion, random_head(fusion.width), features[:48], features[48:], epochs=2, batch_size=16)
    assert Forgetful.asked == 2 * 3


@pytest.mark.parametrize("make", [
    lambda sides, labels: Features({"text": sides["text"].tokens}, labels),
    lambda sides, labels: Features({"text": Encoded(sides["text"].tokens, sides["text"].mask[:, :0])}, labels),
    lambda sides, labels: Features({"text": Encoded(sides["text"].pooled, sides["text"].mask)}, labels)])
def test_sides_of_another_form_are_refused(make):
    features = fake_features(n=6)
    with pytest.raises(ValueError, match="the text side is no Encoded"):
        make(features.sides, features.labels)


def test_labels_of_another_form_are_refused_or_understood():
    features = fake_features(n=64)
    fusion = Concat(features.widths)
    column = Features(features.sides, torch.rand(64, 1))
    with pytest.raises(ValueError, match=r"shape \(64, 1\).*squeeze"):
        align(fusion, random_head(fusion.width, 1), column, column)
    for dtype in (torch.int32, torch.uint8):
        again = Features(features.sides, features.labels.to(dtype))
        assert len(align(fusion, random_head(fusion.width), again, again, epochs=1)) == 2
    with pytest.raises(ValueError, match="expected 0 to 1"):
        measure(fusion, random_head(fusion.width, 2), features)
    numbers = Features(features.sides, torch.rand(64))
    assert "who_won" not in measure(fusion, random_head(fusion.width, 1), numbers)
    with pytest.raises(ValueError, match="temperature is for"):
        fit_temperature(fusion, random_head(fusion.width, 1), numbers)


def test_nothing_to_learn_from_is_said(posts):
    features, model = fake_features(n=8), small()
    fusion = Concat(features.widths)
    with pytest.raises(ValueError, match="there are 0 posts"):
        align(fusion, random_head(fusion.width), features[:0], features)
    with pytest.raises(ValueError, match="no batches"):
        evaluate(model, [])
    with pytest.raises(ValueError, match="without a length, or empty"):
        train(model, [], [])
    with pytest.raises(TypeError, match=r"expected a slice, such as \[3:4\]"):
        features[3]


def test_labels_in_another_order_than_the_models_are_refused():
    model = MultimodalSentimentModel("bert", None, classes=("positive", "neutral", "negative"), frozen=True)
    with pytest.raises(ValueError, match="expected the same order"):
        make_loader(FoodPosts(4), model)
