"""Models that the course did not write, sound ones and some with a bug planted on purpose, and posts for them.

`BUGS` says for each bug which check has to find it. A bug is a mistake that was made somewhere, in its smallest form.
"""

from types import SimpleNamespace

import torch
from torch import nn
from torch.nn import functional as F

WORDS, WIDE, PIXELS = 60, 24, 16

#: Bug of `Functional` → the checks that may name it: at least one of them must.
BUGS = {
    "no mask": {"padding"}, "mean over padding": {"padding"}, "maximum over padding": {"padding"},
    "batch norm measures": {"company"}, "attends among posts": {"company"}, "batch taken for time": {"order"},
    "dropout on": {"twice"}, "noise": {"twice"}, "hidden dropout": {"left_on"}, "counts answers": {"left_on"},
    "text twice": {"ignored"}, "picture times zero": {"ignored"},
    "raw pixels": {"overwhelmed"}, "text whispers": {"overwhelmed"},
    "no places": {"word_order"}, "places of the batch": {"word_order"},
    "softmax over nothing": {"missing"}, "divides by no words": {"missing"},
    "attends to one": {"attention"},
    "no_grad": {"gradients"}, "detach": {"gradients"}, "never called": {"gradients"}, "through numpy": {"gradients"},
    "exploding": {"exploding"}, "root of zero": {"exploding"},
    "head frozen": {"frozen"}, "projection frozen": {"frozen"},
    "sets weights": {"step"},
    "large weights": {"first_loss"}, "logits times 100": {"saturation", "first_loss"},
    "softmax twice": {"by_heart"}, "dead units": {"by_heart"},
    "reads labels": {"leak"},
}


class Functional(nn.Module):
    """One class, weights with names of its own, all else functions: a transformer layer, patches, attention to them."""

    def __init__(self, bug: str = "", classes: int = 3, seed: int = 0):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.bug = bug
            self.book = nn.Parameter(torch.randn(WORDS, WIDE))
            self.place = nn.Parameter(0.5 * torch.randn(40, WIDE))
            for name in ("wq", "wk", "wv", "xq", "xk", "xv"):
                setattr(self, name, nn.Parameter(torch.randn(WIDE, WIDE) / WIDE**0.5))
            self.patch = nn.Parameter(torch.randn(WIDE, 3, 4, 4) / 7)
            self.patch_bias = nn.Parameter(torch.zeros(WIDE))
            self.project = nn.Linear(WIDE, WIDE)
            self.hidden, self.last = nn.Linear(2 * WIDE, 32), nn.Linear(32, classes)
            self._spoil()

    def _spoil(self) -> None:
        """What a bug changes once."""
        bug = self.bug
        if bug == "hidden dropout":
            self.parts = [nn.Dropout(0.3)]
        if bug == "counts answers":
            self.register_buffer("mean", torch.zeros(WIDE))
        if bug == "never called":
            self.gate = nn.Linear(WIDE, WIDE)
        if bug == "head frozen":
            self.last.requires_grad_(False)
        if bug == "projection frozen":
            for name, weight in self.named_parameters():
                weight.requires_grad_(name.startswith(("last", "hidden")))
        if bug == "large weights":
            nn.init.normal_(self.last.weight, std=20)
        if bug == "dead units":
            nn.init.constant_(self.hidden.bias, -1e3)

    def train(self, mode: bool = True) -> "Functional":
        """One that forgets a part stays in training mode."""
        super().train(mode)
        if self.bug == "hidden dropout":
            self.project.train(True)
        return self

    def read(self, input_ids: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        """(batch, words) → (batch, words, WIDE)."""
        words = self.book[input_ids]
        if self.bug == "places of the batch":
            words = words + self.place[:len(words)].mean(0)
        elif self.bug != "no places":
            words = words + self.place[:words.shape[1]]
        bars = torch.zeros_like(real, dtype=torch.float).masked_fill(~real, -1e4)[:, None]
        if self.bug == "no mask":
            bars = bars * 0
        if self.bug == "softmax over nothing":
            bars = bars.masked_fill(bars < 0, -torch.inf)
        if self.bug == "batch taken for time":
            words = words + 0.2 * words.cumsum(0)
        scores = (words @ self.wq) @ (words @ self.wk).transpose(1, 2) / WIDE**0.5 + bars
        return words + torch.softmax(scores, -1) @ (words @ self.wv)

    def pool(self, words: torch.Tensor, real: torch.Tensor) -> torch.Tensor:
        """(batch, words, WIDE) → (batch, WIDE)."""
        if self.bug == "maximum over padding":
            return words.max(1).values
        if self.bug == "mean over padding":
            return words.mean(1)
        count = real.sum(1, keepdim=True)
        if self.bug != "divides by no words":
            count = count.clamp(min=1)
        return (words * real[..., None]).sum(1) / count

    def look(self, text: torch.Tensor, patches: torch.Tensor) -> torch.Tensor:
        """What the text finds in the picture: (batch, WIDE) and (batch, patches, WIDE) → (batch, WIDE)."""
        if self.bug == "attends to one":
            patches = patches.mean(1, keepdim=True)
        if self.bug == "raw pixels":
            text = text * 0
        scores = (text @ self.xq)[:, None] @ (patches @ self.xk).transpose(1, 2) / WIDE**0.5
        return (torch.softmax(scores, -1) @ (patches @ self.xv)).squeeze(1)

    def see(self, pixel_values: torch.Tensor) -> torch.Tensor:
        """(batch, 3, height, width) → (batch, patches, WIDE)."""
        pixels = pixel_values * 255 * 5 if self.bug == "raw pixels" else pixel_values
        return F.conv2d(pixels, self.patch, self.patch_bias, stride=4).flatten(2).transpose(1, 2)

    def carry(self, picture: torch.Tensor) -> torch.Tensor:
        """The projection, as it should be and as it was written."""
        if self.bug == "no_grad":
            with torch.no_grad():
                return self.project(picture)
        made = self.project(picture)
        if self.bug == "detach":
            return made.detach()
        if self.bug == "through numpy":
            return torch.from_numpy(made.detach().numpy())
        if self.bug == "picture times zero":
            return made * 0
        if self.bug == "root of zero":
            return made + (made - made).square().sum(1, keepdim=True).sqrt()
        return made

    def forward(self, input_ids, attention_mask, pixel_values, labels=None):
        """Logits (batch, classes), in an object."""
        real = attention_mask.bool()
        text = self.pool(self.read(input_ids, real), real)
        if self.bug == "text whispers":
            text = text * 1e-5
        picture = self.carry(self.look(text, self.see(pixel_values)))
        both = torch.cat([text, text if self.bug == "text twice" else picture], 1)
        logits = self.head(self.between(both, labels))
        return SimpleNamespace(logits=logits, loss=None if labels is None else F.cross_entropy(logits, labels))

    def between(self, both: torch.Tensor, labels: torch.Tensor | None) -> torch.Tensor:
        """What happens to the fused vector before the head."""
        bug = self.bug
        if bug == "dropout on":
            both = F.dropout(both, 0.3)
        if bug == "noise":
            both = both + 0.05 * torch.randn_like(both)
        if bug == "batch norm measures":
            both = F.batch_norm(both, None, None, training=True)
        if bug == "attends among posts":
            both = both + torch.softmax(both @ both.T, -1) @ both
        if bug == "counts answers":
            self.mean.lerp_(both[:, :WIDE].mean(0).detach(), 0.1)
        if bug == "exploding":
            both = both * 3e4
        if bug == "reads labels" and labels is not None:
            both = both + labels[:, None]
        if bug == "sets weights":
            self.project.load_state_dict({"weight": torch.eye(WIDE), "bias": torch.zeros(WIDE)})
        return both

    def head(self, both: torch.Tensor) -> torch.Tensor:
        """(batch, 2 WIDE) → (batch, classes)."""
        logits = self.last(torch.relu(self.hidden(both)))
        if self.bug == "logits times 100":
            return logits * 100
        return torch.softmax(logits, -1) if self.bug == "softmax twice" else logits


class Recurrent(nn.Module):
    """Torch's own parts: an LSTM, convolutions with batch normalisation, dropout; a single logit for two classes."""

    def __init__(self, bug: str = "", seed: int = 0):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.words = nn.Embedding(WORDS, WIDE, padding_idx=0)
            self.lstm = nn.LSTM(WIDE, WIDE, batch_first=bug != "not batch first")
            self.cnn = nn.Sequential(nn.Conv2d(3, 8, 3, 2), nn.BatchNorm2d(8), nn.ReLU(), nn.AdaptiveAvgPool2d(2))
            self.out = nn.Sequential(nn.LayerNorm(WIDE + 32), nn.Dropout(0.3), nn.Linear(WIDE + 32, 1))

    def forward(self, input_ids, attention_mask, pixel_values):
        """Logits (batch,)."""
        states, _ = self.lstm(self.words(input_ids))
        last = (attention_mask.sum(1) - 1).clamp(min=0)
        text = states[torch.arange(len(states)), last]
        return self.out(torch.cat([text, self.cnn(pixel_values).flatten(1)], 1)).squeeze(1)


class HuggingFace(nn.Module):
    """Two networks of Hugging Face's, the text's first token looks at the picture, and their own kind of output."""

    def __init__(self, bug: str = "", seed: int = 0):
        from transformers import BertConfig, BertModel, ViTConfig, ViTModel

        super().__init__()
        shape = {"hidden_size": WIDE, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 48}
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.bug = bug
            self.bert = BertModel(BertConfig(vocab_size=WORDS, max_position_embeddings=20, **shape))
            self.vit = ViTModel(ViTConfig(image_size=PIXELS, patch_size=4, **shape))
            self.cross = nn.MultiheadAttention(WIDE, 2, batch_first=True)
            self.classifier = nn.Linear(2 * WIDE, 3)
        self.bert.requires_grad_(bug != "frozen text")

    def forward(self, input_ids=None, attention_mask=None, pixel_values=None, labels=None):
        """Logits (batch, 3), in an output of Hugging Face's."""
        from transformers.modeling_outputs import SequenceClassifierOutput

        text = self.bert(input_ids, attention_mask=None if self.bug == "no mask" else attention_mask)[0]
        picture = self.vit(pixel_values)[0]
        seen = picture[:, :1] if self.bug == "attends to one" else picture
        if self.bug == "softmax over nothing":
            found, _ = self.cross(picture[:, :1], text, text, key_padding_mask=attention_mask == 0)
        else:
            found, _ = self.cross(text[:, :1], seen, seen)
        return SequenceClassifierOutput(logits=self.classifier(torch.cat([text[:, 0], found[:, 0]], 1)))


class Bag(nn.Module):
    """A mean of word vectors beside a mean of colours; answers with a dictionary. Nothing in it could read order."""

    def __init__(self, seed: int = 0):
        super().__init__()
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.net = nn.ModuleDict({"text": nn.Embedding(WORDS, 16), "image": nn.Linear(12, 16),
                                      "both": nn.Linear(32, 3)})

    def forward(self, **batch):
        """Logits (batch, 3), by name."""
        mask = batch["attention_mask"].unsqueeze(-1).float()
        text = (self.net["text"](batch["input_ids"]) * mask).sum(1) / mask.sum(1).clamp(min=1)
        colours = F.adaptive_avg_pool2d(batch["pixel_values"], 2).flatten(1)
        return {"logits": self.net["both"](torch.cat([text, 4 * self.net["image"](colours)], 1))}


def posts(n: int = 32, batch_size: int = 16, seed: int = 0, classes: int = 3) -> list[dict[str, torch.Tensor]]:
    """Random posts in batches, texts of 6 to 14 words, padded to the longest of the batch; random labels."""
    generator = torch.Generator().manual_seed(seed)
    batches = []
    for start in range(0, n, batch_size):
        count = min(batch_size, n - start)
        lengths = torch.randint(6, 15, (count,), generator=generator)
        mask = (torch.arange(int(lengths.max())) < lengths[:, None]).long()
        ids = torch.randint(1, WORDS, mask.shape, generator=generator) * mask
        colour = torch.randn(count, 3, 2, 2, generator=generator)
        pixels = F.interpolate(colour, size=PIXELS) + 0.3 * torch.randn(count, 3, PIXELS, PIXELS, generator=generator)
        batches.append({"input_ids": ids, "attention_mask": mask, "pixel_values": pixels,
                        "labels": torch.randint(classes, (count,), generator=generator)})
    return batches
