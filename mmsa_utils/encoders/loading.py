"""What happens around loading a pretrained model: quiet when it works, an error that helps when it does not."""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator
from pathlib import Path
from pickle import UnpicklingError

from ..checksums import WEIGHTS
from ..errors import EncoderUnavailable, broken_package, chain, in_short, is_want_of_memory


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


def names_at_hub(name: str) -> list[str]:
    """The files of a model at the hub; those that every checkpoint has, where it cannot be asked or lies here already.

    Raises:
        OSError: if the hub has no such model, or not for everybody.
    """
    from huggingface_hub import constants, list_repo_files, try_to_load_from_cache

    if constants.HF_HUB_OFFLINE or isinstance(try_to_load_from_cache(name, "config.json"), str):
        return ["config.json", "model.safetensors"]
    return list_repo_files(name)


@contextlib.contextmanager
def explained(name: str, source: str | Path, side: str) -> Iterator[None]:
    """Turn a failed load into an error that says what was asked for, why it failed and what can be done."""
    try:
        yield
    except Exception as error:  # what a damaged configuration or tokenizer sets off has no kind in common
        better = _explanation(error, name, source, side)
        if better is error:
            raise
        raise better from error


def _explanation(error: Exception, name: str, source: str | Path, side: str) -> Exception:
    """The same error, said so that it helps; itself where it does already."""
    from safetensors import SafetensorError

    if is_want_of_memory(error):
        return MemoryError(f"for the encoder {name}: {in_short(error)}")
    if broken_package(error):
        return EncoderUnavailable(f"the encoder {name} cannot be loaded, because {broken_package(error)}: ask the "
                                  "doctor, `python -m mmsa_utils doctor`.")
    if isinstance(error, OSError):  # what transformers, huggingface_hub and urllib raise
        return error if isinstance(error, EncoderUnavailable) else _unavailable(error, name, source)
    if "trust_remote_code=True" in str(error):
        return ValueError(f"{source} needs code of its own, and foreign code is never run here: take a model whose "
                          "architecture is a part of transformers.")
    if "is not currently imported" in str(error):  # the tokenizers of transformers 5 have a class that 4 lacks
        return ValueError(f"{source} was saved by another version of transformers than is installed "
                          f"({in_short(error)}): update transformers.")
    if isinstance(error, ValueError) and str(source) in str(error):
        return error
    if isinstance(error, (SafetensorError, RuntimeError, EOFError, UnpicklingError)):
        return ValueError(f"the weights of {source} are damaged or do not fit their configuration ({in_short(error)}): "
                          "fetch or copy them again.")
    return ValueError(f"the files of {source} are no {side} encoder's that this course can read, or damaged "
                      f"({in_short(error)}): expected a Hugging Face checkpoint with config.json, model.safetensors, "
                      "and the files of its tokenizer, image processor or feature extractor.")


def _unavailable(error: OSError, name: str, source: str | Path) -> EncoderUnavailable:
    """Files that are not there, may not be read, or do not fit on the disk."""
    cause = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return EncoderUnavailable(f"the encoder {name} does not fit on the disk ({cause}): free some space, or point "
                                  "HF_HOME (TORCH_HOME for resnet18) at a folder on another disk.")
    if isinstance(error, PermissionError):
        return EncoderUnavailable(f"a file of the encoder {name} may not be read or written by this account ({cause}): "
                                  "ask its owner, or point HF_HOME (TORCH_HOME for resnet18) at a folder of your own.")
    kinds = {type(link).__name__ for link in chain(error)}
    if "GatedRepoError" in kinds:
        return EncoderUnavailable(f"the hub gives {source} only to those who have agreed to its terms: agree on its "
                                  "page there, then log in (`hf auth login`).")
    if "RepositoryNotFoundError" in kinds:
        return EncoderUnavailable(f"the hub has no model {source}, or not for everybody: look the name up there, or "
                                  "log in (`hf auth login`) if it is private.")
    if isinstance(source, Path):
        return EncoderUnavailable(f"the model in the folder {source} cannot be loaded ({cause}): expected a Hugging "
                                  "Face checkpoint: config.json, model.safetensors, and the files of its tokenizer, "
                                  "image processor or feature extractor.")
    third = ('use size="mini": its weights ship with mmsa_utils.' if (WEIGHTS / name).is_dir() else
             'take bert, distilbert, resnet18 or vit with size="mini": their weights ship with mmsa_utils.')
    return EncoderUnavailable(
        f"the pretrained weights of {name!r} ({source}) cannot be loaded.\n"
        f"Cause: {cause}\n"
        "Three ways out:\n"
        "  1. connect to the internet, or set a proxy (HTTPS_PROXY=...);\n"
        "  2. point HF_HOME (Hugging Face) or TORCH_HOME (torchvision) at a cache that holds the model, or give "
        "a local folder as the name;\n"
        f"  3. {third}")


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
