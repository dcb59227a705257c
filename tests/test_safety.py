"""Nothing that comes from outside can run: no pickles, no foreign code, no network, nothing left behind."""

import ast
import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import helpers
import pytest
import torch

import mmsa_utils
from mmsa_utils import EncoderUnavailable, load_image_encoder, load_model, load_text_encoder

ROOT = Path(mmsa_utils.__file__).parent.parent
MODULES = sorted((ROOT / "mmsa_utils").rglob("*.py"))
TOOLS = sorted((ROOT / "tools").rglob("*.py"))
UNPICKLERS = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "shelve", "marshal", "yaml"}


def unsafe(source: str) -> list[str]:
    """Calls that could run what a file holds: unpickling, foreign code in a model folder, eval, exec, a shell."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [name.name for name in node.names]
            taken = {name.name for name in node.names}
            if UNPICKLERS & {name.partition(".")[0] for name in names} and taken != {"UnpicklingError"}:
                found.append(f"import {', '.join(names)}")
        if not isinstance(node, ast.Call):
            continue
        name, given = ast.unparse(node.func), {word.arg: ast.unparse(word.value) for word in node.keywords}
        if name in ("torch.load", "torch.jit.load", "torch.hub.load", "eval", "exec", "os.system", "__import__"):
            found.append(name)
        if name.endswith("get_state_dict") and given.get("weights_only") != "True":  # torchvision's reads pickles
            found.append(f"{name} without weights_only=True")
        if name in ("np.load", "numpy.load", "np.save") and given.get("allow_pickle") != "False":
            found.append(f"{name} without allow_pickle=False")
        if re.fullmatch(r"Auto\w+\.from_pretrained", name) and given.get("trust_remote_code") != "False":
            found.append(f"{name} without trust_remote_code=False")
        if given.get("trust_remote_code", "False") != "False" or given.get("shell", "False") != "False":
            found.append(ast.unparse(node))
    return found


ALLOWED = {
    "mmsa_utils/grading/child.py": ["eval"],  # a handed-in notebook's cells: the process they run in is not trusted
    "tools/measure/claims_common.py": ["exec"],  # the course's own notebooks
    "tools/pretrain/image.py": ["torch.load"],  # a package's own file, with weights_only=True
}


@pytest.mark.parametrize("path", [*MODULES, *TOOLS], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nobody_runs_what_they_read(path):
    text = path.read_text(encoding="utf8")
    assert unsafe(text) == ALLOWED.get(path.relative_to(ROOT).as_posix(), [])
    assert text.count("torch.load(") <= text.count("weights_only=True")


def test_every_module_and_tool_is_searched():
    searched = {path.relative_to(ROOT).as_posix() for path in (*MODULES, *TOOLS)}
    assert set(ALLOWED) < searched
    for room in ("encoders", "model", "learning", "posts", "grading", "apps"):
        assert f"mmsa_utils/{room}/__init__.py" in searched
    assert len(MODULES) > 60
    assert len(TOOLS) > 10


@pytest.mark.parametrize("source", [
    "import pickle", "weights.get_state_dict(progress=False)",
    "from joblib import load", "torch.load(path)", "np.load(path)", "np.load(p, allow_pickle=True)",
    "eval(text)", "AutoModel.from_pretrained(name)", "AutoTokenizer.from_pretrained(name, trust_remote_code=True)",
    "subprocess.run(text, shell=True)", "os.system(text)", "net.load(x, trust_remote_code=flag)"])
def test_the_search_finds(source):
    assert unsafe(source)


def trap(folder: Path) -> None:
    """Code in a folder that leaves a mark when it runs."""
    (folder / "evil.py").write_text(f"open({str(folder / 'ran')!r}, 'w')\nclass Model: pass\nclass Config: pass\n")
    for name in ("config.json", "tokenizer_config.json", "preprocessor_config.json"):
        if (folder / name).exists():
            helpers.edit_json(folder / name, auto_map={f"Auto{kind}": "evil.Model" for kind in (
                "Config", "Model", "Tokenizer", "ImageProcessor", "Processor", "ModelForCausalLM")})


@pytest.mark.parametrize("kind", ["text", "image"])
@pytest.mark.parametrize("own_type", [True, False])
def test_a_strangers_model_folder_runs_no_code(tmp_path, kind, own_type):
    save, load = {"text": (helpers.save_text, load_text_encoder),
                  "image": (helpers.save_image, load_image_encoder)}[kind]
    folder = save(tmp_path / "stranger")
    trap(folder)
    if own_type:
        helpers.edit_json(folder / "config.json", model_type="evil")
        with pytest.raises((ValueError, OSError)):
            load(str(folder))
    else:
        load(str(folder))  # a known architecture needs no code of its own: it is passed over
    assert not (folder / "ran").exists()


FOREIGN = {  # what versions of transformers before 5.5 have run in spite of trust_remote_code=False
    "CVE-2026-4372": {"_attn_implementation_internal": "stranger/kernels"},
    "within": {"text_config": {"_attn_implementation_internal": "stranger/kernels"}},
    "experts": {"_experts_implementation_internal": "stranger/kernels"},
    "CVE-2026-5241": {"keypoint_detector_config": {"trust_remote_code": True}},
    "in a list": {"parts": [{"trust_remote_code": True}]},
}


@pytest.mark.parametrize("pretrained", [True, False])
@pytest.mark.parametrize("trick", FOREIGN)
@pytest.mark.parametrize("kind", ["text", "image"])
def test_a_configuration_that_asks_for_foreign_code_is_refused(tmp_path, monkeypatch, kind, trick, pretrained):
    save, load = {"text": (helpers.save_text, load_text_encoder),
                  "image": (helpers.save_image, load_image_encoder)}[kind]
    folder = save(tmp_path / "stranger")
    helpers.edit_json(folder / "config.json", **FOREIGN[trick])
    for name in ("AutoModel.from_pretrained", "AutoModel.from_config"):
        monkeypatch.setattr(f"transformers.{name}", lambda *a, **o: pytest.fail("transformers got it"))
    with pytest.raises(ValueError, match="stranger asks for foreign code .*: it is not loaded"):
        load(str(folder), pretrained=pretrained)


def test_a_strangers_chat_template_cannot_name_a_place(tmp_path):
    """CVE-2026-9856: before transformers 5.10, saving wrote where the name of a template led."""
    folder = helpers.save_text(tmp_path / "in" / "stranger")
    helpers.edit_json(folder / "tokenizer_config.json", chat_template=[
        {"name": "default", "template": "x"}, {"name": "../../../escaped", "template": "x"}])
    encoder = load_text_encoder(str(folder))
    assert encoder.tokenizer.chat_template is None
    encoder.tokenizer.save_pretrained(tmp_path / "out" / "tokenizer")
    assert [path.name for path in tmp_path.rglob("*escaped*")] == []


class Bomb:
    """Leaves a mark when it is unpickled."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


def test_pickled_weights_are_refused(tmp_path):
    folder = helpers.save_text(tmp_path / "text")
    (folder / "model.safetensors").unlink()
    torch.save({"weight": Bomb(tmp_path / "ran")}, folder / "pytorch_model.bin")
    with pytest.raises((ValueError, EncoderUnavailable)):
        load_text_encoder(str(folder))
    assert not (tmp_path / "ran").exists()


@pytest.fixture
def saved(tiny, tmp_path) -> Path:
    """A model with its encoders in folders of its own."""
    tiny().save_pretrained(tmp_path / "model")
    return tmp_path / "model"


@pytest.mark.parametrize("place", [".", "text", "image"])
def test_a_saved_model_that_is_a_pickle_is_refused(saved, tmp_path, place):
    torch.save({"head": Bomb(tmp_path / "ran")}, saved / place / "model.safetensors")
    with pytest.raises(ValueError, match="damaged"):
        load_model(saved)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("side", ["text", "image"])
@pytest.mark.parametrize("own_type", [True, False])
def test_a_saved_model_cannot_bring_code(saved, side, own_type):
    trap(saved / side)
    if own_type:
        helpers.edit_json(saved / side / "config.json", model_type="evil")
        with pytest.raises((ValueError, OSError)):
            load_model(saved)
    else:
        load_model(saved)
    assert not (saved / side / "ran").exists()


def test_a_saved_model_cannot_name_code(saved, tmp_path):
    stranger = helpers.save_text(tmp_path / "stranger")
    trap(stranger)
    helpers.edit_json(stranger / "config.json", model_type="evil")
    shutil.rmtree(saved / "text")
    sides = json.loads((saved / "config.json").read_text())["sides"]
    sides["text"]["name"] = str(stranger)
    helpers.edit_json(saved / "config.json", sides=sides)
    with pytest.raises((ValueError, OSError)):
        load_model(saved)
    assert not (stranger / "ran").exists()


def test_the_whole_mini_course_of_work_needs_no_network_and_leaves_nothing(tmp_path):
    """Trains, aligns, saves, loads and predicts in a process that may not open a socket."""
    program = """
import sys
def refuse(event, arguments):
    probe = arguments[1:] == (("::1", 0),)  # by this, older versions of urllib3 see whether there is IPv6
    if event in ("socket.connect", "socket.getaddrinfo", "socket.bind") and not probe:
        raise SystemExit(f"the network was asked: {event} {arguments}")
sys.addaudithook(refuse)
from mmsa_utils.apps.cli import main
from mmsa_utils.learning import correction
correction.RANDOM_HEADS = 1
words = sys.argv[1]
assert main(["align", "--posts", "24", "--test-posts", "12", "--seeds", "1", "--out", words + "/a", "--json"]) == 0
assert main(["train", "--data", words + "/posts.csv", "--epochs", "1", "--freeze", "--out", words + "/b"]) == 0
assert main(["evaluate", "--model", words + "/a", "--posts", "8"]) == 0
assert main(["predict", "--model", words + "/b", "--text", "so good", "--image", words + "/1.png"]) == 0
"""
    private = tmp_path / "tmp"
    private.mkdir()
    helpers.own_table(tmp_path)
    done = subprocess.run([sys.executable, "-c", program, str(tmp_path)], capture_output=True, text=True, timeout=300,
                          env={**helpers.quiet_environment(), "TMPDIR": str(private)})
    assert done.returncode == 0, done.stderr[-2000:]
    left = [path.name for path in private.iterdir() if not path.name.startswith(("torchinductor", "matplotlib"))]
    assert left == []


@pytest.mark.skipif(os.name == "nt", reason="there are no such permissions there")
@pytest.mark.parametrize("ends", ["well", "in an error", "with Ctrl-C"])
def test_temporary_places_are_private_and_removed(tmp_path, monkeypatch, ends):
    """The work on a cache, which makes its own; everybody else lets Python's TemporaryDirectory or -File do it."""
    from mmsa_utils.learning import cache

    seen, extract = [], cache.extract_features

    def looked_at(model, posts, batch_size, show_progress, folder):
        seen.append(folder.stat().st_mode & 0o777)
        if ends != "well":
            raise KeyboardInterrupt if ends == "with Ctrl-C" else ValueError
        return extract(model, posts, batch_size, show_progress, folder)

    monkeypatch.setattr(cache, "extract_features", looked_at)
    with contextlib.suppress(ValueError, KeyboardInterrupt):
        cache.cached_features(helpers.mini(), helpers.food(2), tmp_path, show_progress=False)
    assert seen == [0o700]
    assert [path.name[:9] for path in tmp_path.iterdir()] == (["features-"] if ends == "well" else [])


def test_no_module_makes_temporary_places_that_others_can_read():
    kinds = {"TemporaryDirectory", "TemporaryFile", "NamedTemporaryFile", "mkdtemp"}  # 0700 and 0600
    for path in (*MODULES, *TOOLS):
        text = path.read_text(encoding="utf8")
        assert set(re.findall(r"tempfile\.(\w+)", text)) <= kinds, path.name
        assert "/tmp" not in text, path.name
