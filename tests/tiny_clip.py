"""A tiny CLIP of the true layout: both halves in one checkpoint, a vocabulary of letters with merges, pictures."""

import json
from pathlib import Path
from typing import Any

import torch

TEXT_WIDTH, IMAGE_WIDTH, COMMON, TOKENS = 16, 24, 8, 12
_PLAIN = [*range(33, 127), *range(161, 173), *range(174, 256)]
_LETTERS = [chr(byte) for byte in _PLAIN] + [chr(256 + i) for i in range(256 - len(_PLAIN))]
MERGES = ["s o", "u p</w>", "so up</w>"]  # soup is one piece
WORDS = [*_LETTERS, *(f"{letter}</w>" for letter in _LETTERS), *("".join(pair.split()) for pair in MERGES),
         "<|startoftext|>", "<|endoftext|>"]
START, END = len(WORDS) - 2, len(WORDS) - 1


def save_clip(folder: Path, old: bool = False, **changes: Any):
    """Write one of random weights, and return it. `old`: with the ids that the hub's configurations of 2021 have."""
    from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel

    ids = {"bos_token_id": 0, "pad_token_id": 1, "eos_token_id": 2} if old else {
        "bos_token_id": START, "pad_token_id": 1, "eos_token_id": END}
    depth = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    config = CLIPConfig(
        text_config={"vocab_size": len(WORDS), "hidden_size": TEXT_WIDTH, "max_position_embeddings": TOKENS, **depth,
                     **ids},
        vision_config={"hidden_size": IMAGE_WIDTH, "image_size": 32, "patch_size": 8, **depth},
        projection_dim=COMMON, **changes)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        net = CLIPModel(config).eval()
        for name, weights in net.named_parameters():
            if "norm" in name:  # as made they are 1 and 0: whoever leaves one out would not be seen
                weights.data += 0.3 * torch.randn(weights.shape)
    net.save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(WORDS)}), encoding="utf8")
    (folder / "merges.txt").write_text("\n".join(["#version: 0.2", *MERGES, ""]), encoding="utf8")
    helping = {"tokenizer_class": "CLIPTokenizer", "model_max_length": TOKENS}
    (folder / "tokenizer_config.json").write_text(json.dumps(helping), encoding="utf8")
    CLIPImageProcessor(size={"shortest_edge": 32}, crop_size={"height": 32, "width": 32}).save_pretrained(folder)
    return net


def only_cache(folder: Path, monkeypatch) -> None:
    """Let the hub's client and transformers know no more than the cache in a folder, and ask nobody."""
    from huggingface_hub import constants
    from transformers.utils import hub

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(folder))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub, "TRANSFORMERS_CACHE", str(folder), raising=False)  # transformers 4 has its own two
    monkeypatch.setattr(hub, "_is_offline_mode", True, raising=False)
