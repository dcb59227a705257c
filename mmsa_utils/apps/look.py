"""How the dashboard's page looks, and the few lines of script that make it live."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from types import ModuleType
from typing import Any

from PIL import Image

from ..figures.panels import BLUE

#: What the page does by itself. `touch` is called at every change of what is asked: from then on all answers on the
#: page are marked as old, until one comes that carries the stamp of this very change.
SCRIPT = """<script>
window.mmsa = {count: 0, timer: 0, fields: ["#picture", "#other_picture", "#voice", "#other_voice"]};
mmsa.stamp = () => String(mmsa.count);
mmsa.mark = () => {
  const coming = document.querySelector(mmsa.fields.map((field) => `${field} .uploading`).join());
  for (const part of document.querySelectorAll("#answer, #whatif, #mattered")) {
    const shown = part.querySelector("[data-stamp]");
    const old = mmsa.count > 0 && Boolean(coming || shown?.dataset.stamp !== mmsa.stamp());
    part.classList.toggle("old", old);
    part.setAttribute("aria-busy", old);
  }
};
mmsa.touch = (wait) => {
  mmsa.count += 1;
  clearTimeout(mmsa.timer);
  mmsa.timer = setTimeout(() => document.querySelector("#go").click(), wait);
  mmsa.mark();
};
// Pictures come by click, key or drop, also in place of one that is shown. Many browsers do not know a HEIC's type, and
// Gradio refuses a file without one: the server looks into the file, whatever it is called.
mmsa.replace = (box, files) => {
  if (!files.length) return;
  const file = files[0], given = new DataTransfer();
  given.items.add(file.type.startsWith("image/") ? file : new File([file], file.name, {type: "image/heic"}));
  const give = (tries) => {  // the field comes back a moment after the old picture went
    const field = box.querySelector("input[type=file]");
    if (!field && tries) setTimeout(give, 50, tries - 1);
    if (!field) return;
    field.files = given.files;
    field.dispatchEvent(new Event("change", {bubbles: true}));
  };
  box.querySelector(".icon-button-wrapper button:last-of-type")?.click();
  setTimeout(give, 50, 100);
};
mmsa.box = (event) => event.target.closest?.("#picture, #other_picture");
document.addEventListener("click", (event) => {
  const box = mmsa.box(event);
  const where = box?.querySelector(".image-frame img") ? ".image-frame, [aria-label='Upload file']" :
    "button:has(input[type=file])";
  if (!box || !event.target.closest(where)) return;
  event.stopPropagation();
  const field = Object.assign(document.createElement("input"), {type: "file", accept: "image/*,.heic,.heif,.avif"});
  field.addEventListener("change", () => mmsa.replace(box, field.files));
  field.click();
}, true);
for (const name of ["dragover", "drop"]) document.addEventListener(name, (event) => {
  const box = mmsa.box(event);
  if (!box) return;
  event.preventDefault();
  event.stopPropagation();
  if (name === "drop") mmsa.replace(box, event.dataTransfer.files);
}, true);
// What this browser has no reader for is said in the picture's place: a HEIC, or a file that is no picture.
for (const name of ["error", "load"]) document.addEventListener(name, (event) => {
  if (event.target.tagName === "IMG") mmsa.box(event)?.classList.toggle("unseen", name === "error");
}, true);
new MutationObserver(mmsa.mark).observe(
  document, {childList: true, subtree: true, attributes: true, attributeFilter: ["class", "data-stamp"]});
</script>"""

_STYLE = """
.gradio-container {max-width: 1320px !important; margin: 0 auto !important}
#page {gap: 28px; align-items: flex-start}
#answer, #whatif, #mattered, #model_note, .html-container {line-height: 1.4; padding: 0 !important}
#answer table *, #whatif table *, #mattered table * {border-color: transparent !important}
#answer {min-height: 11em}
.old {position: relative; min-height: 1.6em}
.old > * {opacity: .3}
.old::after {content: "reading …"; position: absolute; top: 0; right: 0; padding: 0 8px; border-radius: 4px;
  background: var(--block-background-fill); color: var(--body-text-color)}
#text textarea {min-height: 4.2em}
#picture .image-frame, #other_picture .image-frame {cursor: pointer}
#voice .upload-container > .wrap, #other_voice .upload-container > .wrap {min-height: 110px}
#voice .upload-container .icon-wrap, #other_voice .upload-container .icon-wrap {display: none}
#voice .controls, #voice .timestamps, #other_voice .controls, #other_voice .timestamps {color: var(--body-text-color)}
#voice .controls button, #other_voice .controls button {color: var(--body-text-color) !important}
.unseen .image-frame {position: relative}
.unseen .image-frame img {opacity: 0}
.unseen .image-frame::after {content: "Your browser cannot show this file."; position: absolute; top: 45%; left: 50%;
  transform: translateX(-50%); white-space: nowrap; pointer-events: none}
#examples, #others, #spoken, #other_voices {display: grid !important; gap: 8px;
  grid-template-columns: repeat(auto-fit, minmax(150px, 1fr))}
#examples, #spoken {grid-template-columns: 1fr 1fr}
#other_voices button {white-space: normal; min-height: 40px}
#examples button, #others button, #spoken button {min-width: 0 !important; height: 100%; padding: 6px 8px 6px 60px;
  text-align: left; justify-content: flex-start; font-weight: 400; line-height: 1.25; min-height: 60px;
  background-size: 48px 48px; background-position: 6px center; background-repeat: no-repeat;
  white-space: normal; font-size: .85rem}
@media (max-width: 760px) {  /* in one column: the answer right below what is asked */
  #page {display: flex !important; flex-direction: column; gap: 12px}
  #left, #right {display: contents !important}
  #page > * > * {width: 100%; min-width: 0}
  #choose {order: 1} #more {order: 2}
  .gradio-container h1, .gradio-container h1 * {font-size: 1.2rem !important; margin: 0 !important}
  .gradio-container > main, .gradio-container .main {padding: 10px !important}
  #picture, #picture .image-container {max-height: 170px !important}
  #answer {min-height: 8em}
}
"""


def style(thumbnails: Mapping[str, Image.Image]) -> str:
    """The page's style sheet; each button, by its id, has a small picture beside its words."""
    rules = "".join(f"#{button} {{background-image: url({_small(image)})}}\n" for button, image in thumbnails.items())
    return _STYLE + rules


def _small(image: Image.Image) -> str:
    file = io.BytesIO()
    image.resize((96, 96), Image.Resampling.LANCZOS).save(file, "jpeg", quality=80)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode()}"


def theme(gr: ModuleType) -> Any:
    """Gradio's, with the course's blue, fonts that are there already, and contrast enough for small print."""
    return gr.themes.Default(font=["system-ui", "sans-serif"], font_mono=["ui-monospace", "monospace"]).set(
        block_info_text_color="*neutral_600", block_info_text_color_dark="*neutral_400",
        input_placeholder_color="*neutral_500", color_accent=BLUE)
