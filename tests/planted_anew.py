"""Models written after every threshold of the doctor was set, in other styles: sound ones, and each with its bugs.

`STYLES` makes a model, of a bug ("" for a sound one). `BUGS` says for each (style, bug) which checks may name it.
"""

import math

import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.checkpoint import checkpoint

WORDS, WIDE, PIXELS, PAD = 50, 24, 12, 1  # padding is token 1, as in RoBERTa's family; token 0 begins each text


class Pipeline(nn.Module):
    """A list of steps, plain functions and layers, each of which changes a dictionary, as in functional frameworks."""

    def __init__(self, bug=""):
        super().__init__()
        self.layers = nn.ModuleDict({
            "book": nn.Embedding(WORDS, WIDE), "window": nn.Conv1d(WIDE, WIDE, 3, padding=1),
            "shrink": nn.Linear(3 * PIXELS * PIXELS, WIDE), "mix": nn.Bilinear(WIDE, WIDE, 16),
            "out": nn.Linear(16, 3)})
        self.steps = [self.read, self.see, self.meet, {
            "softmax": lambda x: {**x, "y": x["y"].softmax(1)},
            "posts' mean": lambda x: {**x, "y": x["y"] - x["y"].mean(0)}}.get(bug, lambda x: x)]
        self.bug = bug

    def read(self, x):
        kept = (x["attention_mask"] > 0)[:, None]
        words = self.layers["book"](x["input_ids"]).transpose(1, 2)
        words = F.gelu(self.layers["window"](words if self.bug == "window" else words * kept))
        if self.bug != "padding wins":
            words = words.masked_fill(~kept, -math.inf if self.bug == "empty" else -10.0)
        return {**x, "t": F.layer_norm(words.amax(2), (WIDE,))}

    def see(self, x):
        pixels = x["pixel_values"].flatten(1)
        return {**x, "p": torch.tanh(self.layers["shrink"](pixels * (255 if self.bug == "bytes" else 1)))}

    def meet(self, x):
        return {**x, "y": self.layers["out"](self.layers["mix"](x["t"], x["p"]))}

    def forward(self, **x):
        for step in self.steps:
            x = step(x)
        return x["y"]


class Packed(nn.Module):
    """A packed two-way GRU beside residual blocks of torchvision's with batch norm; one logit; keywords only."""

    def __init__(self, bug=""):
        from torchvision.models.resnet import BasicBlock

        super().__init__()
        self.bug, self.embed = bug, nn.Embedding(WORDS, 16, padding_idx=PAD)
        self.gru = nn.GRU(16, 12, batch_first=True, bidirectional=True)
        self.cnn = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), BasicBlock(8, 8), nn.AdaptiveAvgPool2d(2), nn.Flatten())
        self.top = nn.Sequential(nn.LayerNorm(56), nn.Dropout(0.2), nn.Linear(56, 1))
        if bug == "cnn frozen":
            self.cnn.requires_grad_(False)

    def forward(self, *, input_ids, attention_mask, pixel_values):
        length = attention_mask.sum(1).clamp(min=1).cpu()
        words = self.embed(input_ids)
        if self.bug == "last place":
            states, _ = self.gru(words)
            text = states[:, -1]
        else:
            packed = nn.utils.rnn.pack_padded_sequence(words, length, batch_first=True, enforce_sorted=False)
            _, last = self.gru(packed)
            text = last.transpose(0, 1 if self.bug != "reshaped" else 0).reshape(len(words), -1)
        if self.bug == "cnn trains":
            self.cnn.train()
        seen = self.cnn(pixel_values)
        logit = self.top(torch.cat([text, seen], 1))
        return (logit.sigmoid() if self.bug == "sigmoid" else logit).flatten()


class Encoder(nn.Module):
    """torch's TransformerEncoder, norm first, with its fast path; a cls token of its own; tuples (loss, logits)."""

    def __init__(self, bug=""):
        super().__init__()
        layer = nn.TransformerEncoderLayer(WIDE, 4, 48, norm_first=True, batch_first=bug != "not batch first")
        self.bug, self.stack = bug, nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.words, self.places = nn.Embedding(WORDS, WIDE), nn.Parameter(torch.randn(64, WIDE))
        self.cls, self.eye = nn.Parameter(torch.randn(1, 1, WIDE)), nn.Conv2d(3, WIDE, 6, 6)
        self.classifier = nn.Linear(2 * WIDE, 4)

    def forward(self, input_ids, attention_mask, pixel_values, labels):
        words = self.words(input_ids) + self.places[:input_ids.shape[1]] * (self.bug != "places off")
        states = torch.cat([self.cls.expand(len(words), 1, -1), words], 1)
        hidden = F.pad(attention_mask == (1 if self.bug == "mask turned" else 0), (1, 0))
        states = self.stack(states, src_key_padding_mask=None if self.bug in ("no mask", "not batch first") else hidden)
        text = states[:, 0]
        picture = self.eye(pixel_values).flatten(2).mean(2)
        if self.bug == "the answer is read":
            picture = picture + labels[:, None] / 4
        logits = self.classifier(torch.cat([text, text if self.bug == "one twice" else picture], 1))
        return F.cross_entropy(logits, labels), logits


class SingleStream(nn.Module):
    """Words and patches in one stream with type vectors, causal-free attention by scaled_dot_product_attention."""

    def __init__(self, bug=""):
        super().__init__()
        self.bug, self.words, self.types = bug, nn.Embedding(WORDS, WIDE), nn.Embedding(2, WIDE)
        self.places, self.patches = nn.Embedding(64, WIDE), nn.Linear(48, WIDE)
        self.qkv, self.proj = nn.Linear(WIDE, 3 * WIDE), nn.Linear(WIDE, WIDE)
        self.norm, self.head = nn.LayerNorm(WIDE), nn.Linear(WIDE, 3)

    def forward(self, input_ids, attention_mask, pixel_values, return_dict=True):
        n, real = len(input_ids), attention_mask.bool()
        words = self.words(input_ids) + self.places.weight[:input_ids.shape[1]] + self.types.weight[0]
        patches = F.unfold(pixel_values, 4, stride=4).transpose(1, 2)
        patches = self.patches(patches) + self.places.weight[-patches.shape[1]:] + self.types.weight[1]
        stream = torch.cat([words, patches], 1)
        there = torch.ones(n, patches.shape[1], dtype=torch.bool, device=real.device)
        seen = torch.cat([there, real] if self.bug == "mask in another order" else
                         [real, ~there if self.bug == "patches masked" else there], 1)
        query, key, value = self.qkv(stream).reshape(n, -1, 3, 2, WIDE // 2).permute(2, 0, 3, 1, 4)
        found = F.scaled_dot_product_attention(query, key, value, attn_mask=seen[:, None, None])
        stream = stream + self.proj(found.transpose(1, 2).flatten(2))
        pooled = (stream[:, 1:].mean(1) if self.bug == "mean of the stream" else stream[:, 0])
        logits = self.head(self.norm(pooled))
        return {"logits": logits} if return_dict else (logits,)


class Dual(nn.Module):
    """Two towers, unit vectors, a temperature, and a vector for each class, as in contrastive models."""

    def __init__(self, bug=""):
        super().__init__()
        self.bug, self.text, self.image = bug, nn.EmbeddingBag(WORDS, WIDE, mode="sum"), nn.Sequential(
            nn.Flatten(), nn.Linear(3 * PIXELS * PIXELS, WIDE), nn.ReLU(), nn.Linear(WIDE, WIDE))
        self.classes, self.logit_scale = nn.Parameter(torch.randn(3, WIDE)), nn.Parameter(torch.tensor(2.0))
        self.look = nn.MultiheadAttention(WIDE, 2, batch_first=True) if bug == "attends to a vector" else None

    def forward(self, input_ids, attention_mask, pixel_values):
        axis = 0 if self.bug == "unit over posts" else 1
        text = self.text(input_ids, per_sample_weights=attention_mask.to(self.text.weight))
        text, image = F.normalize(text, dim=axis), F.normalize(self.image(pixel_values), dim=axis)
        if self.look is not None:
            image = image + self.look(text[:, None], image[:, None], image[:, None])[0][:, 0]
        if self.bug == "no_grad tower":
            image = image.detach()
        scale = self.logit_scale.exp() if self.bug != "scale twice" else self.logit_scale.exp().exp()
        return scale * (text + image) @ F.normalize(self.classes, dim=1).T / 2


class Score(nn.Module):
    """A number from -3 to 3 and the way there: weight norm, a tied matrix, an average of its inputs in training."""

    def __init__(self, bug=""):
        super().__init__()
        self.bug, self.book = bug, nn.Embedding(WORDS, WIDE)
        self.image = nn.utils.parametrizations.weight_norm(nn.Linear(3 * PIXELS * PIXELS, WIDE))
        self.back = nn.Linear(WIDE, WORDS, bias=False)
        self.back.weight = self.book.weight
        self.register_buffer("usual", torch.zeros(2 * WIDE))
        self.out = nn.Linear(2 * WIDE + WORDS, 1)

    def forward(self, input_ids, attention_mask, pixel_values):
        mask = attention_mask[..., None]
        place = 1 + torch.arange(input_ids.shape[1], device=mask.device)[:, None] / 10
        text = (self.book(input_ids) * mask / place).sum(1) / mask.sum(1).clamp(min=1)
        both = torch.cat([text, self.image(pixel_values.flatten(1))], 1)
        if self.training or self.bug == "average goes on":
            self.usual.lerp_(both.detach().mean(0), 0.05)
        both = both - self.usual
        score = self.out(F.dropout(torch.cat([both, self.back(text).softmax(1)], 1), 0.1,
                                   self.training or self.bug == "dropout for ever"))
        if self.bug == "relu at the end":
            return F.relu(score)
        return 3 * torch.tanh(score.squeeze(1))


class Experts(nn.Module):
    """The best of four experts answers each post, weighted by its gate; one may sleep for a whole batch."""

    def __init__(self, bug=""):
        super().__init__()
        self.bug, self.book = bug, nn.Embedding(WORDS, WIDE)
        self.see = nn.Sequential(nn.Conv2d(3, 6, 4, 4), nn.Flatten(), nn.Linear(54, WIDE))
        self.gate, self.experts = nn.Linear(2 * WIDE, 4), nn.ModuleList(nn.Linear(2 * WIDE, 16) for _ in range(4))
        self.head = nn.Linear(16, 3)

    def forward(self, batch=None, **inputs):
        mask = inputs["attention_mask"].unsqueeze(2)
        text = (self.book(inputs["input_ids"]) * mask).sum(1) / mask.sum(1).clamp(min=1)
        both = torch.cat([text, self.see(inputs["pixel_values"])], 1)
        shares = self.gate(both).softmax(1)
        best, made = shares.argmax(1), torch.zeros(len(both), 16, dtype=both.dtype, device=both.device)
        for i, expert in enumerate(self.experts[:3] if self.bug == "one forgotten" else self.experts):
            chosen = best == i
            if chosen.any():
                made[chosen] = expert(both[chosen]) * (1 if self.bug == "gate by argmax" else shares[chosen, i, None])
        return self.head(F.gelu(made))


class Adapted(nn.Module):
    """A frozen network with low-rank adapters, whose second matrix begins as zeros; a gate that begins closed."""

    def __init__(self, bug=""):
        super().__init__()
        self.bug, self.book = bug, nn.Embedding(WORDS, WIDE)
        self.base = nn.ModuleList(nn.Linear(WIDE, WIDE) for _ in range(2))
        self.book.requires_grad_(False)
        self.base.requires_grad_(False)
        with torch.no_grad():  # as a network that has learned: not torch's own first weights
            for layer in self.base:
                layer.weight.add_(0.3 * layer.weight.flip(0) + 0.1 * torch.randn(WIDE, WIDE))
        self.lora_a = nn.ParameterList(nn.Parameter(torch.randn(4, WIDE) / 5) for _ in range(2))
        self.lora_b = nn.ParameterList(nn.Parameter(torch.zeros(WIDE, 4)) for _ in range(2))
        self.eye, self.gate = nn.Linear(3 * PIXELS * PIXELS, WIDE), nn.Parameter(torch.full((1,), 0.05))
        self.head = nn.Linear(2 * WIDE, 3)

    def forward(self, input_ids, attention_mask, pixel_values, **unused):
        mask = attention_mask.unsqueeze(2)
        words = self.book(input_ids)
        for layer, down, up in zip(self.base, self.lora_a, self.lora_b):
            more = words @ down.T @ up.T
            if self.bug == "adapter detached":
                more = more.detach()
            words = torch.tanh(layer(words) + (0 if self.bug == "adapter not added" else more)) + words
        text = (words * mask).sum(1) / mask.sum(1).clamp(min=1)
        return self.head(torch.cat([text, torch.tanh(self.gate) * self.eye(pixel_values.flatten(1))], 1))


class Saved(nn.Module):
    """Memory saved by checkpoints in training; a closed gate (zero at first) before the picture's branch, as ReZero."""

    def __init__(self, bug=""):
        super().__init__()
        self.bug, self.book = bug, nn.Embedding(WORDS, WIDE, padding_idx=PAD)
        self.lstm = nn.LSTM(WIDE, WIDE, batch_first=True)
        self.eye = nn.Sequential(nn.Flatten(), nn.Linear(3 * PIXELS * PIXELS, WIDE), nn.SiLU())
        self.deep, self.rate = nn.Linear(WIDE, WIDE), nn.Parameter(torch.zeros(1))
        self.head = nn.Linear(2 * WIDE, 3)

    def forward(self, input_ids, attention_mask, pixel_values):
        states, _ = self.lstm(self.book(input_ids))
        last = states[torch.arange(len(states)), (attention_mask.sum(1) - 1).clamp(min=0)]
        if self.training:
            picture = checkpoint(self.eye, pixel_values, use_reentrant=self.bug == "checkpoint cuts")
        else:
            picture = self.eye(pixel_values)
        if self.bug != "branch forgotten":
            picture = picture + self.rate * self.deep(picture)
        return (self.head(torch.cat([last, picture], 1)),)


STYLES = {style.__name__: style for style in (
    Pipeline, Packed, Encoder, SingleStream, Dual, Score, Experts, Adapted, Saved)}
BUGS = {
    ("Pipeline", "softmax"): {"by_heart"}, ("Pipeline", "posts' mean"): {"company"},
    ("Pipeline", "window"): {"padding"}, ("Pipeline", "padding wins"): {"padding"},
    ("Pipeline", "empty"): {"missing"}, ("Pipeline", "bytes"): {"overwhelmed"}, ("Packed", "last place"): {"padding"},
    ("Packed", "reshaped"): {"order", "company"}, ("Packed", "cnn trains"): {"company"},
    ("Packed", "sigmoid"): {"by_heart"}, ("Packed", "cnn frozen"): {"frozen"},
    ("Encoder", "not batch first"): {"order", "company", "ignored"}, ("Encoder", "places off"): {"word_order"},
    ("Encoder", "mask turned"): {"padding", "missing"}, ("Encoder", "no mask"): {"padding"},
    ("Encoder", "the answer is read"): {"leak"}, ("Encoder", "one twice"): {"ignored"},
    ("SingleStream", "mask in another order"): {"padding"}, ("SingleStream", "patches masked"): {"ignored"},
    ("SingleStream", "mean of the stream"): {"padding"}, ("Dual", "unit over posts"): {"company"},
    ("Dual", "attends to a vector"): {"attention"}, ("Dual", "no_grad tower"): {"gradients"},
    ("Dual", "scale twice"): {"first_loss", "saturation", "exploding"}, ("Score", "average goes on"): {"left_on"},
    ("Score", "dropout for ever"): {"twice"}, ("Score", "relu at the end"): {"by_heart"},
    ("Experts", "one forgotten"): {"gradients"}, ("Experts", "gate by argmax"): {"gradients"},
    ("Adapted", "adapter detached"): {"gradients"}, ("Adapted", "adapter not added"): {"gradients"},
    ("Saved", "checkpoint cuts"): {"gradients"}, ("Saved", "branch forgotten"): {"gradients"},
}
# What no check sees: tanh makes signs of raw bytes, so that nothing is loud, and the text alone is enough to learn by.
UNSEEN = {("Pipeline", "bytes")}


def made(style, bug="", seed=0):
    """A model of a style, from a seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return STYLES[style](bug)


def posts(style, n=48, seed=0, batch_size=12):
    """Posts whose mood is to be learned: the text's share of words of a mood, and the picture's brightest colour."""
    generator, batches = torch.Generator().manual_seed(seed), []
    kinds = {"Packed": 2, "Encoder": 4}.get(style, 3)
    for _ in range(0, n, batch_size):
        mood = torch.randint(kinds, (batch_size,), generator=generator)
        lengths = torch.randint(5, 13, (batch_size,), generator=generator)
        mask = (torch.arange(int(lengths.max())) < lengths[:, None]).long()
        ids = torch.randint(2, WORDS, mask.shape, generator=generator)
        moody = torch.rand(mask.shape, generator=generator) < 0.5
        ids = torch.where(moody, ids - (ids - 2) % 4 + mood[:, None], ids).clamp(max=WORDS - 1)
        ids[:, 0] = 0
        ids = ids.masked_fill(mask == 0, PAD)
        pixels = torch.randn(batch_size, 3, PIXELS, PIXELS, generator=generator)
        pixels = pixels + 0.7 * F.one_hot(mood % 3, 3)[:, :, None, None]
        labels = mood * 2.0 - 2 if style == "Score" else mood
        batches.append({"input_ids": ids, "attention_mask": mask, "pixel_values": pixels, "labels": labels})
    return batches


def taught(model, batches, epochs=12):
    """The model after a short training with AdamW, in training mode."""
    from mmsa_utils.inspection.case import logits_in, needed_labels
    from mmsa_utils.learning.losses import loss_of

    kept, optimizer = needed_labels(model), torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], 3e-3)
    model.train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        for _ in range(epochs):
            for batch in batches:
                inputs = {name: x for name, x in batch.items() if name != "labels" or name in kept}
                optimizer.zero_grad()
                loss_of(logits_in(model(**inputs)), batch["labels"]).backward()
                optimizer.step()
    return model
