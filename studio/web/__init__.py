"""The web app: pages, the affect pad, the service behind them. The only package that imports gradio.

It holds no default, no check and no model code of its own: a form becomes a `RenderRequest`, a request
becomes a job in the ledger, and what the page shows is read from there.
"""

import os

# Read by gradio and the hub when they are imported: nothing is reported to anybody.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
