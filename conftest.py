"""Every test run, the notebooks' kernels included, gets the environment that the stored outputs were made in."""

import os

from run_notebooks import prepare_environment  # tools/ is on the path: see [tool.pytest.ini_options]

prepare_environment(os.environ)
