"""JupyterLab as `make lab` starts it: opening and saving changes no stored notebook; its first cell is folded away."""

import shutil

import execute
import nbformat
import pytest
from colab import SETUP
from pages import NOTEBOOK, close_notebook, explorer, jupyterlab, open_notebook, run_all, strangers, visit
from prose import NOTEBOOKS, SOLUTIONS

from mmsa_utils import guess_explorer

STORED = [NOTEBOOKS[0], SOLUTIONS[-1]]
GAME = "from mmsa_utils import guess_explorer\nguess_explorer()"


@pytest.fixture(scope="module")
def lab(browser, tmp_path_factory):
    """A page, the folder that JupyterLab serves, and where in it a notebook is opened; it asks nobody for anything."""
    folder = tmp_path_factory.mktemp("lab")
    for path in STORED:
        shutil.copyfile(path, folder / f"{path.parent.name}_{path.name}")
    book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(GAME)])
    nbformat.write(execute.normalise(book), folder / "game.ipynb")
    with jupyterlab(folder, tmp_path_factory.mktemp("jupyter")) as address, visit(browser) as (page, asked):
        yield page, folder, address
        assert strangers(page, asked) == []


@pytest.mark.parametrize("path", STORED, ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_a_notebook_that_was_only_opened_and_saved_is_as_it_was(lab, path):
    page, folder, address = lab
    name = f"{path.parent.name}_{path.name}"
    open_notebook(page, address.format(name))
    kernel = page.evaluate(f"""async () => {{ const kernel = {NOTEBOOK}.sessionContext.session.kernel;
        return [(await kernel.info).language_info, (await kernel.spec).display_name] }}""")
    # JupyterLab writes both into the notebook, when it gets to it
    page.wait_for_function(f"{NOTEBOOK}.content.model.toJSON().metadata.language_info.version")
    metadata = page.evaluate(f"{NOTEBOOK}.content.model.toJSON().metadata")
    assert [metadata["language_info"], metadata["kernelspec"]["display_name"]] == kernel
    assert not page.evaluate(f"{NOTEBOOK}.content.model.dirty"), "it shows as modified"
    page.wait_for_function(f"{NOTEBOOK}.content.widgets.some(cell => cell.inputHidden)")  # cells are drawn by and by
    hidden = page.evaluate(f"{NOTEBOOK}.content.widgets.filter(cell => cell.inputHidden).map(cell => cell.model.id)")
    assert hidden == [SETUP]
    page.evaluate(f"{NOTEBOOK}.context.save()")
    assert (folder / name).read_bytes() == path.read_bytes()
    close_notebook(page)


def test_the_game_by_keyboard(lab):
    page, _, address = lab
    open_notebook(page, address.format("game.ipynb"))
    assert run_all(page) == []
    box = explorer(page, "guess_explorer()")
    view, posts = box.locator(".widget-html-content"), guess_explorer().game.posts
    assert posts[0].text in view.inner_text()
    box.get_by_role("button", name="negative").focus()
    page.keyboard.press("Space")
    view.get_by_text("By the words you say negative.").wait_for()
    assert view.locator("img").get_attribute("alt") == "burger, looks plain"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    view.get_by_role("alert").get_by_text("Right, the label is neutral.").wait_for()
    before = box.bounding_box()
    for key in ("Tab", "Tab", "Space"):
        page.keyboard.press(key)
    view.get_by_text(posts[1].text).wait_for()
    assert box.bounding_box() == before  # the buttons stay where they are, and so does what follows
    close_notebook(page)
