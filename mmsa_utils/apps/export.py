"""The command `export`: a model as an ONNX file, and beside it all that one needs to use it without torch."""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from pathlib import Path
from typing import Any

from ..disk import usual_modes
from ..model.export import NEEDED, check_onnx, export_onnx, missing_packages, output_name
from ..model.model import MultimodalSentimentModel, load_model
from ..model.recipe import recipe, tokenizer_json
from .common import log, make_folder

CLOSE = 1e-5  # how near to torch's the probabilities must be
_HEADING = "# A reader of posts as ONNX"
_README = """{heading}

Made with mmsa-utils. `{file}` reads {reads} and gives {gives}; temperature and softmax are part of it. Batches may be
of any size{lengths}.

| file | what it holds |
|---|---|
{files}

Inputs: {inputs}. Output: `{output}` {shape}.

{checked}

To use it, install `{packages}`, and run this in this folder:

```python
{example}
```

Pictures are resized by Pillow here and by torch in mmsa-utils, which may round a pixel differently: the probabilities
then differ in the third decimal place or so.
"""
_SHORTEST = """\
    factor = how["shortest"] / min(image.size)
    sides = [max(how["shortest"], int(side * factor)) for side in image.size]
    image = image.resize(sides, Image.Resampling.{})
    left, top = (image.width - how["width"]) // 2, (image.height - how["height"]) // 2
    image = image.crop((left, top, left + how["width"], top + how["height"]))
"""
_PLAIN = """\
    image = image.resize((how["width"], how["height"]), Image.Resampling.{})
"""


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Write the files, all or none; check the model's beside torch.

    Raises:
        ValueError: for a missing package, a model that cannot be exported, or a file that says something else than
            torch.
    """
    target = Path(arguments.onnx)
    if target.suffix.lower() != ".onnx":
        raise ValueError(f"--onnx is {target.name[:100]!r}: expected the name of a file that ends in .onnx.")
    missing = missing_packages()
    if missing:
        raise ValueError(f"an export needs {' and '.join(missing)}, not found here: {NEEDED}")
    model = load_model(arguments.model)
    told = recipe(model)
    make_folder(target.parent, "--onnx")
    names = [target.name, "preparation.json", *["tokenizer.json"] * ("text" in told), "README.md"]
    _check_place(target.parent, names[1:])
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".exporting-") as made:
        folder = Path(made)
        log("exporting: this takes a minute or so")
        export_onnx(model, folder / target.name)
        difference = check_onnx(model, folder / target.name)
        if difference is not None and not difference <= CLOSE:
            raise ValueError(f"what the ONNX file says differs from torch by {difference:.1e}: expected at most "
                             f"{CLOSE}. Nothing was written.")
        (folder / "preparation.json").write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf8")
        if "text" in told:
            (folder / "tokenizer.json").write_text(tokenizer_json(model), encoding="utf8")
        (folder / "README.md").write_text(readme(model, target.name, told, difference), encoding="utf8")
        for name in names:
            usual_modes(folder / name)
            os.replace(folder / name, target.parent / name)
    checked = ({"largest_difference": difference} if difference is not None else
               {"remarks": ["not checked: onnxruntime is not installed."]})
    return {"onnx": str(target), "files": [str(target.parent / name) for name in names], **checked}


def _check_place(folder: Path, names: list[str]) -> None:
    """Raise ValueError where files of these names lie that no export has written."""
    page = folder / "README.md"
    if page.is_file() and page.read_text(encoding="utf8", errors="replace").startswith(_HEADING):
        return
    there = [name for name in names if (folder / name).exists()]
    if there:
        raise ValueError(f"{folder} holds {' and '.join(there)} already, which an export writes, too: give it a folder "
                         "of its own, such as --onnx exported/model.onnx.")


def readme(model: MultimodalSentimentModel, file: str, told: dict[str, Any], difference: float | None) -> str:
    """The page beside the file: what it is, and an example that works."""
    text, image = "text" in told, "image" in told
    inputs = ["`input_ids` and `attention_mask` (batch, tokens), whole numbers of 64 bits"] * text
    if image:
        inputs.append("`pixel_values` (batch, 3, {height}, {width}), floats of 32 bits".format(**told["image"]))
    files = [(file, "encoders, fusion, head"), *[("tokenizer.json", "how texts are cut into tokens")] * text,
             ("preparation.json", "the classes in their order" + ", and what is done to a picture" * image)]
    classes = model.classes
    return _README.format(
        heading=_HEADING, file=file, reads=" and ".join(["a text"] * text + ["a picture"] * image),
        gives="a number" if classes is None else f"the probabilities of {', '.join(classes)}",
        lengths=", texts of any length up to {max_tokens} tokens".format(**told["text"]) if text else "",
        files="\n".join(f"| `{name}` | {what} |" for name, what in files), inputs="; ".join(inputs),
        output=output_name(model), shape=f"(batch, {1 if classes is None else len(classes)})",
        checked="It was not checked beside torch when it was made: onnxruntime was not installed." if difference is None
        else f"Checked beside torch when it was made: the largest difference is {difference:.1e}.",
        packages=" ".join(["onnxruntime", "numpy", *["tokenizers"] * text, *["pillow"] * image]),
        example=example(file, told))


def example(file: str, told: dict[str, Any]) -> str:
    """A program of at most 20 lines that reads a post with the exported files."""
    text, image = "text" in told, "image" in told
    code = ["import json", "", "import numpy as np", "import onnxruntime",
            *["from PIL import Image, ImageOps"] * image, *["from tokenizers import Tokenizer"] * text, "",
            'told = json.load(open("preparation.json", encoding="utf8"))']
    inputs = []
    if text:
        code.append('tokens = Tokenizer.from_file("tokenizer.json").encode_batch(["This burger is delicious!"])')
        inputs += ['"input_ids": np.array([one.ids for one in tokens], np.int64)',
                   '"attention_mask": np.array([one.attention_mask for one in tokens], np.int64)']
    if image:
        code += ["def pixels(path, how):",
                 '    image = ImageOps.exif_transpose(Image.open(path)).convert("RGB")',
                 *(_SHORTEST if "shortest" in told["image"] else _PLAIN).format(told["image"]["resample"]).splitlines(),
                 '    return (np.asarray(image) * how["scale"] - how["mean"]) / how["std"]',
                 'pictures = np.stack([pixels("photo.jpg", told["image"])]).transpose(0, 3, 1, 2)']
        inputs.append('"pixel_values": pictures.astype(np.float32)')
    code += [f'session = onnxruntime.InferenceSession("{file}")', "(answers,) = session.run(None, {",
             "    " + ",\n    ".join(inputs) + "})",
             "print(answers[:, 0])" if told["classes"] is None else 'print(dict(zip(told["classes"], answers[0])))']
    return "\n".join(code)
