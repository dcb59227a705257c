"""The seams: any set of sides, any fusion, any encoder; sides that are missing; workers; numbers as labels."""

import inspect
import multiprocessing
import pickle
from importlib.metadata import version

import pytest
import torch
import toys
from packaging.version import Version
from torch import nn

from mmsa_utils import (
    BINARY_LABELS,
    LABELS,
    Concat,
    Encoded,
    Features,
    FoodPosts,
    MultimodalSentimentModel,
    Post,
    Reader,
    align,
    evaluate,
    extract_features,
    head_answers,
    learn_familiarity,
    load_image_encoder,
    load_text_encoder,
    make_loader,
    measure,
    random_head,
    train,
)
from mmsa_utils.encoders.table import ENCODERS
from mmsa_utils.fusion.table import FUSIONS, make_fusion
from mmsa_utils.learning.cache import cached_features


@pytest.fixture(scope="module")
def posts() -> dict[str, list[Post]]:
    return {split: list(FoodPosts(n, split)) for split, n in (("train", 96), ("validation", 32))}


@pytest.fixture(scope="module")
def model() -> MultimodalSentimentModel:
    return MultimodalSentimentModel(frozen=True).eval()


@pytest.fixture
def toy(monkeypatch) -> None:
    monkeypatch.setitem(ENCODERS["text"], "words", toys.load_words)
    monkeypatch.setitem(FUSIONS, "gate", toys.Gate)


def ask(model: MultimodalSentimentModel, posts: list[Post]) -> torch.Tensor:
    return model.predict(*([getattr(post, side) for post in posts] for side in model.sides))


@pytest.mark.usefixtures("toy")
class TestANewPart:
    @pytest.mark.parametrize("parts", [{"text": "words"}, {"fusion": "gate"}, {"text": "words", "fusion": "gate"},
                                       {"text": "words", "image": None}, {"text": None, "fusion": "gate"}])
    @pytest.mark.parametrize("classes", [LABELS, BINARY_LABELS, ("a", "b", "c", "d", "e")])
    def test_from_training_to_a_prediction(self, posts, tmp_path, parts, classes):
        model = MultimodalSentimentModel(**{"image": "resnet18", **parts}, classes=classes)
        usable = {split: [post for post in chosen if post.label < len(classes)] for split, chosen in posts.items()}
        history = train(model, make_loader(usable["train"][:32], model), make_loader(usable["validation"][:8], model),
                        epochs=1, show_progress=False)
        assert history[0]["loss"] > 0
        model.save_pretrained(tmp_path / "kept")
        again = MultimodalSentimentModel.from_pretrained(tmp_path / "kept")
        assert again.classes == classes
        assert torch.equal(ask(again, usable["validation"][:8]), ask(model, usable["validation"][:8]))

    def test_alignment_and_cache(self, posts, tmp_path):
        model = MultimodalSentimentModel("words", "vit", fusion="gate", frozen=True)
        cached = {split: cached_features(model, chosen, tmp_path, show_progress=False)
                  for split, chosen in posts.items()}
        assert cached["train"].sides["image"].tokens.shape == (96, 65, 128)  # [CLS] and 8 x 8 patches
        assert cached["train"].sides["image"].tokens.dtype == torch.float16
        before = measure(model.fusion, model.head, cached["train"])["loss"]
        history = align(model.fusion, model.head, cached["train"], cached["validation"], epochs=8)
        assert len(history) == 9
        assert measure(model.fusion, model.head, cached["train"])["loss"] < before - 0.1
        fused_again = ask(model, posts["validation"])
        assert torch.allclose(head_answers(model.fusion, model.head, cached["validation"]), fused_again, atol=0.01)

    def test_each_is_one_short_file(self):
        assert len(inspect.getsource(toys).splitlines()) < 100  # both together


@pytest.mark.parametrize("fusion", FUSIONS)
def test_every_fusion_of_the_course_from_training_to_a_reading(posts, tmp_path, fusion):
    model = MultimodalSentimentModel(fusion=fusion, frozen=True)
    cached = {split: cached_features(model, chosen, tmp_path, show_progress=False) for split, chosen in posts.items()}
    before = measure(model.fusion, model.head, cached["train"])["loss"]
    align(model.fusion, model.head, cached["train"], cached["validation"], epochs=6)
    assert measure(model.fusion, model.head, cached["train"])["loss"] < before - 0.1
    model.familiarity = learn_familiarity(model, posts["train"], posts["validation"])
    model.save_pretrained(tmp_path / "kept")
    again = MultimodalSentimentModel.from_pretrained(tmp_path / "kept")
    assert type(again.fusion) is FUSIONS[fusion]
    assert torch.equal(ask(again, posts["validation"][:8]), ask(model, posts["validation"][:8]))
    post = posts["validation"][0]
    assert torch.allclose(ask(model, [post])[0], ask(model, posts["validation"][:8])[0], atol=1e-5)  # its padding too
    reading = Reader(again).read(post.text, post.image)
    assert all(len(said) == 3 for said in (reading.both, reading.text, reading.picture) if said is not None)
    lacking = model.predict([post.text, None], [None, post.image])
    assert lacking.isfinite().all()
    history = train(MultimodalSentimentModel(fusion=fusion), make_loader(posts["train"][:16], model),
                    make_loader(posts["validation"][:8], model), epochs=1, show_progress=False)
    assert history[-1]["loss"] > 0


@pytest.mark.skipif(Version(version("torch")) < Version("2.7"),
                    reason="torch 2.6 does not follow the networks of transformers 4.57")
@pytest.mark.parametrize("fusion", FUSIONS)
def test_every_fusion_of_the_course_can_be_exported(fusion):
    class Met(nn.Module):
        """A fusion that takes plain tensors; whole models are exported below, and in tests/apps/test_export.py."""

        def __init__(self):
            super().__init__()
            self.fusion = make_fusion(fusion, {"text": 16, "image": 24})

        def forward(self, text, real, image, seen):
            return self.fusion({"text": Encoded(text, real), "image": Encoded(image, seen)})

    def some(n, length):
        length = length if FUSIONS[fusion].sequences else 1
        real = torch.ones(n, length, dtype=torch.bool)
        real[0, 1:] = False
        return torch.randn(n, length, 16), real, torch.randn(n, 9, 24), torch.ones(n, 9, dtype=torch.bool)

    n, tokens = torch.export.Dim("n", min=1, max=64), torch.export.Dim("tokens", min=2, max=64)
    words = {0: n, 1: tokens} if FUSIONS[fusion].sequences else {0: n}
    net = Met().eval()
    exported = torch.export.export(net, some(2, 5), strict=True, dynamic_shapes=(words, words, {0: n}, {0: n})).module()
    case = some(3, 7)
    with torch.no_grad():
        assert torch.allclose(exported(*case), net(*case), atol=1e-5)


def test_a_side_that_is_missing_is_masked_and_disturbs_nobody(posts, model):
    some = posts["train"][:4]
    whole = model.encode(**model.prepare([post.text for post in some], [post.image for post in some]))
    batch = model.prepare([some[0].text, None, some[2].text, some[3].text], [some[0].image, some[1].image, None, None])
    with torch.no_grad():
        sides = model.encode(**batch)
    assert sides["text"].mask.tolist() == [[True], [False], [True], [True]]
    assert sides["image"].mask.tolist() == [[True], [True], [False], [False]]
    for name, rows in (("text", [0, 2, 3]), ("image", [0, 1])):
        assert torch.allclose(sides[name].tokens[rows], whole[name].tokens[rows], atol=1e-5)
    fused = model.fuse(sides)
    assert fused.isfinite().all()
    assert (fused[1, :128] == 0).all()
    assert (fused[2:, 128:] == 0).all()
    assert model.predict([post.text for post in some], None).isfinite().all()
    with pytest.raises(ValueError, match=r"post 1 has neither text nor image"):
        model.predict(["Hello", None], [some[0].image, None])


def test_missing_pictures_do_not_stir_batch_normalisation(posts):
    encoder = load_image_encoder("resnet18").train()
    images = [post.image for post in posts["train"][:8]]
    expected = load_image_encoder("resnet18").train()
    expected(**expected.prepare(images))
    encoder(**encoder.prepare([None, *images[:4], None, *images[4:]]))
    for (name, one), two in zip(encoder.named_buffers(), expected.buffers()):
        assert torch.allclose(one, two, atol=1e-5), name


@pytest.mark.parametrize("load", [lambda: load_text_encoder("bert"), lambda: load_text_encoder("distilbert"),
                                  lambda: load_image_encoder("resnet18"), lambda: load_image_encoder("vit"),
                                  lambda: load_image_encoder("resnet18", "full", pretrained=False)],
                         ids=["bert", "distilbert", "resnet18", "vit", "torchvision"])
def test_every_encoder_gives_tokens_a_mask_and_their_vector(load, posts):
    encoder = load().eval()
    kind = "text" if hasattr(encoder, "tokenizer") else "image"
    items = [getattr(post, kind) for post in posts["train"][:3]]
    with torch.no_grad():
        encoded, vectors = encoder.encode(**encoder.prepare(items)), encoder(**encoder.prepare(items))
    assert encoded.tokens.shape == (3, encoded.mask.shape[1], encoder.width)
    assert encoded.mask.any(1).all()
    assert encoded.mask.shape[1] > 3
    assert torch.equal(encoder.pool(encoded), vectors)
    longer = Encoded.cat([encoded, Encoded.of(vectors)])  # padded: the vector of a post does not change
    assert torch.allclose(encoder.pool(longer.rows(slice(0, 3))), vectors, atol=1e-6)


@pytest.mark.parametrize("context", ["fork", "spawn", "forkserver"])
def test_workers_give_the_same_batches_however_they_start(posts, model, context):
    if context not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {context} on this system")
    alone = make_loader(posts["train"][:24], model, 8, shuffle=True, seed=1)
    workers = 2 if context == "fork" else 1  # those that are not forked load torch anew, which takes them seconds
    helped = make_loader(posts["train"][:24], model, 8, shuffle=True, seed=1, num_workers=workers)
    helped.multiprocessing_context = context
    for one, two in zip(alone, helped, strict=True):
        assert one.keys() == two.keys()
        assert all(torch.equal(one[name], two[name]) for name in one)


def test_everything_pickles(posts, model):
    loader = make_loader(posts["train"], model)
    light = pickle.dumps(loader.collate_fn)
    assert len(light) < 2**20  # the tokenizer's words, and no weights
    again = pickle.loads(pickle.dumps(model))
    assert torch.equal(ask(again, posts["train"][:4]), ask(model, posts["train"][:4]))
    full = load_image_encoder("resnet18", "full", pretrained=False)
    assert pickle.loads(pickle.dumps(full.prepare))([posts["train"][0].image])["pixel_values"].shape[-1] == 224


def test_numbers_can_be_learned(posts, tmp_path):
    model = MultimodalSentimentModel(classes=None, frozen=True)
    scored = {split: [Post(post.text, post.image, float(post.picture_level)) for post in chosen]
              for split, chosen in posts.items()}
    history = train(model, make_loader(scored["train"], model), make_loader(scored["validation"], model), epochs=6,
                    show_progress=False)
    assert history[-1]["mae"] < history[0]["mae"]
    assert "accuracy" not in history[0]
    figures = evaluate(model, make_loader(scored["train"], model))
    assert figures["correlation"] > 0.6
    model.save_pretrained(tmp_path)
    again = MultimodalSentimentModel.from_pretrained(tmp_path)
    assert again.classes is None
    assert ask(again, scored["train"][:3]).shape == (3, 1)
    cached = {split: extract_features(model, chosen, show_progress=False) for split, chosen in scored.items()}
    head = random_head(model.width, num_outputs=1)
    rows = align(model.fusion, head, cached["train"], cached["validation"], epochs=5)
    assert min(row["mae"] for row in rows[1:]) < rows[0]["mae"]


@pytest.mark.parametrize(("classes", "labels", "words"), [
    (None, torch.tensor([0, 1]), "floating-point"), (LABELS, torch.tensor([0.0, 1.0]), "whole numbers"),
    (BINARY_LABELS, torch.tensor([0, 2]), "expected 0 to 1"), (None, torch.tensor([0.0, float("nan")]), "finite")])
def test_labels_that_do_not_fit_the_model_are_refused(model, classes, labels, words):
    other = MultimodalSentimentModel(classes=classes, frozen=True)
    batch = {**other.prepare(["Good.", "Bad."], None), "labels": labels}
    with pytest.raises(ValueError, match=words):
        evaluate(other, [batch])


def test_features_from_elsewhere_fit_as_they_are():
    generator = torch.Generator().manual_seed(0)
    labels = torch.randint(3, (60,), generator=generator)
    tokens = torch.randn(60, 7, 5, generator=generator)
    tokens[:, 0, 0] += 4 * labels
    mask = torch.arange(7) < torch.randint(1, 8, (60, 1), generator=generator)
    vision = torch.randn(60, 3, generator=generator)
    features = Features({"audio": Encoded(tokens, mask), "vision": Encoded.of(vision)}, labels)
    fusion = Concat(features.widths)
    head = random_head(fusion.width)
    align(fusion, head, features[:40], features[40:], epochs=40, batch_size=8)
    assert measure(fusion, head, features[:40])["accuracy"] > 0.7
    noise = tokens.masked_fill(~mask.unsqueeze(-1), 1e4)  # what is masked says nothing
    same = Features({**features.sides, "audio": Encoded(noise, mask)}, labels)
    assert torch.allclose(head_answers(fusion, head, same), head_answers(fusion, head, features), atol=1e-4)
    with pytest.raises(ValueError, match="no text features"):
        head_answers(Concat({"text": 5}), head, features)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_answers_as_full_does(posts, dtype):
    model = MultimodalSentimentModel().eval()
    expected = ask(model, posts["train"][:8])
    batch = model.prepare([post.text for post in posts["train"][:8]], [post.image for post in posts["train"][:8]])
    batch["pixel_values"] = batch["pixel_values"].to(dtype)
    with torch.no_grad():
        given = model.to(dtype)(**batch)
    assert given.dtype == dtype
    assert torch.allclose(given.float().softmax(-1), expected, atol=0.05)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        mixed = model.float()(**{**batch, "pixel_values": batch["pixel_values"].float()})
    assert torch.allclose(mixed.float().softmax(-1), expected, atol=0.05)


def test_a_model_of_one_side_is_one_line(posts):
    model = MultimodalSentimentModel("bert", None)
    assert model.sides == ("text",)
    assert model.predict(["This burger is delicious!"]).shape == (1, 3)
    with pytest.raises(ValueError, match="got 2 lists: this model reads 1, texts"):
        model.predict(["Hello"], [posts["train"][0].image])
    with pytest.raises(ValueError, match="no sides"):
        MultimodalSentimentModel(None, None)


@pytest.mark.parametrize("classes", ["positive", ("one",), ("a", "a"), (1, 2), ()])
def test_odd_classes_are_refused(classes):
    with pytest.raises(ValueError, match="the classes are"):
        MultimodalSentimentModel(classes=classes)


@pytest.mark.skipif(Version(version("torch")) < Version("2.7"),
                    reason="torch 2.6 does not follow the networks of transformers 4.57")
def test_a_model_can_be_exported_for_any_number_of_posts_and_tokens(posts, model):
    some = [[post.text for post in posts["train"][:3]], [post.image for post in posts["train"][:3]]]
    n, tokens = torch.export.Dim("n", min=1, max=64), torch.export.Dim("tokens", min=2, max=64)
    shapes = {"input_ids": {0: n, 1: tokens}, "attention_mask": {0: n, 1: tokens}, "pixel_values": {0: n}}
    batch = model.prepare(*(items[:2] for items in some))
    exported = torch.export.export(model, (), kwargs=batch, dynamic_shapes={"batch": shapes}, strict=True).module()
    batch = model.prepare(*some)
    with torch.no_grad():
        assert torch.allclose(exported(**batch), model(**batch), atol=1e-5)
