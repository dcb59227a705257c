"""The claims of notebook 10 that hang on voices drawn at random and on its own training run."""

from __future__ import annotations

import numpy as np
import torch
from claims_common import SIZE, Margins, Size, borrowed

from mmsa_utils import (
    SPEAKERS,
    UNSEEN_SPEAKERS,
    MultimodalSentimentModel,
    SpokenPosts,
    align,
    extract_features,
    head_answers,
    load_voice_encoder,
    measure,
    random_head,
)


def notebook_10(seed: int, n: Size, *, posts: int = 900, dealt_posts: int = 8000, lr: float = 1e-3,
                ridge: float = 10) -> Margins:
    rng = np.random.default_rng(seed)
    clip, by_ear = borrowed("10", "clip", "by_ear")
    learned, asked = n(400), n(200)
    clips = [clip(SPEAKERS, rng) for _ in range(learned)] + [clip(UNSEEN_SPEAKERS, rng) for _ in range(asked)]
    sounds, prosodies, tones, arousals, speakers = zip(*clips)

    def explained(features: np.ndarray, target) -> float:
        """As in the notebook, for other numbers of clips."""
        target, known = np.array(target, float), features[:learned]
        x = (features - known.mean(0)) / (known.std(0) + 1e-9)
        weights = np.linalg.solve(x[:learned].T @ x[:learned] + ridge * np.eye(x.shape[1]),
                                  x[:learned].T @ (target[:learned] - target[:learned].mean()))
        missed = x[learned:] @ weights + target[:learned].mean() - target[learned:]
        return float(1 - np.mean(missed ** 2) / np.var(target[learned:]))

    @torch.no_grad()
    def vectors(pretrained: bool) -> np.ndarray:
        encoder = load_voice_encoder("whisper", SIZE, pretrained=pretrained, seed=seed).eval()
        return torch.cat([encoder(**encoder.prepare(sounds[i:i + 50])) for i in range(0, len(sounds), 50)]).numpy()

    prepare = load_voice_encoder("whisper", SIZE).prepare
    frames = np.array([prepare([sound])["input_features"][0].mean(1).numpy() for sound in sounds])
    turned = rng.uniform(-10, 10, len(sounds))
    knob = frames + turned[:, None] / 10
    levelled = knob - knob.mean(1, keepdims=True)
    energy = np.array([prosody.energy for prosody in prosodies])
    five, heard, random = np.array([by_ear(sound) for sound in sounds]), vectors(True), vectors(False)
    own = np.array([[12 * np.log2(prosody.pitch / one.pitch)] for prosody, one in zip(prosodies, speakers)])

    model = MultimodalSentimentModel("distilbert", "vit", SIZE, voice="whisper", frozen=True, seed=seed)
    sets = {split: extract_features(model, SpokenPosts(n(count), split, seed=seed), show_progress=False)
            for split, count in (("train", posts), ("validation", 200), ("test", 400))}
    (dealt,) = borrowed("10", "dealt", test=SpokenPosts(1))
    scores = {}
    for name, head, some in (("plain", random_head(model.width, seed=seed), sets["train"]),
                             ("dealt", model.head, dealt(sets["train"], n(dealt_posts), rng))):
        align(model.fusion, head, some, sets["validation"], lr=lr, epochs=10, batch_size=128, seed=seed)
        scores[name] = measure(model.fusion, head, sets["test"])["accuracy"]
    praising = torch.tensor([kind > 0 for kind in sets["test"].text_kinds]).nonzero()[:, 0]
    negative = {}
    for tone in ("flat", 2):
        donors = rng.choice([i for i, one in enumerate(sets["test"].tones) if one == tone], len(praising))
        sides = {**sets["test"].batch(praising), "voice": sets["test"].batch(torch.tensor(donors))["voice"]}
        with torch.no_grad():
            said = model.head.eval()(model.fusion(sides)).argmax(-1)
        negative[tone] = (said == 0).float().mean().item()
    conflicts = dealt(sets["test"], n(6000), rng)
    signs = np.sign([[text, picture, 0 if tone == "flat" else tone] for text, picture, tone
                     in zip(conflicts.text_kinds, conflicts.picture_levels, conflicts.tones)])
    said = head_answers(model.fusion, model.head, conflicts).argmax(-1).numpy() - 1
    even, alone = random_head(model.width, seed=seed), (signs[:, 1] * signs.sum(1) == -1) & (np.abs(signs).sum(1) == 3)
    align(model.fusion, even, dealt(sets["train"], n(dealt_posts), rng, even=True),
          dealt(sets["validation"], n(1000), rng, even=True), lr=lr, epochs=10, batch_size=128, seed=seed)
    evenly = head_answers(model.fusion, even, conflicts).argmax(-1).numpy() - 1
    two, two_evenly = ((one == -signs[:, 1])[alone].mean() for one in (said, evenly))
    duel = (signs[:, 0] == 0) & (signs[:, 1] * signs[:, 2] == -1)
    return {
        "loudness is read off frames as they are": explained(knob, energy + turned) - 0.8,
        "and lost when they are levelled": 0.5 - explained(levelled, energy + turned),
        "of the speaker's energy more than half survives": explained(levelled, energy) - 0.5,
        "the encoder knows roughness better than random weights": explained(heard, [p.roughness for p in prosodies])
        - explained(random, [p.roughness for p in prosodies]) - 0.3,
        "pitch alone tells arousal": explained(own, arousals) - 0.95,
        "and nothing of the feeling": 0.1 - explained(own, tones),
        "the encoder tells more of the feeling than five numbers": explained(heard, tones) - explained(five, tones),
        "and more than random weights": explained(heard, tones) - explained(random, tones),
        "sides dealt anew beat the posts as they came": scores["dealt"] - scores["plain"],
        "praise in a flat voice is negative more often than not": negative["flat"] - 0.5,
        "praise in a pleased voice seldom": 0.25 - negative[2],
        "text and voice seldom win against the picture, below a half": 0.5 - two,
        "dealt evenly they win more often, by 0.2": two_evenly - two - 0.2,
        "of picture against voice the voice wins more often": (said == signs[:, 2])[duel].mean()
        - (said == signs[:, 1])[duel].mean(),
    }
