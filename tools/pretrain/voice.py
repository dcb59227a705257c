"""Pretrain the mini voice encoder, without any label of sentiment or emotion: `python tools/pretrain/voice.py`.

It learns to imitate the encoder of whisper-tiny.en (its mean over true frames, and its frames) on recordings of people,
bent in pitch, tempo, tilt, level and place; to tell the numbers of prosody that can be measured there; and to tell the
parameters of drawn voices (`mmsa_utils.posts.voices`), which are uniform and independent of one another. `--evaluate`
measures the saved weights by linear probes and writes the card. Needs soundfile, espeak-ng, flite, Debian's packages
with recordings (see voice_sounds.py) and the teacher (see whisper_teacher.py).
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from tqdm import tqdm
from voice_card import write_card
from voice_sounds import HELD_OUT, RATE, Clip, bent, clips, prosody, recordings, synthesised

from mmsa_utils.encoders.table import load_voice_encoder
from mmsa_utils.encoders.voice import MiniVoice, log_mels
from mmsa_utils.posts.sound import Sound
from mmsa_utils.posts.voices import SPEAKERS, UNSEEN_SPEAKERS, Prosody, Speaker, prosody_of, speak

SEED = 7
VIEWS, SYNTHESISED, DRAWN, HELD_OUT_CLIPS = 9_000, 500, 5_000, 500  # bent clips of people and of machines, drawn voices
MOST = {"flight-of-the-amazon-queen": 0.4, "": 0.08}  # of the views: at most so many of one voice, or cast
STEPS, BATCH, DRAWN_BATCH, LEARNING_RATE = 2_000, 80, 24, 2.5e-3
LOUDER = 1.0  # while it learns, clips are made up to so many bels louder or quieter
COMPONENTS = {"pooled": 192, "tokens": 96}  # of the teacher's
WEIGHTS = Path(__file__).resolve().parents[2] / "mmsa_utils" / "weights"
#: Of a drawn voice, physical numbers: the least and the most.
PARAMETERS = {"pitch": (75, 340), "range": (1.5, 11), "tempo": (3, 6.5), "energy": (-7, 7), "tilt": (-9.5, 2),
              "roughness": (0, 1), "smile": (-0.14, 0.14), "peak": (0.05, 0.65), "gaps": (0.03, 0.43)}


class Views(NamedTuple):
    """Sounds as the networks see them, one after the other, and what is to be told of them."""

    mels: list[np.ndarray]  # (frames, 80) float16
    targets: dict[str, np.ndarray]  # (n, ...) float32, NaN where a sound has none
    tokens: list[np.ndarray]  # (tokens, 384) float16, the teacher's; none of a drawn voice
    tracks: list[np.ndarray]  # (tokens, 3): pitch, energy, harmonicity
    who: np.ndarray  # (n,) names


# --- what is heard ------------------------------------------------------------------------------------------------

def chosen(everything: list[Clip], count: int, rng: np.random.Generator) -> list[Clip]:
    """So many clips, in random order, no voice among them more often than MOST allows; some come twice."""
    pool: list[Clip] = []
    while len(pool) < count:
        taken: dict[str, int] = defaultdict(int)
        for i in rng.permutation(len(everything)):
            clip = everything[i]
            if taken[clip.who] < MOST.get(clip.who, MOST[""]) * count:
                taken[clip.who] += 1
                pool.append(clip)
    return pool[:count]


@torch.no_grad()
def teacher_tokens(teacher: Any, sounds: list[np.ndarray]) -> tuple[np.ndarray, list[np.ndarray]]:
    """The teacher's mean over true frames (n, 384), and its frames, the mean of four each (80 ms).

    Whisper looks at thirty seconds. The silence behind a clip is everywhere alike, so that every thirty-second frame of
    it stands for its neighbours: attention counts it that often. (Explained variance of the means so made: 0.985.)
    """
    net, features = teacher.net, teacher.prepare.processor(
        sounds, sampling_rate=RATE, return_tensors="pt", max_length=5 * RATE)["input_features"]
    true = torch.tensor([-(-len(sound) // 320) for sound in sounds])
    near, far = int(true.max()) + 16, torch.arange(int(true.max()) + 32, 1500, 32)
    weight = torch.zeros(near + len(far))
    weight[near:] = np.log((1500 - near) / len(far))
    with torch.autocast("cpu", torch.bfloat16):
        states = F.gelu(net.conv2(F.gelu(net.conv1(features)))).transpose(1, 2)
        silence = states[:, -5:-4].expand(-1, len(far), -1)
        places = torch.cat([torch.arange(near), far])
        states = torch.cat([states[:, :near], silence], 1) + net.embed_positions.weight[places]
        for layer in net.layers:
            normed, own = layer.self_attn_layer_norm(states), layer.self_attn
            q, k, v = (project(normed).unflatten(2, (own.num_heads, -1)).transpose(1, 2)
                       for project in (own.q_proj, own.k_proj, own.v_proj))
            heard = F.scaled_dot_product_attention(q, k, v, attn_mask=weight.to(q.dtype).view(1, 1, 1, -1))
            states = states + own.out_proj(heard.transpose(1, 2).flatten(2))
            states = states + layer.fc2(F.gelu(layer.fc1(layer.final_layer_norm(states))))
        states = net.layer_norm(states).float()
    pooled = np.stack([row[:n].mean(0).numpy() for row, n in zip(states, true)])
    return pooled, [by_tokens(row[:n].numpy(), 4) for row, n in zip(states, true)]


def by_tokens(frames: np.ndarray, step: int) -> np.ndarray:
    """(frames, ...) → (tokens, ...): means over what lies around each token of the mini, NaN where there is nothing."""
    tokens = -(-(len(frames) + step // 2) // step)
    padded = np.full((tokens * step, frames.shape[1]), np.nan, np.float32)
    padded[step // 2:step // 2 + len(frames)] = frames
    grouped = padded.reshape(tokens, step, -1)
    held = np.isfinite(grouped)
    return np.where(held.any(1), np.where(held, grouped, 0).sum(1) / np.maximum(held.sum(1), 1), np.nan)


def views_of(sounds: list[np.ndarray], who: list[str], teacher: Any = None, label: str = "") -> Views:
    """Everything about some sounds; the teacher's part only where there is a teacher."""
    order = np.argsort([len(sound) for sound in sounds], kind="stable")
    pooled, tokens = np.full((len(sounds), 384), np.nan, np.float32), [np.zeros((0, 384), np.float16)] * len(sounds)
    for start in tqdm(range(0, len(order), 16), desc=f"{label}: teacher", disable=teacher is None, mininterval=20):
        rows = order[start:start + 16]
        if teacher is not None:
            pooled[rows], heard = teacher_tokens(teacher, [sounds[i] for i in rows])
            for i, one in zip(rows, heard):
                tokens[i] = one.astype(np.float16)
    measured = [prosody(sound) for sound in tqdm(sounds, desc=f"{label}: prosody", mininterval=20)]
    return Views([log_mels(Sound(sound)).numpy().T.astype(np.float16) for sound in sounds],
                 {"pooled": pooled, "prosody": np.stack([numbers for numbers, _ in measured]).astype(np.float32)},
                 tokens, [by_tokens(track, 4).astype(np.float32) for _, track in measured], np.array(who))


def anybody(rng: np.random.Generator) -> Speaker:
    """A speaker of a drawn voice who is none of those that posts are spoken by."""
    return Speaker("anybody", 0, rng.uniform(0.9, 1.25), 1, 0, rng.uniform(0.01, 0.06))


def any_prosody(rng: np.random.Generator) -> Prosody:
    """Numbers that know nothing of one another; pitch is uniform in octaves."""
    low, high = np.log2(PARAMETERS["pitch"])
    return Prosody(**{**{key: rng.uniform(*ends) for key, ends in PARAMETERS.items()},
                      "pitch": 2 ** rng.uniform(low, high)})


def parameters_of(prosodies: list[Prosody], speakers: list[Speaker]) -> np.ndarray:
    """(n, 11): what a voice was drawn from, each between -1 and 1: the nine of its prosody, tract and breath."""
    found = []
    for spoken, speaker in zip(prosodies, speakers):
        values = [(np.log2(value), *np.log2(PARAMETERS[key])) if key == "pitch" else (value, *PARAMETERS[key])
                  for key, value in spoken._asdict().items()]
        values += [(speaker.tract, 0.9, 1.25), (speaker.breath, 0.01, 0.06)]
        found.append([2 * (value - low) / (high - low) - 1 for value, low, high in values])
    return np.array(found, np.float32)


def drawn(count: int, speakers: tuple[Speaker, ...], rng: np.random.Generator, label: str) -> Views:
    """Drawn voices of some speakers, or of anybody, in any prosody."""
    sounds, prosodies, who = [], [], []
    for _ in tqdm(range(count), desc=label, mininterval=20):
        who.append(speakers[rng.integers(len(speakers))] if speakers else anybody(rng))
        prosodies.append(any_prosody(rng))
        sounds.append(speak(prosodies[-1], who[-1], rng).samples)
    views = views_of(sounds, [speaker.name for speaker in who], label=label)
    views.targets["parameters"] = parameters_of(prosodies, who)
    return views


def make_data(work: Path, folder: Path, teacher: Any) -> dict[str, Views]:
    """All that is learned from and measured on, in files of the working folder once they are made."""
    if not (work / "again.npz").is_file():
        everything = clips(recordings(folder), np.random.default_rng(SEED))
        rng = np.random.default_rng(SEED + 1)
        known = [clip for clip in everything if clip.who not in HELD_OUT]
        unknown = chosen([clip for clip in everything if clip.who in HELD_OUT], HELD_OUT_CLIPS, rng)
        machines = clips(synthesised(SYNTHESISED, rng), rng)[:SYNTHESISED]
        for name, some in (("real", [*chosen(known, VIEWS, rng), *machines]), ("held_out", unknown),
                           ("again", unknown)):  # the last: the same clips, bent
            sounds = [clip.samples if name == "held_out" else bent(clip.samples, rng)
                      for clip in tqdm(some, desc=f"{name}: bent", mininterval=20)]
            store(views_of(sounds, [clip.who for clip in some], teacher, name), work / f"{name}.npz")
    if not (work / "drawn.npz").is_file():
        store(drawn(DRAWN, (), np.random.default_rng(SEED + 2), "drawn"), work / "drawn.npz")
    return {name: restored(work / f"{name}.npz") for name in ("real", "held_out", "again", "drawn")}


def store(views: Views, path: Path) -> None:
    """Write views into a file without pickles: lists as one array and their lengths."""
    lists = {name: getattr(views, name) for name in ("mels", "tokens", "tracks")}
    np.savez(path, who=views.who, **{f"target {key}": value for key, value in views.targets.items()},
             **{name: np.concatenate(parts) for name, parts in lists.items()},
             **{f"lengths {name}": np.array([len(part) for part in parts]) for name, parts in lists.items()})


def restored(path: Path) -> Views:
    """What `store` wrote."""
    with np.load(path, allow_pickle=False) as file:
        lists = {name: np.split(file[name], np.cumsum(file[f"lengths {name}"])[:-1])
                 for name in ("mels", "tokens", "tracks")}
        targets = {key.removeprefix("target "): file[key] for key in file.files if key.startswith("target ")}
        return Views(targets=targets, who=file["who"], **lists)


# --- learning -----------------------------------------------------------------------------------------------------

class Projection(NamedTuple):
    """Main components of the teacher's: how they are made of its features."""

    centre: np.ndarray
    matrix: np.ndarray  # (384, components)

    def __call__(self, features: np.ndarray) -> np.ndarray:
        return (features - self.centre) @ self.matrix


def main_components(features: np.ndarray, count: int) -> Projection:
    """Components of standard deviation 1 together; the smaller ones count for more than their variance."""
    centre = features.mean(0)
    _, s, v = np.linalg.svd(features - centre, full_matrices=False)
    matrix = v[:count].T / np.sqrt(s[:count])
    return Projection(centre, matrix / ((features - centre) @ matrix).std())


def batches(lengths: np.ndarray, size: int, rng: np.random.Generator) -> list[np.ndarray]:
    """All places in random batches of about equally long sounds."""
    order = rng.permutation(len(lengths))
    groups = [part[np.argsort(lengths[part], kind="stable")] for part in np.array_split(order, max(1, len(order) // (
        size * 16)))]
    found = [group[start:start + size] for group in groups for start in range(0, len(group) - size + 1, size)]
    return [found[i] for i in rng.permutation(len(found))]


def batch_of(parts: list[np.ndarray]) -> tuple[Tensor, Tensor]:
    """Sequences of several lengths → (batch, longest, width) with zeros behind, and their mask."""
    longest = max(map(len, parts))
    out = np.zeros((len(parts), longest, parts[0].shape[1]), np.float32)
    mask = np.zeros((len(parts), longest), bool)
    for row, part in enumerate(parts):
        out[row, :len(part)], mask[row, :len(part)] = part, True
    return torch.from_numpy(out), torch.from_numpy(mask)


class Heard(NamedTuple):
    """A clip as it is heard this time, and what is to be told of it."""

    mels: np.ndarray  # (frames, 80)
    tokens: np.ndarray  # (tokens, 384)
    track: np.ndarray  # (tokens, 3)
    pooled: np.ndarray  # (384,)
    numbers: np.ndarray  # (8,)


def heard_anew(views: Views, row: int, rng: np.random.Generator) -> Heard:
    """A clip of people louder or quieter, and half of the time only a part of it."""
    mels, tokens, track = (part[row].astype(np.float32) for part in (views.mels, views.tokens, views.tracks))
    pooled, numbers = views.targets["pooled"][row], views.targets["prosody"][row].copy()
    louder = rng.uniform(-LOUDER, LOUDER)
    mels, numbers[2] = np.maximum(mels + louder, -4), numbers[2] + 10 * louder
    track[:, 1] += 10 * louder
    if len(tokens) > 16 and rng.random() < 0.5:
        length = int(rng.uniform(0.55, 1) * len(tokens))
        start = int(rng.integers(len(tokens) - length + 1))
        mels, tokens = mels[8 * start:8 * (start + length)], tokens[start:start + length]
        track, pooled = track[start:start + length], tokens.mean(0)
    return Heard(mels, tokens, track, pooled, numbers)


def scaled(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Numbers of mean 0 and deviation 1, and what was taken away."""
    centre, spread = np.nanmean(values, 0), np.nanstd(values, 0)
    return (values - centre) / spread, centre, spread


def loss_where(guess: Tensor, target: Tensor) -> Tensor:
    """Mean squared error where a target is known; what lies three deviations off pulls no harder."""
    known = target.isfinite()
    return F.smooth_l1_loss(guess[known], target[known], beta=2.0) * 2


def pretrain(data: dict[str, Views], steps: int, checkpoint: Path) -> MiniVoice:
    """Train on every target at once, each read off the vector, or the tokens, by one linear layer."""
    torch.manual_seed(SEED)  # a script of its own: nobody else's random numbers are touched
    rng = np.random.default_rng(SEED)
    real, made = data["real"], data["drawn"]
    project = main_components(real.targets["pooled"], COMPONENTS["pooled"])
    frames = np.concatenate(real.tokens).astype(np.float32)
    project_tokens = main_components(frames[np.isfinite(frames).all(1)][::7], COMPONENTS["tokens"])
    _, centre, spread = scaled(np.concatenate([real.targets["prosody"], made.targets["prosody"]]))
    _, track_centre, track_spread = scaled(np.concatenate(real.tracks))

    network = MiniVoice().train()
    heads = nn.ModuleDict({"pooled": nn.Linear(128, COMPONENTS["pooled"]), "numbers": nn.Linear(128, 8),
                           "tokens": nn.Linear(128, COMPONENTS["tokens"]), "tracks": nn.Linear(128, 3),
                           "drawn": nn.Linear(128, 11)})
    weights = [*network.parameters(), *heads.parameters()]
    optimiser = torch.optim.AdamW(weights, LEARNING_RATE, weight_decay=0.05)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, LEARNING_RATE, total_steps=steps, pct_start=0.15)
    lengths = {name: np.array([len(mel) for mel in data[name].mels]) for name in ("real", "drawn")}
    queues: dict[str, list[np.ndarray]] = {"real": [], "drawn": []}
    shown: dict[str, float] = {}
    for step in (bar := tqdm(range(steps), desc="pretrain", mininterval=20)):
        for name, size in (("real", BATCH), ("drawn", DRAWN_BATCH)):
            queues[name] = queues[name] or batches(lengths[name], size, rng)
        rows, rows_made = queues["real"].pop(), queues["drawn"].pop()
        some = [heard_anew(real, i, rng) for i in rows]
        x, mask = batch_of([clip.mels for clip in some] + [made.mels[i] for i in rows_made])
        tracks, _ = batch_of([(part - track_centre) / track_spread for part in
                              [clip.track for clip in some] + [made.tracks[i] for i in rows_made]])
        heard, _ = batch_of([project_tokens(clip.tokens) for clip in some])
        pooled = torch.from_numpy(project(np.stack([clip.pooled for clip in some]))).float()
        numbers = np.stack([clip.numbers for clip in some] + [made.targets["prosody"][i] for i in rows_made])
        numbers = torch.from_numpy(np.clip((numbers - centre) / spread, -4, 4)).float()
        with torch.autocast("cpu", torch.bfloat16), sdpa_kernel(SDPBackend.MATH):  # flash is slow backwards here
            tokens, real_tokens = network(x.transpose(1, 2), mask)
        tokens = tokens.float()
        vector = network.pool(tokens, real_tokens)
        count = min(tokens.shape[1], heard.shape[1])
        held = real_tokens[:len(rows), :count]
        spoken = min(tokens.shape[1], tracks.shape[1])
        held_tracks = real_tokens[:, :spoken]
        losses = {
            "pooled": 1.5 * loss_where(heads["pooled"](vector[:len(rows)]), pooled),
            "tokens": loss_where(heads["tokens"](tokens[:len(rows), :count])[held], heard[:, :count][held]),
            "numbers": 0.5 * loss_where(heads["numbers"](vector), numbers),
            "tracks": 0.3 * loss_where(heads["tracks"](tokens[:, :spoken])[held_tracks],
                                       tracks[:, :spoken][held_tracks]),
            "drawn": loss_where(heads["drawn"](vector[len(rows):]),
                                torch.from_numpy(made.targets["parameters"][rows_made]))}
        optimiser.zero_grad()
        torch.stack(list(losses.values())).sum().backward()
        nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        schedule.step()
        for key, value in losses.items():
            shown[key] = 0.98 * shown.get(key, value.item()) + 0.02 * value.item()
        if step % 100 == 99:
            bar.set_postfix({key: f"{value:.3f}" for key, value in shown.items()})
        if step % 500 == 499:
            torch.save(network.state_dict(), checkpoint)
    return network.eval()


def save(network: MiniVoice, folder: Path) -> None:
    """Float16 weights, and beside them what they are and how a sound is prepared for them."""
    folder.mkdir(parents=True, exist_ok=True)
    save_file({key: tensor.half().contiguous() for key, tensor in network.state_dict().items()},
              folder / "model.safetensors", metadata={"format": "pt"})
    folder.joinpath("model.safetensors").chmod(0o644)
    settings = load_voice_encoder("whisper", pretrained=False).prepare.settings()
    folder.joinpath("config.json").write_text(json.dumps({
        "model_type": "mini-voice", "width": 128, "layers": len(network.layers), "heads": 4,
        "frames_a_token": 8, "dtype": "float16"}, indent=2) + "\n")
    folder.joinpath("preprocessor_config.json").write_text(json.dumps(settings, indent=2) + "\n")


# --- measuring ----------------------------------------------------------------------------------------------------

@torch.no_grad()
def vectors(network: MiniVoice, views: Views) -> np.ndarray:
    """(n, 128): the vector of each sound."""
    found = np.zeros((len(views.mels), 128), np.float32)
    order = np.argsort([len(mel) for mel in views.mels], kind="stable")
    for rows in np.array_split(order, -(-len(order) // 100)):
        x, mask = batch_of([views.mels[i] for i in rows])
        found[rows] = network.pool(*network(x.transpose(1, 2), mask))
    return found


def five(views: Views) -> np.ndarray:
    """(n, 5): pitch, range, energy, tilt and tempo, measured; means where a sound is voiceless."""
    numbers = views.targets["prosody"][:, :5].copy()
    return np.where(np.isfinite(numbers), numbers, np.nanmean(numbers, 0))


def explained(x: np.ndarray, y: np.ndarray, fresh: np.ndarray, truth: np.ndarray, together: bool = False) -> Any:
    """Share of the variance that a linear probe (ridge) explains on other sounds: of each column, or of all."""
    from sklearn.linear_model import RidgeCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    fitted = make_pipeline(StandardScaler(), RidgeCV(np.logspace(-1, 5, 13))).fit(x, y)
    off, all_ = np.square(truth - fitted.predict(fresh)).sum(0), np.square(truth - truth.mean(0)).sum(0)
    return float(1 - off.sum() / all_.sum()) if together else np.round(1 - off / all_, 3)


def told(x: np.ndarray, y: np.ndarray, fresh: np.ndarray, truth: np.ndarray) -> float:
    """Accuracy of a linear probe (logistic regression) on other sounds."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    return round(float(make_pipeline(StandardScaler(), LogisticRegression(C=0.3, max_iter=2000)).fit(x, y).score(
        fresh, truth)), 3)


def found_again(x: np.ndarray, again: np.ndarray, who: np.ndarray) -> tuple[float, float]:
    """How often a clip's nearest among the bent ones is itself; and its nearest other clip is of the same voice."""
    unit = [(a - x.mean(0)) / x.std(0) for a in (x, again)]
    unit = [a / np.linalg.norm(a, axis=1, keepdims=True) for a in unit]
    alike = unit[0] @ unit[0].T - 2 * np.eye(len(x))
    return (round(float(np.mean((unit[0] @ unit[1].T).argmax(1) == np.arange(len(x)))), 3),
            round(float(np.mean(who[alike.argmax(1)] == who)), 3))


def feeling(speakers: tuple[Speaker, ...], count: int, rng: np.random.Generator) -> tuple[Views, np.ndarray]:
    """Drawn voices that feel something, -2 to 2, at any arousal: a check of what is never learned from."""
    sounds, signs = [], []
    for i in range(count):
        heard, speaker = i % 5 - 2, speakers[rng.integers(len(speakers))]
        sounds.append(speak(prosody_of(heard, rng.uniform(-1, 1), speaker, rng), speaker, rng).samples)
        signs.append(np.sign(heard))
    return views_of(sounds, [""] * count, label="feeling"), np.array(signs)


def evaluate(work: Path, data: dict[str, Views]) -> dict[str, Any]:
    """Linear probes of the weights as they ship, of random ones, and of five numbers of prosody."""
    rng = np.random.default_rng(SEED + 3)
    known, unseen = drawn(1_600, SPEAKERS, rng, "known"), drawn(800, UNSEEN_SPEAKERS, rng, "unseen")
    felt, signs = feeling(SPEAKERS, 1_200, rng)
    felt_unseen, signs_unseen = feeling(UNSEEN_SPEAKERS, 600, rng)
    real, held_out, again = data["real"], data["held_out"], data["again"]
    voiced = [np.isfinite(views.targets["prosody"]).all(1) for views in (real, held_out)]
    half = len(known.mels) // 2
    report: dict[str, Any] = {"voices held out": len(set(held_out.who)), "clips held out": len(held_out.mels)}
    for name in ("pretrained", "random", "five"):
        network = None if name == "five" else load_voice_encoder("whisper", pretrained=name == "pretrained",
                                                                 seed=SEED).net.eval()
        x = {key: five(views) if network is None else vectors(network, views) for key, views in (
            ("known", known), ("unseen", unseen), ("real", real), ("held_out", held_out), ("again", again),
            ("felt", felt), ("felt_unseen", felt_unseen))}
        report[name] = {
            "parameters": dict(zip([*PARAMETERS, "tract", "breath"], explained(
                x["known"], known.targets["parameters"], x["unseen"], unseen.targets["parameters"]).tolist())),
            "speaker": told(x["known"][:half], known.who[:half], x["known"][half:], known.who[half:]),
            "prosody": explained(x["real"][voiced[0]], real.targets["prosody"][voiced[0]], x["held_out"][voiced[1]],
                                 held_out.targets["prosody"][voiced[1]]).tolist(),
            "teacher": round(explained(x["real"], real.targets["pooled"], x["held_out"], held_out.targets["pooled"],
                                       together=True), 3),
            "again": found_again(x["held_out"], x["again"], held_out.who),
            "feeling": told(x["felt"], signs, x["felt_unseen"], signs_unseen)}
        print(name, json.dumps(report[name]), flush=True)
    (work / "evaluate_voice.json").write_text(json.dumps(report, indent=1) + "\n")
    return report


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sounds", type=Path, required=True, help="folder with Debian's packages: voice_sounds.py")
    parser.add_argument("--teacher", type=Path, default=Path("build/whisper-tiny.en"), help="see whisper_teacher.py")
    parser.add_argument("--work", type=Path, default=Path("build/pretrain-voice"), help="folder for what is made")
    parser.add_argument("--out", type=Path, default=WEIGHTS / "whisper", help="folder that gets the weights")
    parser.add_argument("--steps", type=int, default=STEPS)
    parser.add_argument("--threads", type=int, default=1, help="of the processor")
    parser.add_argument("--evaluate", action="store_true", help="only measure the weights of the package")
    args = parser.parse_args()
    torch.set_num_threads(args.threads)
    args.work.mkdir(parents=True, exist_ok=True)
    data = make_data(args.work, args.sounds, load_voice_encoder(str(args.teacher)).eval())
    if args.evaluate:
        write_card(evaluate(args.work, data), args.out, seed=SEED, steps=args.steps, batch=BATCH, drawn=DRAWN,
                   drawn_batch=DRAWN_BATCH, views=VIEWS, synthesised=SYNTHESISED, **COMPONENTS,
                   parameters=sum(weight.numel() for weight in MiniVoice().parameters()))
        return
    save(pretrain(data, args.steps, args.work / "checkpoint.pt"), args.out)


if __name__ == "__main__":
    main()
