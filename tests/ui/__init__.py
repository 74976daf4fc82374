"""The panel, the drives and the status bar in a real JupyterLab and a real browser."""
