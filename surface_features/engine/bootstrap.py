# SPDX-License-Identifier: GPL-3.0-or-later
"""Start in a foreign interpreter: say what is wrong with it, or run the worker.

Runs as a script. Kept to the syntax of every Python since 2.7, so that an old one can answer that it is too old, and to
the standard library, so that one without NumPy can say so. The package is loaded from its own folder and not through
`sys.path`: nothing else in that folder becomes importable, and no other installation can take its place.
"""

import json
import os
import sys
import time

OLDEST = (3, 11)
MODULES = (
    "numpy",
    "torch",
    "scipy",
    "transformers",
    "safetensors",
    "embreex",
    "potpourri3d",
    "robust_laplacian",
    "trimesh",
    "PIL",
)


def say(message):
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def probe():
    """Import everything the backend needs and report versions, failures and the time it took."""
    start = time.time()
    versions, missing = {}, {}
    for name in MODULES:
        try:
            versions[name] = str(getattr(__import__(name), "__version__", ""))
        except Exception as error:  # a broken wheel may raise anything; the report names it
            missing[name] = "{}: {}".format(type(error).__name__, error)
    seconds = time.time() - start
    say({"event": "report", "python": version(), "versions": versions, "missing": missing, "seconds": seconds})


def load_package():
    """Import the package this file lies in, by its location."""
    import importlib.util

    folder = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    name = "surface_features"
    spec = importlib.util.spec_from_file_location(
        name, os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)


def version():
    return ".".join(str(part) for part in sys.version_info[:3])


def main():
    options = json.loads(os.environ.pop("SURFACE_FEATURES_ENGINE"))
    here = os.path.dirname(os.path.abspath(__file__))
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != here]  # its modules are no top-level ones
    if sys.version_info < OLDEST:
        say({"event": "refused", "python": version(), "oldest": ".".join(str(part) for part in OLDEST)})
        return 1
    import site

    for folder in options["site_paths"]:
        site.addsitedir(folder)
    if options["mode"] == "probe":
        probe()
        return 0
    load_package()
    try:
        from surface_features.engine import worker
    except ImportError as error:
        say({"event": "refused", "python": version(), "module": error.name or str(error)})
        return 1
    worker.main(options["directory"], options["idle_timeout_s"])
    return 0


if __name__ == "__main__":
    sys.exit(main())
