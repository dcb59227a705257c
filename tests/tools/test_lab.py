"""What `make lab` writes: notebooks for the course without JupyterLab's words on their kernel, others as they are."""

import asyncio

import nbformat
from lab import Contents


def test_notebooks_for_other_kernels_and_other_words_stay(tmp_path):
    def saved(metadata: dict) -> dict:
        book = nbformat.v4.new_notebook(cells=[], metadata=metadata)
        asyncio.run(Contents(root_dir=str(tmp_path)).save(
            {"type": "notebook", "format": "json", "content": book}, "some.ipynb"))
        return nbformat.read(tmp_path / "some.ipynb", as_version=4).metadata

    other = {"kernelspec": {"name": "ir", "display_name": "R", "language": "R"}, "language_info": {"name": "R"}}
    assert saved(other) == other
    assert saved({}) == {}
    ours = saved({"kernelspec": {"name": "python3", "display_name": "Python 3 (ipykernel)"},
                  "language_info": {"name": "python", "version": "3.12.1"}, "authors": [{"name": "Åsa"}]})
    assert ours.language_info == {"name": "python"}
    assert ours.kernelspec.display_name == "Python 3"
    assert ours.authors == [{"name": "Åsa"}]
