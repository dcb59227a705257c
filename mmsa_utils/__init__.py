"""Multimodal sentiment analysis, step by step: the package that the notebooks are built on.

Rooms, from the ground up: `posts`, `encoders`, `fusion`, `model`, `learning`, `figures` and `inspection`, `exercises`
and `reading`, `explorers` and `grading`, `apps`. A room knows those below it, never those above.

Each public name is imported when it is first asked for, so that `import mmsa_utils` costs next to nothing
(PEP 562). The names, and where each lives, are in `_HOME`; editors and type checkers read `__init__.pyi`.
"""

from importlib import import_module
from typing import Any

__version__ = "0.1.0"

# room or module -> names
_HOME: dict[str, tuple[str, ...]] = {
    "posts.post": ("BINARY_LABELS", "LABELS", "Post", "Posts"),
    "posts.rules": ("MVSA", "RELATIONS", "ceiling", "judge", "post_table"),
    "posts.food": ("PIXELS", "FoodPosts", "burger_example", "make_post"),
    "posts.noise": ("SyntheticDataset",),
    "posts.own": ("load_posts",),
    "posts.places": ("PlacePosts", "twin"),
    "posts.sound": ("RATE", "Sound", "open_sound", "wav_bytes"),
    "posts.voices": ("CUES", "HEARD", "SPEAKERS", "UNSEEN_SPEAKERS", "Prosody", "Speaker", "prosody_of", "speak"),
    "posts.spoken": ("TONES", "SpokenPosts", "judge_three", "make_spoken"),
    "posts.camera": ("photo_example",),
    "posts.parts": ("three_parts",),
    "posts.real.calls": ("UnsafePickle",),
    "posts.real.converted": ("convert",),
    "posts.real.duplicates": ("across", "without_duplicates"),
    "posts.real.memes": ("load_memes",),
    "posts.real.miniature": ("write_miniature",),
    "posts.real.mvsa": ("MERGING", "load_mvsa", "merge_labels", "read_mvsa_labels"),
    "posts.real.pickles": ("read_pickle",),
    "posts.real.twitter": ("load_twitter",),
    "posts.pictures": ("open_picture", "picture_from_bytes", "to_rgb"),
    "errors": ("EncoderUnavailable",),
    "encoders.base": ("Encoded", "Encoder", "masked_mean"),
    "encoders.table": ("load_image_encoder", "load_text_encoder", "load_voice_encoder"),
    "fusion.absent": ("Absent", "drop_sides", "missing", "without"),
    "fusion.base": ("Fusion",),
    "fusion.concat": ("Concat", "join"),
    "fusion.table": ("FUSIONS", "make_fusion"),
    "model.head": ("Dropout", "Scale", "mlp_head", "probabilities_of", "random_head"),
    "model.model": ("PAIRS", "MultimodalSentimentModel", "load_model"),
    "learning.device": ("best_device",),
    "learning.losses": ("balanced_weights", "loss_of"),
    "learning.batches": ("make_loader",),
    "learning.evaluation": ("answers", "evaluate"),
    "learning.training": ("history_table", "train"),
    "learning.familiarity": ("learn_familiarity",),
    "learning.features": ("Features", "extract_features", "given", "shuffled"),
    "learning.alignment": ("align", "fit_temperature", "head_answers", "measure"),
    "learning.correction": ("correction_phase",),
    "learning.absence": ("WAYS", "best_without_picture", "ways_to_miss"),
    "learning.comparison": ("compare_fusions", "known_boards", "subsets"),
    "learning.agreement": ("cohen_kappa", "fleiss_kappa", "vote_counts"),
    "learning.honesty": ("honesty_board",),
    "learning.paired": ("bootstrap", "paired_difference"),
    "learning.recordings": ("Recordings", "load_mmsa"),
    "learning.stored": ("load_features",),
    "learning.regression": ("CONVENTIONS", "classification_figures", "regression_figures", "weighted_f1"),
    "learning.zero_shot": ("PROMPTS", "zero_shot"),
    "learning.metrics": (
        "accuracy", "calibration_error", "confusion", "interval", "log_loss", "macro_f1", "reliability",
        "slice_accuracy", "summary", "who_won"),
    "figures.findings": ("inspection_page",),
    "inspection.case": ("case_of",),
    "inspection.inspection": ("inspect_model", "looked_at"),
    "inspection.suspects": ("suspect",),
    "reading.reader": ("Reader",),
    "explorers.guess": ("guess_explorer",),
    "explorers.posts": ("post_explorer",),
    "explorers.picture": ("picture_explorer",),
    "explorers.text": ("text_explorer",),
    "explorers.conflict": ("conflict_explorer",),
    "explorers.fusion": ("fusion_explorer",),
    "explorers.gaze": ("gaze_explorer",),
    "explorers.reading": ("prediction_explorer",),
    "explorers.voice": ("voice_explorer",),
    "explorers.training": ("alignment_explorer", "training_explorer"),
    "exercises": ("checks", "progress"),
    "figures": ("plots",),
    "learning": ("metrics",),
    "posts": ("phrases", "scenes"),
}
_NAMES = {name: home for home, names in _HOME.items() for name in names}

__all__ = ["__version__", *_NAMES]


def __getattr__(name: str) -> Any:
    if name not in _NAMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    home = import_module(f"{__name__}.{_NAMES[name]}")
    # A name is a thing in a module, or a module in a room.
    value = getattr(home, name) if "." in _NAMES[name] or hasattr(home, name) else import_module(
        f"{home.__name__}.{name}")
    globals()[name] = value  # asked for once, found at once from then on
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
