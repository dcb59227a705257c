"""Every test run, the notebooks' kernels included, gets the environment that the stored outputs were made in.

Under nbval each notebook with a card gets one test more, after its last cell: does it keep to the card?
"""

import os

import budgets  # tools/notebooks is on the path: see [tool.pytest.ini_options]
import pytest
from execute import prepare_environment

prepare_environment(os.environ)

#: Files of few and slow tests. They begin first: else one core waits for the other in the end.
SLOW = ("test_seams.py", "test_book.py", "test_on_ray.py", "test_lab_browser.py", "test_same_numbers.py")


def pytest_collection_modifyitems(items):
    last = {item.parent: place for place, item in enumerate(items) if type(item).__name__ == "IPyNbCell"}
    for notebook, place in sorted(last.items(), key=lambda pair: -pair[1]):
        if budgets.has_card(notebook.nb):
            items.insert(place + 1, KeepsToItsCard.from_parent(notebook, name="card"))
    items.sort(key=lambda item: SLOW.index(item.path.name) if item.path.name in SLOW else len(SLOW))


class KeepsToItsCard(pytest.Item):
    """The notebook's kernel has not taken more processor time or memory than the card promises."""

    def runtest(self):
        seconds, megabytes = budgets.usage(self.parent.kernel.km.provisioner.pid)
        limit_s, limit_mb = budgets.promise(self.parent.nb)
        assert seconds <= budgets.SLOWER * limit_s, (
            f"it took {seconds:.0f} s of processor time, and its card says under {limit_s:.0f} s: "
            "make it quicker, or let `make notebooks` measure it again")
        assert megabytes <= budgets.LARGER * limit_mb, (
            f"it took {megabytes:.0f} MB of memory, and its card says about {limit_mb:.0f}: "
            "make it smaller, or let `make notebooks` measure it again")

    def reportinfo(self):
        return self.path, None, f"{self.path.name}: keeps to its card"
