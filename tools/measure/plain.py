"""Plain ways of doing what the package does, to measure it against: what one writes first, with the same result."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable

import numpy as np
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from mmsa_utils import Features, MultimodalSentimentModel, loss_of
from mmsa_utils.fusion.concat import Concat
from mmsa_utils.seeds import seeded


def joined(features: Features) -> torch.Tensor:
    """The fused vectors, (n, width)."""
    return Concat(features.widths)(features.sides)


def plain_loop(features: Features, held_out: Features, epochs: int, batch_size: int = 256) -> nn.Module:
    """What one writes first with torch's own parts: the head, steps and choice of the epoch of `align`."""
    def loader(posts: Features, shuffle: bool) -> DataLoader:
        return DataLoader(TensorDataset(joined(posts), posts.labels), batch_size, shuffle=shuffle)

    with seeded(0):
        width = sum(features.widths.values())
        head = nn.Sequential(nn.Dropout(0.2), nn.Linear(width, 256), nn.ReLU(), nn.Dropout(0.2), nn.Linear(256, 256),
                             nn.ReLU(), nn.Dropout(0.2), nn.Linear(256, 3))
        optimizer = torch.optim.AdamW(head.parameters(), lr=2e-3, weight_decay=0.01)
        learning, checking = loader(features, shuffle=True), loader(held_out, shuffle=False)
        best, best_state = float("inf"), {}
        for _ in range(epochs):
            head.train()
            for rows, targets in learning:
                loss = loss_of(head(rows), targets)
                optimizer.zero_grad()
                loss.backward()
                optimizer.step()
            head.eval()
            with torch.no_grad():
                total = sum(loss_of(head(rows), targets).item() * len(rows) for rows, targets in checking)
            if total < best:
                best, best_state = total, copy.deepcopy(head.state_dict())
    head.load_state_dict(best_state)
    return head.eval()


def bare_training(model: MultimodalSentimentModel, loader: DataLoader, held_out: DataLoader) -> None:
    """The steps of one epoch of `train`, written down bare: no labels checked, nothing counted, nothing kept."""
    matrices = [p for p in model.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() <= 1]
    optimizer = torch.optim.AdamW([{"params": matrices, "weight_decay": 0.01},
                                   {"params": vectors, "weight_decay": 0.0}], lr=1e-3, fused=True)
    with seeded(0):
        model.train()
        for batch in loader:
            labels = batch.pop("labels")
            loss = loss_of(model(**batch), labels)
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        model.eval()
        with torch.no_grad():
            for batch in held_out:
                batch.pop("labels")
                model(**batch)


def with_trainer(model: MultimodalSentimentModel, posts: list, collate: Callable, folder: str) -> None:
    """One epoch by the `Trainer` of transformers; it may write into the folder."""
    from transformers import Trainer, TrainingArguments

    class WithLoss(nn.Module):
        def __init__(self):
            super().__init__()
            self.model = model

        def forward(self, input_ids, attention_mask, pixel_values, labels):
            logits = self.model(input_ids=input_ids, attention_mask=attention_mask, pixel_values=pixel_values)
            return {"loss": loss_of(logits, labels), "logits": logits}

    settings = TrainingArguments(folder, num_train_epochs=1, per_device_train_batch_size=32, learning_rate=1e-3,
                                 per_device_eval_batch_size=64, report_to=[], save_strategy="no", use_cpu=True,
                                 eval_strategy="epoch", logging_strategy="no", disable_tqdm=True,
                                 remove_unused_columns=False, max_grad_norm=1.0, weight_decay=0.01)
    kept = random.getstate(), np.random.get_state()  # noqa: NPY002  (a Trainer seeds every generator there is)
    try:
        with torch.random.fork_rng():
            Trainer(WithLoss(), settings, train_dataset=posts, eval_dataset=posts[:64], data_collator=collate).train()
    finally:
        random.setstate(kept[0])
        np.random.set_state(kept[1])  # noqa: NPY002
