"""What several tests share: tiny checkpoints, models and posts made once, the state of the global generators."""

import datetime
import json
import os
import random
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file, save_file

from mmsa_utils import BINARY_LABELS, LABELS, PAIRS, Features, FoodPosts, MultimodalSentimentModel, Post, scenes

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "this", "burger", "is", "delicious", "awful", "the", "soup", "!"]
WIDTH = 16


def save_text(folder: Path, kind: str = "bert") -> Path:
    """bert (as the masked language model that the hub holds, with its norms' old names), distilbert or roberta."""
    from transformers import (
        BertConfig,
        BertForMaskedLM,
        BertTokenizer,
        DistilBertConfig,
        DistilBertForMaskedLM,
        RobertaConfig,
        RobertaModel,
    )

    shape = {"vocab_size": len(WORDS), "hidden_size": WIDTH, "num_hidden_layers": 1, "num_attention_heads": 2,
             "intermediate_size": 32}
    with torch.random.fork_rng():
        torch.manual_seed(1)
        if kind == "bert":
            net = BertForMaskedLM(BertConfig(**shape))
        elif kind == "distilbert":
            net = DistilBertForMaskedLM(
                DistilBertConfig(vocab_size=len(WORDS), dim=WIDTH, n_layers=1, n_heads=2, hidden_dim=32)
            )
        else:
            net = RobertaModel(RobertaConfig(**shape, pad_token_id=0, max_position_embeddings=40))
    net.save_pretrained(folder)
    words = folder / "vocab.txt"
    words.write_text("\n".join(WORDS), encoding="utf8")
    BertTokenizer(str(words), model_max_length=38).save_pretrained(folder)  # a file: what transformers 4 and 5 read
    if kind == "bert":
        path = folder / "model.safetensors"
        state = load_file(path)
        old = {
            name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): tensor
            for name, tensor in state.items()
        }
        save_file(old, path, metadata={"format": "pt"})
    return folder


def save_writer(folder: Path, pad: bool = False, end: bool = True) -> Path:
    """GPT-2, which reads bytes and writes texts: without a padding token, as the hub holds it."""
    from tokenizers import Tokenizer, models, pre_tokenizers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    words = [*sorted(pre_tokenizers.ByteLevel.alphabet()), "<|end|>"]
    with torch.random.fork_rng():
        torch.manual_seed(1)
        GPT2LMHeadModel(GPT2Config(vocab_size=len(words), n_embd=WIDTH, n_layer=1, n_head=2, n_positions=40,
                                   bos_token_id=256, eos_token_id=256)).save_pretrained(folder)
    pieces = Tokenizer(models.BPE({word: i for i, word in enumerate(words)}, []))
    pieces.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    special = {"eos_token": "<|end|>", "unk_token": "<|end|>"} if end else {}
    PreTrainedTokenizerFast(tokenizer_object=pieces, padding_side="left", **special,
                            **({"pad_token": "<|end|>"} if pad else {})).save_pretrained(folder)
    return folder


def save_image(folder: Path, kind: str = "vit") -> Path:
    """vit (as the classifier that the hub holds), resnet or swin, for pictures of 32 pixels."""
    from transformers import (
        ResNetConfig,
        ResNetModel,
        SwinConfig,
        SwinModel,
        ViTConfig,
        ViTForImageClassification,
        ViTImageProcessor,
    )

    with torch.random.fork_rng():
        torch.manual_seed(1)
        if kind == "vit":
            net = ViTForImageClassification(
                ViTConfig(image_size=32, patch_size=8, hidden_size=WIDTH, num_hidden_layers=1, num_attention_heads=2,
                          intermediate_size=32)
            )
        elif kind == "resnet":
            net = ResNetModel(ResNetConfig(embedding_size=8, hidden_sizes=[8, WIDTH], depths=[1, 1],
                                           layer_type="basic"))
        else:
            net = SwinModel(SwinConfig(image_size=32, patch_size=4, embed_dim=8, depths=[1, 1], num_heads=[2, 2],
                                       window_size=4))
    net.save_pretrained(folder)
    ViTImageProcessor(size={"height": 32, "width": 32}).save_pretrained(folder)
    return folder


def edit_json(path: Path, **changes) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


@cache
def mini(pair: str = "distilbert+vit", binary: bool = False, frozen: bool = True) -> MultimodalSentimentModel:
    """A mini model, loaded once: look, don't touch (a test that changes it takes a copy.deepcopy)."""
    return MultimodalSentimentModel(*PAIRS[pair], classes=BINARY_LABELS if binary else LABELS, frozen=frozen).eval()


@cache
def food(n: int = 24, split: str = "train", binary: bool = False) -> list[Post]:
    """Drawn once."""
    return list(FoodPosts(n, split, binary=binary))


@cache
def own_table(folder: Path, n: int = 12) -> Path:
    """A reader's own table: posts of the three classes in turn, each with a text and a picture of its own."""
    rows = ["text,image,label"]
    for i, post in enumerate(food(n)):
        post.image.save(folder / f"{i}.png")
        rows.append(f"so good {i},{i}.png,{i % 3}")
    (folder / "posts.csv").write_text("\n".join(rows) + "\n")
    return folder / "posts.csv"


def drawn_in_words(n: int, split: str = "train", **options) -> list[Post]:
    """Posts without their pictures, which take most of the time, for tests that need many."""
    blank = Image.new("RGB", (1, 1))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scenes, "draw", lambda scene, size=64: blank)
        return list(FoodPosts(n, split, **options))


def batch_of(net: MultimodalSentimentModel, n: int = 5) -> dict[str, torch.Tensor]:
    """Some posts, ready for a model."""
    return net.prepare([post.text for post in food(n)], [post.image for post in food(n)])


@torch.no_grad()
def logits_of(net: MultimodalSentimentModel) -> torch.Tensor:
    """What a model makes of them, dropout off."""
    return net.eval()(**batch_of(net))


def one_step(net: MultimodalSentimentModel) -> None:
    """Change all of a model that learns."""
    net.train()
    optimizer = torch.optim.SGD([p for p in net.parameters() if p.requires_grad], lr=0.1)
    net(**batch_of(net)).square().sum().backward()
    optimizer.step()


def same_features(a: Features, b: Features) -> bool:
    """Bit by bit."""
    tensors = [[features.labels, *(t for side in features.sides.values() for t in side)] for features in (a, b)]
    return list(a.sides) == list(b.sides) and all(torch.equal(x, y) for x, y in zip(*tensors)) and (
        (a.relations, a.text_kinds, a.picture_levels, a.two_sided) == (
            b.relations, b.text_kinds, b.picture_levels, b.two_sided))


def quiet_environment() -> dict[str, str]:
    """The environment for another process of this very checkout, offline."""
    return {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parent.parent), "HF_HUB_OFFLINE": "1"}


def generators() -> tuple:
    """The state of every global random generator."""
    return random.getstate(), np.random.get_state()[1].tolist(), torch.get_rng_state().tolist()  # noqa: NPY002


def hand_over(control, *files):
    """Put (name, content) pairs into a FileUpload as the front end of the installed ipywidgets does."""
    if isinstance(control.value, dict):
        control.metadata = [{"name": name} for name, _ in files]
        control.data = [content for _, content in files]
        control._counter += 1
    else:
        then = datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc)
        control.value = tuple({"name": name, "type": "image/png", "size": len(content), "last_modified": then,
                               "content": memoryview(content)} for name, content in files)
