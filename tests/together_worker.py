"""What two processes do at once for test_together.py, and one alone: train tiny models, mostly in double precision.

Started by torchrun with a folder, in which the encoders lie; each process leaves what it got there.
"""

import re
import sys
from pathlib import Path

import torch
from helpers import food

from mmsa_utils import MultimodalSentimentModel, make_loader, processes, train
from mmsa_utils.learning.runs import Run

EPOCHS = 2
#: What is trained → posts, batch size and what else `train` is told. Neither 21 nor 13 can be halved, 3 are a part's.
WORKS = {
    "odd": (21, 8, {}),
    "odd batches": (13, 2, {}),
    "few": (3, 8, {}),
    "in parts": (21, 8, {"accumulate": 3, "class_weights": [1.0, 2.0, 0.5]}),
}

#: Added to every key alike, they move no weight of attention: their gradients are rounding, of which AdamW makes steps.
KEY_BIASES = re.compile(r"\.(key|k_proj|k_lin)\.bias$")


class Stopped(Exception):
    """An interruption, after an epoch has been kept."""


def trained(folder: Path, posts: int = 21, batch: int = 8, image: str = "vit", single: bool = False, **options):
    """→ the history of a model without dropout, and all its weights in one row (single: but the biases of keys)."""
    model = MultimodalSentimentModel(str(folder / "bert"), str(folder / image), hidden=16, dropout=0)
    model = model.float() if single else model.double()
    for part in model.modules():
        if isinstance(part, torch.nn.Dropout):
            part.p = 0.0
    history = train(model, make_loader(food(posts), model, batch, shuffle=True, seed=3),
                    make_loader(food(11, "validation"), model, batch), epochs=EPOCHS, show_progress=False, **options)
    return history, torch.cat([tensor.flatten().double() for name, tensor in model.state_dict().items()
                               if not (single and KEY_BIASES.search(name))])


def broken_off(path: Path, folder: Path) -> None:
    """The first epoch of a run, and no more."""
    end_epoch = Run.end_epoch

    def stop(run, row):
        end_epoch(run, row)
        raise Stopped

    Run.end_epoch = stop
    try:
        trained(folder, checkpoint=path)
    except Stopped:
        return
    finally:
        Run.end_epoch = end_epoch


def main(folder: Path) -> None:
    from accelerate import Accelerator

    torch.set_num_threads(1)
    found = {name: trained(folder, posts, batch, **options) for name, (posts, batch, options) in WORKS.items()}
    found["after one"] = trained(folder, checkpoint=folder / "one.safetensors")
    broken_off(folder / "two.safetensors", folder)
    found["a batch each"] = trained(folder, batch=4, accelerator=Accelerator(cpu=True))  # Accelerate's own custom
    found["single"] = trained(folder, single=True)
    found["normalised"] = trained(folder, image="resnet")
    torch.save(found, folder / f"{processes.place()}.pt")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
