"""JupyterLab for the course (make lab): a notebook that is only opened stays as it is stored.

JupyterLab writes into a notebook which kernel it runs on, down to the last number of Python's version, as soon as the
notebook is open. It then shows as modified, is saved by itself, and git lists it. Here a notebook is handed out with
these words already in it, and written without them, as `make notebooks` stores it.
"""

from __future__ import annotations

import sys
from typing import Any

from execute import KERNEL
from ipykernel.ipkernel import IPythonKernel
from jupyter_server.services.contents.largefilemanager import AsyncLargeFileManager
from jupyterlab.labapp import LabApp


class Contents(AsyncLargeFileManager):
    """The files as they lie there, but for the kernel's description in notebooks for Python."""

    async def get(self, path: str, content: bool = True, *words: Any, **options: Any) -> dict[str, Any]:
        """A file or folder; a notebook as JupyterLab would have it after a moment."""
        model = await super().get(path, content, *words, **options)
        if content and model["type"] == "notebook" and self._for_python(model["content"]):
            spec = self.parent.kernel_spec_manager.get_kernel_spec(KERNEL["kernelspec"]["name"])
            model["content"]["metadata"] |= {
                "kernelspec": {**KERNEL["kernelspec"], "display_name": spec.display_name},
                "language_info": IPythonKernel.language_info}
        return model

    async def save(self, model: dict[str, Any], path: str = "") -> dict[str, Any]:
        """Write a file; a notebook as `make notebooks` would."""
        if model.get("type") == "notebook" and self._for_python(model.get("content")):
            model["content"]["metadata"] |= KERNEL
        return await super().save(model, path)

    @staticmethod
    def _for_python(book: Any) -> bool:
        metadata = book.get("metadata", {}) if isinstance(book, dict) else {}
        return metadata.get("kernelspec", {}).get("name") == KERNEL["kernelspec"]["name"]


if __name__ == "__main__":
    LabApp.launch_instance([*sys.argv[1:], f"--ServerApp.contents_manager_class={__name__}.Contents"])
