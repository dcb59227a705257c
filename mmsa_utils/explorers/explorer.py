"""Explorers for the notebooks: sliders and their view in one box, and a picture of the same where nothing can move.

Every explorer comes from one call, has its controls as attributes, and is shown by being the last line of a cell.
Works with ipywidgets 7.7 and 8. (`Output` widgets capture nothing outside a live front end, so none is used: a view
is a function from the controls' values to HTML.)
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import ipywidgets

from ..figures import panels

if TYPE_CHECKING:
    from IPython.display import Image as DisplayImage

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
WIDE = {"description_width": "initial"}  # labels are never cut


class Explorer(ipywidgets.VBox):
    """Controls over a view that follows them.

    Args:
        title: what it is, in a few words.
        controls: name → widget with a description. Each becomes an attribute of that name.
        view: called with the controls' values by name whenever one of them changes; returns HTML. What it refuses
            with a ValueError is shown as a friendly note.
        still: draws a picture of the same content, with alt text, for pages without a kernel (a stored notebook).
    """

    _ipython_display_ = None  # ipywidgets 7 would show itself through it, and leave no picture

    def __init__(self, title: str, controls: Mapping[str, Any], view: Callable[..., str],
                 still: Callable[[], DisplayImage]):
        self.title, self.controls, self.still, self._view = title, dict(controls), still, view
        self.view = ipywidgets.HTML()
        super().__init__([ipywidgets.Box(list(controls.values()), layout={"flex_flow": "row wrap", "width": "auto",
                                                                             "grid_gap": "2px 20px"}),
                          self.view])
        for name, control in self.controls.items():
            setattr(self, name, control)
            if control.has_trait("value"):
                control.observe(self.refresh, "value")
        self.refresh()

    def refresh(self, change: Any = None) -> None:
        """Show the view of the controls as they stand."""
        values = {name: control.value for name, control in self.controls.items() if control.has_trait("value")}
        for name, value in values.items():
            if isinstance(value, str):  # half of a character, which a browser may send, is none
                values[name] = value.encode("utf8", "replace").decode("utf8")
        try:
            self.view.value = self._view(**values)
        except ValueError as error:
            self.view.value = panels.note(str(error))

    def _repr_mimebundle_(self, include=None, exclude=None, **options) -> tuple[dict, dict]:
        data, metadata = self.still()._repr_mimebundle_()
        return {"text/plain": f"{self.title}: controls where there is a kernel, this picture elsewhere", **data,
                WIDGET_VIEW: {"version_major": 2, "version_minor": 0, "model_id": self.model_id}}, metadata


def slider(label: str, value: int, low: int, high: int) -> ipywidgets.IntSlider:
    """A slider over whole numbers, its label in full."""
    return ipywidgets.IntSlider(value, low, high, description=label, style=WIDE, layout={"width": "300px"})


def choice(label: str, options: Sequence | Mapping[str, Any], value: Any) -> ipywidgets.Dropdown:
    """A drop-down list, its label in full."""
    options = list(options.items() if isinstance(options, Mapping) else options)  # ipywidgets 7 warns of mappings
    return ipywidgets.Dropdown(options=options, value=value, description=label, style=WIDE,
                               layout={"width": "max-content", "max_width": "98%"})


def uploaded(value: Any) -> tuple[str, bytes] | None:
    """Name and content of the file that a FileUpload holds, or None.

    Args:
        value: its value: {name: {"content": bytes, ...}} in ipywidgets 7, ({"name": ..., "content": memoryview, ...},)
            in 8.
    """
    if not value:
        return None
    if isinstance(value, Mapping):
        name, file = list(value.items())[-1]
    else:
        name, file = value[-1]["name"], value[-1]
    return name, bytes(file["content"])
