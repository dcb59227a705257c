"""Estimate what each notebook needs at full size on Colab's T4: minutes, memory, downloads. None is run at full size.

python tools/estimate_t4.py            write the table in docs/colab.md from tools/t4_counts.json
python tools/estimate_t4.py COUNTS     take counts over into that file first (tools/colab_trial.py makes them)

Counted at mini size: the texts and pictures that go through each encoder, and what the processor does besides.
Computed from the full-size architectures, on shapes alone: parameters, operations, memory at work.
Assumed: the constants below. Seconds are of processor time.
"""

from __future__ import annotations

import json
import sys
import weakref
from pathlib import Path

import torch
from stopping import leave
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode
from torch.utils.weak import WeakIdKeyDictionary

ROOT = Path(__file__).resolve().parent.parent
PAGE, COUNTS = ROOT / "docs" / "colab.md", ROOT / "tools" / "t4_counts.json"
BEGIN, END = "<!-- table by tools/estimate_t4.py -->", "<!-- end of the table -->"

T4 = 0.3 * 8.1e12  # operations a second: its published peak in single precision, and the share of it that is reached
CPU = 40e9  # operations a second of Colab's two virtual cores in an encoder
SLOWER = 1.5  # times longer than the machine that counted, for drawing and preparing pictures
WIDER = 2.5  # times longer for everything else (heads, figures, widgets): slower, and features up to six times as wide
DRAW, PREPARE = 0.0075, 0.004  # seconds for a picture of 224 pixels, measured where the counts were
START = 60  # seconds to install the package, import it, and put the networks on the card
NETWORK = 50e6  # bytes a second of a download
CONTEXT = 0.6e9  # bytes that CUDA and its libraries take before the first number
TOKENS = 24  # of an example text: about what ours have, padded
POST_BYTES = 3 * (224**2 - 64**2)  # that a kept picture is larger than at mini size
LEARNING = 4  # numbers a parameter that learns: itself, its gradient, and two that AdamW keeps
ALIGN = (8000, 500)  # --posts and --test-posts of the command that docs/colab.md gives
HEADS = 60  # seconds for one seed's heads at that size, measured at mini size
FEW = 10  # an encoder with fewer texts or pictures belongs to an explorer that stays at mini size
SMALL = ("00_start_here", "01_synthetic_data")  # with networks of mini size, or none, in either size


class Peak(TorchDispatchMode):
    """The largest number of bytes that tensors made inside took at one time; works on shapes alone ("meta")."""

    def __init__(self):
        super().__init__()
        self.now = self.most = 0
        self.seen = WeakIdKeyDictionary()  # storages: a view has its tensor's

    def __torch_dispatch__(self, function, types, given=(), named=None):
        for storage in self.storages((given, named)):
            self.seen.setdefault(storage, True)  # weights and inputs: not made inside
        made = function(*given, **(named or {}))
        for storage in self.storages(made):
            if storage not in self.seen:
                self.seen[storage] = True
                self.now += storage.nbytes()
                self.most = max(self.most, self.now)
                weakref.finalize(storage, self.free, storage.nbytes())
        return made

    def storages(self, tree) -> list:
        return [leaf.untyped_storage() for leaf in tree_leaves(tree) if isinstance(leaf, torch.Tensor)]

    def free(self, size: int) -> None:
        self.now -= size


def architecture(name: str) -> dict[str, float]:
    """Of a full-size encoder: parameters; operations, and bytes at work, for one picture or one token."""
    from mmsa_utils.encoders import TEXT_ENCODERS, load_image_encoder, load_text_encoder

    text = name in TEXT_ENCODERS
    with torch.device("meta"):
        net = (load_text_encoder if text else load_image_encoder)(name, "full", pretrained=False).net
        example = torch.zeros(1, TOKENS, dtype=torch.long) if text else torch.zeros(1, 3, 224, 224)
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            net(example)
        with Peak() as looking, torch.no_grad():
            net(example)
        with Peak() as learning:
            output = net(example)
        del output
    unit = TOKENS if text else 1
    return {"parameters": sum(p.numel() for p in net.parameters()), "operations": counter.get_total_flops() / unit,
            "encoding": looking.most / unit, "learning": learning.most / unit}


def estimate(row: dict, full: dict[str, dict]) -> dict[str, float]:
    """One notebook's counts → minutes, and bytes: on the card, in memory ("ram"), to download ("files")."""
    encoders = row["encoders"]
    on_card = [part for part in encoders if part["device"] == "card"]
    learns = any(part["learns"] for part in on_card)
    names = {part["encoder"] for part in encoders if part["items"] >= FEW}
    files = sum(4 * full[name]["parameters"] for name in names)
    elsewhere = sum(part["seconds"] for part in [*encoders, row["drawn"], row["prepared"]])
    rest = row["cpu_seconds"] - elsewhere - (row["backward"]["seconds"] if learns else 0)
    seconds = START + files / NETWORK + WIDER * rest
    seconds += SLOWER * (DRAW * row["drawn"]["items"] + PREPARE * row["prepared"]["items"])
    for part in encoders:
        passes = 3 if part["learns"] else 1  # backwards costs twice as much as forwards
        speed = T4 if part["device"] == "card" else CPU
        seconds += passes * part["numbers"] * full[part["encoder"]]["operations"] / speed
    card = 0.0
    if on_card:
        weights = sum(4 * full[name]["parameters"] * (LEARNING if learns else 1)
                      for name in {part["encoder"] for part in on_card})
        work = [part["largest"] * full[part["encoder"]]["learning" if part["learns"] else "encoding"]
                for part in on_card]
        card = CONTEXT + weights + (sum(work) if learns else max(work))
    ram = 1e6 * row["peak_memory_mb"] + 2 * files + POST_BYTES * row["drawn"]["items"]
    return {"minutes": seconds / 60, "card": card, "ram": ram, "files": files}


def align_row(posts: int, test_posts: int) -> dict:
    """What `align --seeds 1` asks for, from its own arithmetic: see mmsa_utils/correction.py."""
    held_out = posts // 8
    drawn = posts + held_out + 2 * test_posts
    encoded = drawn + posts + held_out + test_posts  # and once more by random encoders, but for one split
    encoder = {"device": "card", "learns": False, "seconds": 0, "largest": 64}
    return {"encoders": [{**encoder, "encoder": "distilbert", "numbers": encoded * TOKENS, "items": encoded,
                          "largest": 64 * TOKENS}, {**encoder, "encoder": "vit", "numbers": encoded, "items": encoded}],
            "drawn": {"items": drawn, "seconds": 0}, "prepared": {"items": encoded, "seconds": 0},
            "backward": {"seconds": 0}, "cpu_seconds": HEADS, "peak_memory_mb": 1000}


def table(counts: dict[str, dict]) -> str:
    """The table of docs/colab.md."""
    full = {name: architecture(name) for name in ("bert", "distilbert", "resnet18", "vit")}
    rows = {name: counts[name] | ({"encoders": []} if name in SMALL else {}) for name in sorted(counts)}
    where = [name for name in rows if name >= "07"][0]
    rows = {name: row for name, row in rows.items() if name < where} | {
        "`align`, before 07 and 08": align_row(*ALIGN)} | {name: row for name, row in rows.items() if name >= where}
    lines = ["| notebook | texts, pictures through full-size encoders | minutes | on the card | memory | downloads |",
             "|---|---|---|---|---|---|"]
    for name, row in rows.items():
        need = estimate(row, full)
        sides = []
        for kinds in (("bert", "distilbert"), ("resnet18", "vit")):
            parts = [part for part in row["encoders"] if part["encoder"] in kinds]
            count = sum(part["items"] for part in parts)
            sides.append(f"{count:,}" if count < 100 else f"{round(count, -2):,}")
        through = ", ".join(sides) if row["encoders"] else "none"
        files = f"{round(need['files'] / 1e6, -1):.0f} MB" if need["files"] else "none"
        card = f"{need['card'] / 1e9:.1f} GB" if need["card"] else "not used"
        lines.append(f"| {name} | {through} | {max(1, round(need['minutes']))} | {card} | "
                     f"{need['ram'] / 1e9:.1f} GB | {files} |")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    if arguments:
        fields = ("cpu_seconds", "peak_memory_mb", "encoders", "drawn", "prepared", "backward")
        taken = json.loads(Path(arguments[0]).read_text(encoding="utf8"))
        kept = json.loads(COUNTS.read_text(encoding="utf8")) if COUNTS.is_file() else {}
        kept |= {name: {field: row[field] for field in fields} for name, row in taken.items() if row["ok"]}
        COUNTS.write_text(json.dumps(dict(sorted(kept.items())), indent=1) + "\n", encoding="utf8", newline="\n")
    made = table(json.loads(COUNTS.read_text(encoding="utf8")))
    page = PAGE.read_text(encoding="utf8")
    before, after = page.split(BEGIN)[0], page.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}\n{made}\n{END}{after}", encoding="utf8", newline="\n")
    print(made)
    return 0


if __name__ == "__main__":
    leave(lambda: main(sys.argv[1:]), "docs/colab.md is as it was")
