"""Multimodal sentiment analysis, step by step: the package that the notebooks are built on.

Each public name is imported when it is first asked for, so that `import mmsa_utils` costs next to nothing
(PEP 562). The names, and the module that each lives in, are in `_HOME`.
"""

from importlib import import_module

__version__ = "0.1.0"

# name -> module of this package
_HOME: dict[str, str] = {
    "BINARY_LABELS": "rules",
    "LABELS": "rules",
    "PIXELS": "data",
    "RELATIONS": "rules",
    "FoodPosts": "data",
    "Post": "data",
    "SyntheticDataset": "data",
    "burger_example": "data",
    "judge": "rules",
    "make_loader": "data",
    "make_post": "data",
    "post_table": "rules",
    "load_posts": "files",
    "open_picture": "files",
    "picture_from_bytes": "files",
    "to_rgb": "files",
    "EncoderUnavailable": "loading",
    "load_image_encoder": "encoders",
    "load_text_encoder": "encoders",
    "masked_mean": "encoders",
    "PAIRS": "model",
    "Dropout": "model",
    "MultimodalSentimentModel": "model",
    "join": "model",
    "load_model": "model",
    "mlp_head": "model",
    "probabilities_of": "model",
    "answers": "training",
    "best_device": "training",
    "evaluate": "training",
    "history_table": "training",
    "loss_of": "training",
    "train": "training",
    "Features": "alignment",
    "align": "alignment",
    "extract_features": "alignment",
    "fit_temperature": "alignment",
    "head_answers": "alignment",
    "measure": "alignment",
    "random_head": "alignment",
    "shuffled": "alignment",
    "correction_phase": "correction",
    "Reader": "reading",
    "post_explorer": "widgets",
    "picture_explorer": "widgets_picture",
    "text_explorer": "widgets_text",
    "conflict_explorer": "widgets_conflict",
    "fusion_explorer": "widgets_fusion",
    "prediction_explorer": "widgets_reading",
    "alignment_explorer": "widgets_training",
    "training_explorer": "widgets_training",
    "accuracy": "metrics",
    "calibration_error": "metrics",
    "confusion": "metrics",
    "interval": "metrics",
    "log_loss": "metrics",
    "macro_f1": "metrics",
    "reliability": "metrics",
    "slice_accuracy": "metrics",
    "summary": "metrics",
    "who_won": "metrics",
}

__all__ = ["__version__", *_HOME]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOME[name]}"), name)
    globals()[name] = value  # asked for once, found at once from then on
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
