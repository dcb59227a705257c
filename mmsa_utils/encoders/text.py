"""Text encoders: a transformer over word pieces, from this package, a folder or the Hugging Face hub."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ..checksums import WEIGHTS
from .base import Encoded, Encoder, Unread, spread, which
from .clip import CLIP, is_clip, preparation, text_vector, until_end
from .loading import explained
from .pretrained import TEXT_ENCODERS, pretrained_net, random_net, source_of
from .strangers import tried

MAX_TOKENS = 128  # longer texts are cut: a post is a few sentences
_AT_ONCE = 1000  # texts that are looked through together: a hundred thousand need no more memory than these


class WordPieces:
    """Cuts texts into word pieces, padded to the longest of the batch. Can be pickled."""

    def __init__(self, tokenizer: Any, max_tokens: int):
        self.tokenizer, self.max_tokens = tokenizer, max_tokens

    def __call__(self, texts: Sequence[str | None]) -> dict[str, Tensor]:
        """→ ``input_ids`` and ``attention_mask`` (batch, tokens); a missing text (None) is all padding."""
        present = which(texts)
        if not present.any():
            nothing = torch.zeros(len(texts), 1, dtype=torch.long)
            return {"input_ids": nothing + (self.tokenizer.pad_token_id or 0), "attention_mask": nothing}
        batch = self.tokenizer([text for text in texts if text is not None], padding=True, truncation=True,
                               max_length=self.max_tokens, return_tensors="pt")
        return {"input_ids": spread(batch["input_ids"], present, self.tokenizer.pad_token_id or 0),
                "attention_mask": spread(batch["attention_mask"], present)}

    def settings(self) -> Any:
        """All that decides how a text is cut, but for where it ends; equal for two that cut alike."""
        rules = json.loads(self.tokenizer.backend_tokenizer.to_str())
        return {**{key: rules[key] for key in rules if key not in ("truncation", "padding")},
                "sides": [self.tokenizer.truncation_side, self.tokenizer.padding_side]}


class TextEncoder(Encoder):
    """A transformer and its tokenizer. `width` is the length of the vector that comes out."""

    inputs = ("input_ids", "attention_mask")
    prepare: WordPieces

    def __init__(self, net: Any, tokenizer: Any):
        super().__init__()
        self.net: Any = net  # a Hugging Face model
        self.width: int = getattr(net.config, "hidden_size", 0)
        self.is_clip = is_clip(net)
        self.prepare = WordPieces(tokenizer, min(MAX_TOKENS, self._longest(), tokenizer.model_max_length))

    def _longest(self) -> int:
        """Tokens that the network has positions for; networks that look at distances alone (T5) have no end."""
        positions = getattr(self.net.config, "max_position_embeddings", None)
        return positions if isinstance(positions, int) and positions > 0 else 10**6

    @property
    def tokenizer(self) -> Any:
        """What cuts the texts."""
        return self.prepare.tokenizer

    @property
    def max_tokens(self) -> int:  # type: ignore[override]
        """Longer texts are cut after so many word pieces."""
        return self.prepare.max_tokens

    @max_tokens.setter
    def max_tokens(self, n: int) -> None:
        longest = self._longest()
        if not isinstance(n, int) or not 2 < n <= longest:  # the first and the last one stand for no word
            raise ValueError(f"max_tokens is {n!r}: expected 3 to {longest}, as many as the network can read.")
        self.prepare.max_tokens = n

    def encode(self, input_ids: Tensor, attention_mask: Tensor) -> Encoded:  # type: ignore[override]
        """(batch, tokens) twice → the last layer, (batch, tokens, width). The vector is its mean over real tokens."""
        states = self.net(input_ids=input_ids, attention_mask=attention_mask).last_hidden_state
        real = until_end(self.net, input_ids, attention_mask) if self.is_clip else attention_mask.bool()
        return Encoded(states, real)

    def pool(self, encoded: Encoded) -> Tensor:
        """(batch, tokens, width) → (batch, width): the mean over the real tokens; CLIP's token that ends the text."""
        return text_vector(encoded) if self.is_clip else encoded.pooled

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:  # type: ignore[override]
        """(batch, tokens) twice → (batch, width): the mean of the last layer over the real tokens; see `pool`."""
        return self.pool(self.encode(input_ids, attention_mask))

    def cuts(self, item: str) -> bool:
        """Whether a text has more word pieces than this encoder reads: its end is not looked at."""
        longer = self.tokenizer(item, truncation=True, max_length=self.max_tokens + 1)["input_ids"]
        return len(longer) > self.max_tokens

    def unknown(self, text: str) -> list[str]:
        """The words of a text, each once, that the vocabulary lacks: all of them are read as the same [UNK].

        Vocabularies of bytes lack nothing. What stands behind the end of a text that is cut is not looked at.
        """
        return list(self.unread([text])[0].unknown)

    def unread(self, items: Sequence[str]) -> list[Unread]:
        """For each text: whether it is cut, the words that the vocabulary lacks, whether it knows no word at all."""
        return [found for start in range(0, len(items), _AT_ONCE)
                for found in unread(self.tokenizer, items[start:start + _AT_ONCE], self.max_tokens)]

    def save(self, folder: Path) -> None:
        """Write a Hugging Face model with its tokenizer into a folder."""
        self.net.save_pretrained(folder)
        self.tokenizer.save_pretrained(folder)


def unread(tokenizer: Any, texts: Sequence[str], max_tokens: int) -> list[Unread]:
    """What a tokenizer leaves out of each text; see `TextEncoder.unread`."""
    texts = [text.encode("utf-8", "replace").decode("utf-8") for text in texts]  # half a surrogate pair is no character
    unk = tokenizer.unk_token_id
    if not tokenizer.is_fast:  # it keeps no offsets: word by word
        longer = tokenizer(texts, truncation=True, max_length=max_tokens + 1)["input_ids"]
        cut = [len(ids) > max_tokens for ids in longer]
        words = [[(word, unk in tokenizer(word, add_special_tokens=False)["input_ids"]) for word in text.split()]
                 for text in texts]
    else:
        encodings = tokenizer(texts, truncation=True, max_length=max_tokens).encodings
        cut = [bool(encoding.overflowing) for encoding in encodings]
        words = [[(text[start:end], id == unk) for id, special, (start, end)
                  in zip(encoding.ids, encoding.special_tokens_mask, encoding.offsets) if end > start or not special]
                 for text, encoding in zip(texts, encodings)]
    return [Unread(*found) for found in zip(cut, map(_lacking, words), map(_means_nothing, words))]


def _lacking(words: list[tuple[str, bool]]) -> tuple[str, ...]:
    """Those that are unknown, each once, in their order."""
    return tuple(dict.fromkeys(word.strip() for word, is_unknown in words if is_unknown))


def _means_nothing(words: list[tuple[str, bool]]) -> bool:
    """Whether a text has no word that is known: signs such as a full stop between unknown ones are none."""
    if words and not any(is_unknown for _, is_unknown in words):
        return False
    return not any(any(map(str.isalnum, word)) for word, is_unknown in words if not is_unknown)


def load_tokenizer(source: str | Path) -> Any:
    """The tokenizer of a folder or hub name; code that comes with it is never run.

    Models that write texts (GPT-2, Llama) have no padding token, as they were never trained in batches of several
    lengths. Padding is masked, and stands behind the text, so that no token sees it: any token serves, and the one that
    ends a text is taken.

    Raises:
        ValueError: if there is none.
    """
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(source, trust_remote_code=False)
    tokenizer.chat_template = None  # unused here; before 5.10 its names are where files are saved: CVE-2026-9856
    tokenizer.padding_side = "right"  # before the text, it would move the text to other positions
    if tokenizer.pad_token_id is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token
    if tokenizer.pad_token_id is None:
        raise ValueError(f"the tokenizer of {source} has no padding token (pad_token), nor one that ends a text "
                         "(eos_token) to take its place: set one (tokenizer.pad_token = ...) and save it there.")
    return tokenizer


def text_encoder_of(net: Any, source: str | Path) -> TextEncoder:
    """A network, and the tokenizer that lies beside its weights.

    Raises:
        ValueError: for a tokenizer that belongs to another network.
    """
    tokenizer = load_tokenizer(source)
    if not net.config.vocab_size / 2 < len(tokenizer) <= net.config.vocab_size:  # without its files it is made up
        raise ValueError(f"the tokenizer of {source} knows {len(tokenizer)} word pieces and its model "
                         f"{net.config.vocab_size}: expected the tokenizer files that belong to the model.")
    return TextEncoder(net, tokenizer)


def pretrained_text_encoder(name: str, size: str = "mini", pretrained: bool = True, seed: int = 0) -> TextEncoder:
    """Load a transformer and its tokenizer; see `load_text_encoder`."""
    known = TEXT_ENCODERS | CLIP
    source = source_of(name, size, known)
    with explained(name, source, "text"):
        if not pretrained:
            net = random_net(name, size, source, "text", seed)
            if name in CLIP:
                with preparation() as folder:
                    return TextEncoder(net, load_tokenizer(folder))
            return TextEncoder(net, load_tokenizer(WEIGHTS / name if name in TEXT_ENCODERS else source))
        encoder = text_encoder_of(pretrained_net(source, "text"), source)
        if name not in known:
            encoder.width = tried(lambda: encoder(**encoder.prepare(["Hello", "Hello there, all of you"])), source,
                                  "text")
        return encoder
