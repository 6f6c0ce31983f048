"""The web app: pages, the affect pad, the service behind them. The only package that imports gradio.

It holds no default, no check and no model code of its own: a form becomes a `RenderRequest`, a request
becomes a job in the ledger, and what the page shows is read from there.
"""

import os

# Read by gradio when it is imported: nothing is reported to anybody. For the hub, `studio` itself says so.
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
