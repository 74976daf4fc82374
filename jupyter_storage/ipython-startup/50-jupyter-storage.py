"""Make %storage known to every kernel of this environment."""


def _register_jupyter_storage() -> None:
    try:
        from IPython import get_ipython

        from jupyter_storage.magics import load_ipython_extension
    except ImportError:
        # The package was removed and this file was left: kernels start all the same.
        return
    load_ipython_extension(get_ipython())


_register_jupyter_storage()
del _register_jupyter_storage
