"""The dashboard's page: what is on it, and what happens when.

`answers` answers, `look` dresses it, `dashboard` serves it.
"""

from __future__ import annotations

import functools
import os
import tempfile
from collections.abc import Callable
from html import escape
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ..figures import panels
from ..posts.pictures import MAX_BYTES, MAX_PIXELS
from ..posts.post import SUBJECTS, Post
from ..posts.sound import LONGEST, wav_bytes
from ..reading.reader import MAX_TEXT
from ..reading.view import answer_html
from .answers import HINT_MATTERED, HINT_WHATIF, Answers, choices_of

if TYPE_CHECKING:
    import gradio
    from PIL import Image

WAITING = 256  # requests in the queue; more are told to come back
TYPING = 250  # milliseconds without a key, then the text is read
#: The examples: id → what its button says, and what the picture alone shows.
EXAMPLES = {"burger": ("fresh burger, praised", "a fresh burger"),
            "contradiction": ("fine pizza, slated: a contradiction", "a fine pizza"),
            "sarcasm": ("mouldy burger, praised: sarcasm", "a mouldy burger"),
            "photo": ("fresh salad, “nothing like the photo”", "a fresh salad")}
#: The examples with a voice: id → what its button says, and how the voice sounds.
SPOKEN = {"flat": ("fresh burger, praised in a flat voice: sarcasm", "a flat voice"),
          "decides": ("plain pizza, praised in an angry voice", "an angry voice"),
          "outvoted": ("fine soup, slated in a glad voice", "a glad voice"),
          "unseen": ("praise in a glad voice, no picture", "a glad voice, another speaker")}
TITLE = "# What do text and picture say together?"
ABOUT = ("The machine that serves this page reads what you enter, and deletes an uploaded picture or voice within a "
         "quarter of an hour. The models know drawn food, plain English and made-up voices, and leave out what is "
         "unlike that: see what they do, and do not trust it.")


def import_gradio() -> ModuleType:
    """Gradio, told beforehand not to report on its use.

    Raises:
        ValueError: if it is not installed.
    """
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    os.environ["GRADIO_RUN_HISTORY"] = "False"  # else it keeps every run in the browser's storage
    # Else it keeps a record of every request, and makes a table of all of them at each.
    os.environ["GRADIO_ANALYTICS_MAX_EVENTS"], os.environ["GRADIO_ANALYTICS_CACHE_FREQUENCY"] = "1", str(10**9)
    try:
        import gradio
    except ImportError as error:
        raise ValueError(f'the dashboard needs Gradio ({error}): pip install "mmsa-utils[dashboard]".') from error
    return gradio


def build(folder: str | Path | None = None) -> gradio.Blocks:
    """The page, not yet served.

    Args:
        folder: a model of one's own, from `train --out` or `align --out`; it is then the one that is chosen first.

    Raises:
        ValueError: if Gradio is not installed, or the folder's model is damaged or none that can be read side by side.
        FileNotFoundError: if there is no such model.
    """
    gr = import_gradio()
    answers = Answers(choices_of(folder))
    page_folder = tempfile.TemporaryDirectory(prefix="mmsa-dashboard-", ignore_cleanup_errors=True)
    os.environ["GRADIO_TEMP_DIR"] = page_folder.name  # uploads: readable to nobody else, removed with the page
    with gr.Blocks(title="Text and picture", analytics_enabled=False, delete_cache=(60, 900),
                   fill_width=True) as page:
        page.mmsa_folder, page.mmsa_thumbnails = page_folder, _thumbnails(answers)
        gr.Markdown(TITLE)
        with gr.Row(elem_id="page"):
            with gr.Column(scale=4, min_width=300, elem_id="left"):
                asked, chosen = _ask(gr, answers), _choose(gr, answers)
            with gr.Column(scale=7, min_width=300, elem_id="right"):
                shown, more = _said(gr, answers), _more(gr, answers)
        gr.Markdown(ABOUT)
        _connect(gr, answers, {**asked, **shown, **chosen, **more})
        burger = next(iter(answers.posts.values()))  # brought anew to each visitor: uploads do not last
        page.load(functools.partial(_shown, burger), None, asked["picture"], api_visibility="private",
                  show_progress="hidden")

    for upload in (asked["picture"], asked["voice"], more["other_picture"], more["other_voice"]):
        # Gradio would open a file before we can look at its size, and fetch what a request names by its address.
        upload.preprocess = lambda payload: payload.path if payload else None
    for block in page.blocks.values():
        block.async_move_resource_to_block_cache = _local_only(block.async_move_resource_to_block_cache, gr.Error)
    page.validate_inputs = _uploads_only(page.validate_inputs, gr.Error)
    return page.queue(max_size=WAITING)


# --- what is on it ---


def _ask(gr: ModuleType, answers: Answers) -> dict[str, Any]:
    """A post to write: the burger to begin with."""
    burger = next(iter(answers.posts.values()))
    with gr.Column(elem_id="ask"):
        text = gr.Textbox(burger.text, label="Text", lines=1, max_lines=8, max_length=MAX_TEXT, elem_id="text",
                          info="read as you type; Shift + Enter makes a new line",
                          placeholder="This burger is delicious!")
        return {"text": text, "picture": _picture(gr, "picture", "Picture", 220),
                "voice": _voice(gr, "voice", "Voice", answers.hears(answers.first))}


def _picture(gr: ModuleType, name: str, label: str, height: int) -> Any:
    bound = f"up to {MAX_BYTES // 2**20} MB and {MAX_PIXELS // 10**6} megapixels"
    picture = gr.Image(label=f"{label}, {bound}", type="filepath", format="png", image_mode=None, height=height,
                       sources=["upload", "webcam", "clipboard"], buttons=[], elem_id=name,
                       placeholder="Drop a picture here, or click")
    picture.alt_text = label.lower()  # of no effect in older Gradio
    return picture


def _voice(gr: ModuleType, name: str, label: str, visible: bool) -> Any:
    """To be uploaded or recorded; only there for a model that reads it. No microphone is asked for before a click."""
    return gr.Audio(label=f"{label}, up to {LONGEST:.0f} seconds", type="filepath", sources=["upload", "microphone"],
                    editable=False, buttons=[], visible=visible, elem_id=name)


def _said(gr: ModuleType, answers: Answers) -> dict[str, Any]:
    burger = next(iter(answers.posts.values()))
    with gr.Column(elem_id="said"):
        return {"answer": gr.HTML(answer_html(answers.loaded[answers.first][0].read(burger.text, burger.image)),
                                  elem_id="answer", padding=False)}


def _choose(gr: ModuleType, answers: Answers) -> dict[str, Any]:
    """Examples, and the model."""
    with gr.Column(elem_id="choose"):
        gr.Markdown("### Examples")
        with gr.Row(elem_id="examples"):
            examples = [gr.Button(said, size="sm", elem_id=f"example_{name}") for name, (said, _) in EXAMPLES.items()]
        with gr.Row(elem_id="spoken", visible=answers.hears(answers.first)) as row:
            spoken = [gr.Button(said, size="sm", elem_id=f"spoken_{name}") for name, (said, _) in SPOKEN.items()]
        model = gr.Dropdown(list(answers.choices), value=answers.first, label="Model", elem_id="model",
                            filterable=False)
        note = gr.HTML(panels.paragraph(answers.loaded[answers.first][1]), elem_id="model_note", padding=False)
    return {"examples": examples, "spoken": spoken, "spoken_row": row, "model": model, "note": note}


def _more(gr: ModuleType, answers: Answers) -> dict[str, Any]:
    """What mattered, and what would change it."""
    with gr.Column(elem_id="more"):
        gr.Markdown("### What mattered")
        mattered = gr.HTML(HINT_MATTERED, elem_id="mattered", padding=False)
        gr.Markdown("### What if")
        with gr.Row():
            text = gr.Textbox(label="Another text", lines=1, max_lines=8, max_length=MAX_TEXT, elem_id="other_text",
                              info="left empty: yours stays", placeholder="This burger is disgusting.")
            picture = _picture(gr, "other_picture", "Another picture", 160)
        with gr.Row(elem_id="others"):
            others = [gr.Button(shows, size="sm", elem_id=f"other_{name}") for name, (_, shows) in EXAMPLES.items()]
        with gr.Column(visible=answers.hears(answers.first)) as speech:
            voice = _voice(gr, "other_voice", "Another voice", True)
            with gr.Row(elem_id="other_voices"):
                voices = [gr.Button(sounds, size="sm", elem_id=f"voice_{name}") for name, (_, sounds) in SPOKEN.items()]
        whatif = gr.HTML(HINT_WHATIF, elem_id="whatif", padding=False)
    return {"mattered": mattered, "other_text": text, "other_picture": picture, "others": others, "whatif": whatif,
            "other_voice": voice, "voices": voices, "speech": speech}


def _thumbnails(answers: Answers) -> dict[str, Image.Image]:
    return {**{f"{kind}_{name}": post.image for kind in ("example", "other")
               for name, post in zip(EXAMPLES, answers.posts.values())},
            **{f"spoken_{name}": post.image for name, post in zip(SPOKEN, answers.spoken.values()) if post.image}}


# --- what happens when ---


def _connect(gr: ModuleType, answers: Answers, on: dict[str, Any]) -> None:
    """Every change presses one hidden button, and that alone asks for answers. Only `read` is offered to programs."""
    own = {"api_visibility": "private", "show_progress": "hidden"}
    button, answer = gr.Button(visible=False), gr.JSON(visible=False)
    asked = [on[SUBJECTS[side]] for side in answers.loaded[answers.first][0].model.sides]
    button.click(functools.partial(_read, gr, answers), asked, answer, api_name="read")

    stamp, go = gr.Textbox(visible=False), gr.Button(visible="hidden", elem_id="go")
    post, voices = [on["text"], on["picture"], on["model"]], [on["voice"], on["other_voice"]]
    now = {"js": "(old, ...rest) => [mmsa.stamp(), ...rest]", **own}  # each step reads what the fields hold by then
    again = {"trigger_mode": "multiple", **now}
    (go.click(stamped(answers.answer), [stamp, *post, on["voice"]], on["answer"], trigger_mode="always_last", **now)
     .then(answers.about, on["model"], on["note"], trigger_mode="multiple", **own)
     .then(stamped(answers.whatif), [stamp, *post, on["other_text"], on["other_picture"], *voices], on["whatif"],
           **again)
     .then(stamped(answers.mattered), [stamp, *post, on["voice"]], on["mattered"], **again))
    for text in (on["text"], on["other_text"]):
        text.change(js=f"() => mmsa.touch({TYPING})", fn=None, **own)
        text.submit(js="() => mmsa.touch(0)", fn=None, **own)
    for upload in (on["picture"], on["other_picture"], *voices):
        upload.change(js="() => mmsa.touch(0)", fn=None, **own)
    on["model"].input(js=f"() => mmsa.touch({TYPING})", fn=None, **own)  # by then it is known to be on its way
    (on["model"].input(answers.choose, on["model"], None, trigger_mode="multiple", concurrency_limit=8, **own)
     .then(lambda name: [gr.update(visible=answers.hears(name))] * 3, on["model"],
           [on["voice"], on["speech"], on["spoken_row"]], **own)
     .then(js="() => mmsa.touch(0)", fn=None, **own))
    for one, example, other in zip(answers.posts.values(), on["examples"], on["others"]):
        example.click(functools.partial(_filled, one), None, [on["text"], on["picture"], on["voice"]], **own)
        other.click(functools.partial(_shown, one), None, on["other_picture"], **own)
    for one, example, other in zip(answers.spoken.values(), on["spoken"], on["voices"]):
        example.click(functools.partial(_filled, one), None, [on["text"], on["picture"], on["voice"]], **own)
        other.click(functools.partial(_spoken, one), None, on["other_voice"], **own)


def stamped(answer: Callable[..., str]) -> Callable[..., str]:
    """The same, with the stamp of the question on what is answered: the page knows by it what is old."""

    def with_stamp(stamp: str, *question: Any) -> str:
        return f'<div data-stamp="{escape(stamp)}">{answer(*question)}</div>'

    with_stamp.__name__ = answer.__name__
    return with_stamp


def _read(gr: ModuleType, answers: Answers, text: str | None, picture: str | None, voice: str | None = None
          ) -> dict[str, Any]:
    """Read one post: its text, its picture (a file), and its voice (a file) where the model reads it; null for what it
    lacks → label, probabilities, what each side alone would say."""
    try:
        return answers.read(text, picture, voice)
    except ValueError as error:
        message = str(error)
        raise gr.Error(message[:1].upper() + message[1:], print_exception=False) from None


def _filled(post: Post) -> tuple[str | None, Image.Image | None, bytes | None]:
    """What an example puts into the page."""
    return post.text, post.image, _spoken(post)


def _shown(post: Post) -> Image.Image | None:
    """Its picture alone."""
    return post.image


def _spoken(post: Post) -> bytes | None:
    """Its voice alone, as a WAV file."""
    return wav_bytes(post.voice) if post.voice else None


def _uploads_only(validate: Callable, refusal: Callable) -> Callable:
    """Gradio's look at a request's inputs, and before it ours: else a program would not hear what it did wrong."""

    def validated(function: Any, inputs: list[Any]) -> None:
        names = ["a text", "a picture", "a voice"][:len(function.inputs)]
        if function.api_name == "read" and len(inputs) != len(names):
            wanted = f"{', '.join(names[:-1])} and {names[-1]}"
            raise refusal(f"Expected {wanted}, got {len(inputs)} of the {'two' if len(names) == 2 else 'three'}.",
                          print_exception=False)
        for name, given, example in zip(("picture", "voice"), inputs[1:], ("photo.jpg", "voice.wav")):
            if function.api_name != "read" or given is None:
                continue
            named = [given.get(key) for key in ("path", "url")] if isinstance(given, dict) else [given]
            if not isinstance(given, dict) or any(str(one).startswith("data:") for one in named):
                raise refusal(f"The {name} is {_kind(named)}: expected an uploaded file. gradio_client does that with "
                              f'handle_file("{example}"); other programs post the file to gradio_api/upload, and send '
                              '{"path": the path it answers, "meta": {"_type": "gradio.FileData"}}.',
                              print_exception=False)
        validate(function, inputs)

    return validated


def _kind(given: list[Any]) -> str:
    if any(str(one).startswith("data:") for one in given):
        return "a data address (base64)"
    return "a text (base64, or a path?)" if isinstance(given[0], str) else f"of the kind {type(given[0]).__name__}"


def _local_only(move: Callable, refusal: Callable) -> Callable:
    """Gradio's way to take over a file that a request names, for files on this machine only."""

    async def moved(path: str | Path | None) -> str | None:
        if "://" in str(path):
            raise refusal("Expected an uploaded file, got an address.", print_exception=False)
        return await move(path)

    return moved
