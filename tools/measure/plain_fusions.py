"""Each fusion's mathematics once more, for two sides, put together from torch's own modules."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WIDTH = 128
Sides = list[Tensor]  # text and picture: (batch, width), or (batch, tokens, width) for what reads sequences
Masks = list[Tensor]  # True for what is there: (batch, 1) or (batch, tokens)


def two(make) -> nn.ModuleList:
    return nn.ModuleList(make() for _ in range(2))


def vectors(sides: Sides, masks: Masks) -> Sides:
    return [F.layer_norm(side.masked_fill(~mask, 0), (WIDTH,)) for side, mask in zip(sides, masks)]


class Concat(nn.Module):
    def forward(self, sides: Sides, masks: Masks) -> Tensor:
        return torch.cat(vectors(sides, masks), -1)


class Additive(nn.Module):
    def __init__(self):
        super().__init__()
        self.says = two(lambda: nn.Sequential(nn.Dropout(0.2), nn.Linear(WIDTH, 256), nn.ReLU(), nn.Dropout(0.2),
                                              nn.Linear(256, 128)))

    def forward(self, sides: Sides, masks: Masks) -> Tensor:
        text, picture = vectors(sides, masks)
        return self.says[0](text) * masks[0] + self.says[1](picture) * masks[1]


class Gated(nn.Module):
    def __init__(self):
        super().__init__()
        self.says, self.gate = two(lambda: nn.Linear(WIDTH, 128)), nn.Linear(2 * WIDTH, 256)

    def forward(self, sides: Sides, masks: Masks) -> Tensor:
        text, picture = vectors(sides, masks)
        gates = self.gate(torch.cat([text, picture], -1)).unflatten(-1, (2, 128))
        shares = gates.masked_fill(~torch.stack(masks, 1), -1e4).softmax(1)
        return shares[:, 0] * self.says[0](text).tanh() + shares[:, 1] * self.says[1](picture).tanh()


class Product(nn.Module):
    def __init__(self):
        super().__init__()
        self.says = two(lambda: nn.Linear(WIDTH, 32))

    def forward(self, sides: Sides, masks: Masks) -> Tensor:
        text, picture = (F.pad(layer(side).relu() * mask, (0, 1), value=1.0)
                         for layer, side, mask in zip(self.says, vectors(sides, masks), masks))
        return torch.bmm(text.unsqueeze(2), picture.unsqueeze(1)).flatten(1)


class LowRank(nn.Module):
    def __init__(self):
        super().__init__()
        self.says = two(lambda: nn.Linear(WIDTH, 8 * 128))

    def forward(self, sides: Sides, masks: Masks) -> Tensor:
        text, picture = (layer(side) for layer, side in zip(self.says, vectors(sides, masks)))
        return (text * picture).unflatten(-1, (8, 128)).sum(1)


class Attention(nn.Module):
    def __init__(self):
        super().__init__()
        self.enter = two(lambda: nn.Sequential(nn.LayerNorm(WIDTH), nn.Dropout(0.1), nn.Linear(WIDTH, 64)))
        self.looks = two(lambda: nn.MultiheadAttention(64, 2, batch_first=True))
        self.think = two(lambda: nn.Sequential(nn.LayerNorm(64), nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64)))
        self.choose = two(lambda: nn.Linear(64, 1, bias=False))

    def forward(self, sides: Sides, masks: Masks) -> Tensor:
        tokens = [layer(side.masked_fill(~mask.unsqueeze(-1), 0))
                  for layer, side, mask in zip(self.enter, sides, masks)]
        found = []
        for i, own in enumerate(tokens):
            other = tokens[1 - i]
            own = own + self.looks[i](own, other, other, key_padding_mask=~masks[1 - i], need_weights=False)[0]
            own = own + self.think[i](own)
            counts = self.choose[i](own).masked_fill(~masks[i].unsqueeze(-1), -1e4).softmax(1)
            found.append((counts * own).sum(1))
        return torch.cat(found, -1)


class Bottleneck(nn.Module):
    def __init__(self):
        super().__init__()
        self.enter = two(lambda: nn.Sequential(nn.LayerNorm(WIDTH), nn.Dropout(0.1), nn.Linear(WIDTH, 64)))
        self.shared = nn.Parameter(0.02 * torch.randn(1, 4, 64))
        self.layers = two(lambda: two(lambda: nn.TransformerEncoderLayer(64, 4, 128, 0.0, batch_first=True,
                                                                        norm_first=True)))

    def forward(self, sides: Sides, masks: Masks) -> Tensor:
        own = [layer(side.masked_fill(~mask.unsqueeze(-1), 0)) for layer, side, mask in zip(self.enter, sides, masks)]
        shared = self.shared.expand(len(sides[0]), -1, -1)
        padding = [F.pad(~mask, (0, 4)) for mask in masks]
        for layer in self.layers:
            both = [one(torch.cat([tokens, shared], 1), src_key_padding_mask=gone)
                    for one, tokens, gone in zip(layer, own, padding)]
            own, shared = [each[:, :-4] for each in both], (both[0][:, -4:] + both[1][:, -4:]) / 2
        return torch.cat([(tokens * mask.unsqueeze(-1)).sum(1) / mask.sum(1, keepdim=True)
                          for tokens, mask in zip(own, masks)], -1)


PLAIN: dict[str, type[nn.Module]] = {
    "additive": Additive, "concat": Concat, "gated": Gated, "lowrank": LowRank, "tensor": Product,
    "attention": Attention, "bottleneck": Bottleneck}
