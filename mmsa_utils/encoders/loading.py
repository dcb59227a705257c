"""What happens around loading a pretrained model: a stranger's is looked at first; quiet when it works, an error that
helps when it does not.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from pickle import UnpicklingError

from ..errors import EncoderUnavailable, in_short


def ask_hub_once(name: str) -> None:
    """Raise OSError at once where the hub is out of reach: its client would ask six times over half a minute."""
    from huggingface_hub import constants, get_hf_file_metadata, hf_hub_url, try_to_load_from_cache
    from huggingface_hub.errors import HfHubHTTPError

    if constants.HF_HUB_OFFLINE or isinstance(try_to_load_from_cache(name, "config.json"), str):
        return
    try:
        get_hf_file_metadata(hf_hub_url(name, "config.json"), timeout=5)
    except HfHubHTTPError:
        return  # it answered; what it said is explained when the model is loaded
    except Exception as error:  # which kind depends on the client's version
        raise OSError(f"{constants.ENDPOINT} cannot be reached ({error}).") from error


@contextlib.contextmanager
def explained(name: str, source: str | Path) -> Iterator[None]:
    """Turn a failed load into an error that says what was asked for, why it failed and what can be done."""
    from safetensors import SafetensorError

    try:
        yield
    except (SafetensorError, RuntimeError, EOFError, UnpicklingError) as error:
        raise ValueError(f"the weights of {source} are damaged or do not fit their configuration ({in_short(error)}): "
                         "fetch or copy them again.") from error
    except OSError as error:  # what transformers, huggingface_hub and urllib raise
        cause = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        if isinstance(source, Path):
            raise EncoderUnavailable(f"the model in the folder {source} cannot be loaded ({cause}): expected a Hugging "
                                     "Face checkpoint: config.json, model.safetensors, and the files of its tokenizer "
                                     "or image processor.") from error
        raise EncoderUnavailable(
            f"the pretrained weights of {name!r} ({source}) cannot be loaded.\n"
            f"Cause: {cause}\n"
            "Three ways out:\n"
            "  1. connect to the internet, or set a proxy (HTTPS_PROXY=...);\n"
            "  2. point HF_HOME (Hugging Face) or TORCH_HOME (torchvision) at a cache that holds the model, or give "
            "a local folder as the name;\n"
            '  3. use size="mini": its weights ship with mmsa_utils.'
        ) from error
    except Exception as error:  # what a damaged configuration or tokenizer sets off has no kind in common
        if isinstance(error, ValueError) and str(source) in str(error):
            raise
        raise ValueError(f"the files of {source} are damaged or no model's ({in_short(error)}): fetch or copy them "
                         "again.") from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Hold back transformers' notes on heads that a checkpoint has and we do not load, and its progress bar."""
    from transformers.utils import logging

    verbosity, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(verbosity)
        if bar:
            logging.enable_progress_bar()


def check_config(source: str | Path) -> None:
    """Refuse a stranger's configuration that would run code, or whose network would never be built.

    Before 5.5, transformers runs what some keys name, whatever trust_remote_code says: CVE-2026-4372, CVE-2026-5241.

    Raises:
        ValueError: naming the key, or the layers, of which there are more than the folder has weights.
    """
    from safetensors import safe_open
    from transformers import PretrainedConfig

    deepest = weights = 0
    parts: list = [PretrainedConfig.get_config_dict(source)[0]]
    for part in parts:  # and what lies within
        for key, value in part.items() if isinstance(part, dict) else enumerate(part):
            if isinstance(value, (dict, list)):
                parts.append(value)
            if key == "trust_remote_code" and value or "_implementation" in str(key) and "/" in str(value):
                raise ValueError(f"the configuration of {source} asks for foreign code ({key}): it is not loaded.")
            if "layers" in str(key) or "depth" in str(key):
                numbers = value if isinstance(value, list) else [value]
                deepest = max([deepest, *(n for n in numbers if isinstance(n, int))])
    for path in source.glob("*.safetensors") if isinstance(source, Path) else ():
        with safe_open(path, framework="pt") as file:
            weights += len(file.keys())
    if weights and deepest > weights:
        raise ValueError(f"the configuration of {source} asks for {str(deepest)[:20]} layers, and there are {weights} "
                         "weights: expected a checkpoint of this very architecture.")


def tried(work: Callable) -> int:
    """Use a stranger's encoder once, so that what is wrong with it shows now; returns the width of what it gives."""
    import torch

    with torch.no_grad():
        features = work()
    if features.dim() != 2 or not features.isfinite().all():
        raise ValueError(f"its features have the shape {tuple(features.shape)}, or are no finite numbers")
    return features.shape[-1]
