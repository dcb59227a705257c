"""What every encoder is: texts, pictures or sounds go in, tokens and a mask come out, or one vector."""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn


class Encoded(NamedTuple):
    """One side of a batch of posts, as its encoder gives it."""

    tokens: Tensor  #: (batch, tokens, width): word pieces, regions of a picture; or a single one, a vector for it all
    mask: Tensor  #: (batch, tokens), True for a real token; a row that is all False: the side is missing

    @classmethod
    def of(cls, vectors: Tensor, present: Tensor | None = None) -> Encoded:
        """One vector a post (batch, width) as sequences of one token; `present` (batch,) is False where none is."""
        if present is None:
            present = torch.ones(len(vectors), dtype=torch.bool, device=vectors.device)
        return cls(vectors.unsqueeze(1), present.unsqueeze(1))

    @property
    def pooled(self) -> Tensor:
        """(batch, width): the mean over the real tokens, zeros where the side is missing."""
        real = self.mask.bool()
        if self.tokens.shape[1] == 1:
            return self.tokens[:, 0].masked_fill(~real, 0)
        return masked_mean(self.tokens.masked_fill(~real.unsqueeze(-1), 0), real)  # whatever is masked, NaN too

    @property
    def width(self) -> int:
        """Of each token."""
        return self.tokens.shape[-1]

    def rows(self, index: Any) -> Encoded:
        """The same side of some of the posts: a slice, or indices as a tensor."""
        return Encoded(self.tokens[index], self.mask[index])

    def to(self, device: torch.device | str) -> Encoded:
        """On another device."""
        return Encoded(self.tokens.to(device), self.mask.to(device))

    @staticmethod
    def cat(parts: Sequence[Encoded]) -> Encoded:
        """Batches one after the other, the shorter sequences padded to the longest."""
        longest = max(part.tokens.shape[1] for part in parts)
        return Encoded(*(torch.cat([_padded(tensor, longest) for tensor in tensors]) for tensors in zip(*parts)))


class Unread(NamedTuple):
    """What an encoder does not take in of one item."""

    cut: bool  #: it is longer than the encoder reads: its end is not looked at
    unknown: tuple[str, ...] = ()  #: what of the part that is read it has no entry for, each once
    all: bool = False  #: nothing that is read means anything to it


def _padded(tensor: Tensor, length: int) -> Tensor:
    """(batch, tokens, ...) with zeros behind, up to so many tokens."""
    missing = length - tensor.shape[1]
    return tensor if not missing else torch.cat([tensor, tensor.new_zeros(len(tensor), missing, *tensor.shape[2:])], 1)


def masked_mean(states: Tensor, mask: Tensor) -> Tensor:
    """Average over real tokens only.

    Args:
        states: one vector a token, (batch, tokens, width).
        mask: 1 for a real token, 0 for padding, (batch, tokens).

    Returns:
        (batch, width).
    """
    weights = mask.unsqueeze(-1).to(states.dtype)
    return (states * weights).sum(1) / weights.sum(1).clamp(min=1)


class Encoder(nn.Module):
    """A network and what prepares its input. A new one sets the attributes below and writes `encode`.

    Attributes:
        width: of its tokens, and of the vector that they are pooled into.
        inputs: the names of the tensors that `prepare` makes; no other side of a model uses the same.
        prepare: raw items of a post's side, None where it is missing → a batch of tensors. It is small and can be
            pickled, so that the workers of a loader get it without the network.
        max_tokens: longer inputs are cut; None if all are equally long.
        name, size: as it was asked for.
        shipped: whether its weights are, as they were loaded, those of this package.
    """

    width: int
    inputs: tuple[str, ...]
    prepare: Any  # Callable[[Sequence[Any]], dict[str, Tensor]]
    max_tokens: int | None = None
    name: str = ""
    size: str = ""
    shipped: bool = False

    def encode(self, **inputs: Tensor) -> Encoded:
        """A batch from `prepare` → its tokens (batch, tokens, width), and which of them are real."""
        raise NotImplementedError

    def pool(self, encoded: Encoded) -> Tensor:
        """Tokens → one vector a post, (batch, width): their mean, unless an encoder knows better."""
        return encoded.pooled

    def forward(self, **inputs: Tensor) -> Tensor:
        """A batch from `prepare` → one vector a post, (batch, width)."""
        return self.pool(self.encode(**inputs))

    def cuts(self, item: Any) -> bool:
        """Whether an item is longer than this encoder reads: its end is not looked at."""
        return False

    def unread(self, items: Sequence[Any]) -> list[Unread]:
        """For each item, what this encoder does not take in of it."""
        return [Unread(self.cuts(item)) for item in items]

    def save(self, folder: Path) -> None:
        """Write all that this encoder is into a new folder."""
        folder.mkdir(parents=True, exist_ok=True)
        save_file({name: tensor.contiguous().clone() for name, tensor in self.state_dict().items()},
                  folder / "weights.safetensors")

    def load(self, folder: Path) -> None:
        """Take over the weights that `save` wrote."""
        self.load_state_dict(load_file(folder / "weights.safetensors"))


class Encoders(nn.ModuleDict):
    """Side → encoder, in the fixed order of the sides."""

    if TYPE_CHECKING:
        def __getitem__(self, key: str) -> Encoder: ...
        def items(self) -> ItemsView[str, Encoder]: ...  # type: ignore[override]


def spread(tensor: Tensor, present: Tensor, fill: float = 0) -> Tensor:
    """Rows of the posts that have a side → rows of all posts, `fill` where the side is missing.

    Args:
        tensor: (present posts, ...).
        present: (batch,), True for as many posts.
    """
    if len(tensor) == len(present):
        return tensor
    spread_out = tensor.new_full((len(present), *tensor.shape[1:]), fill)
    spread_out[present] = tensor
    return spread_out


def which(items: Iterable[Any]) -> Tensor:
    """Which of the items are there, and not None: (batch,) of booleans."""
    return torch.tensor([item is not None for item in items], dtype=torch.bool)
