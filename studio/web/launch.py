"""Starts the app: a free port, the page, the worker behind it; one place for what the server may show."""

from __future__ import annotations

import logging
import os
import socket
import sys
import time
from dataclasses import dataclass
from typing import Any

import gradio as gr

from studio.errors import InputError
from studio.settings import Settings
from studio.web import train_events
from studio.web.image_page import image_page
from studio.web.music_page import music_page
from studio.web.portrait_page import portrait_page
from studio.web.service import Service
from studio.web.theme import SCRIPT, STYLE, theme
from studio.web.train_files import serve_runs
from studio.web.train_page import train_page
from studio.web.video_page import video_page

PORTS_TRIED = 20
MAX_UPLOAD = "512mb"  # soundfonts are large
log = logging.getLogger("studio")
HEADER = (
    '<header class="masthead"><h1>Emotion Studio</h1><p>Say what it shows. Choose what it feels.</p></header>'
)


@dataclass(frozen=True, slots=True)
class Running:
    """A started app. `stop` ends the server and the worker; unfinished jobs stay in the ledger."""

    page: gr.Blocks
    service: Service
    url: str

    def stop(self) -> None:
        self.page.close(verbose=False)
        self.service.stop()


def build(service: Service) -> gr.Blocks:
    """The page, not yet served."""
    with gr.Blocks(title="Emotion Studio", analytics_enabled=False, fill_width=True) as opened:
        page: gr.Blocks = opened
        gr.HTML(HEADER, apply_default_css=False)
        timer: Any = gr.Timer(train_events.BUSY_S)  # not in its tab, where it would rest until that is opened
        with gr.Tabs(elem_id="pages"):
            adapters = {}
            with gr.Tab("Image", id="image"):
                adapters["image"] = image_page(service, page)
            with gr.Tab("Video", id="video"):
                adapters["video"] = video_page(service, page)
            with gr.Tab("Music", id="music"):
                adapters["music"] = music_page(service, page)
            with gr.Tab("Portrait", id="portrait"):
                adapters["portrait"] = portrait_page(service, page)
            with gr.Tab("Train", id="train"):
                train_page(service.training, page, adapters, timer)
    return page


def start(settings: Settings, warm: bool = True) -> Running:
    """Serve the app and return. Raises InputError when no port is free."""
    port = free_port(settings.host, settings.port)
    service = Service(settings)
    page = build(service)
    server, url, _ = page.launch(
        server_name=settings.host,
        server_port=port,
        inbrowser=_has_browser(),
        share=False,
        quiet=True,
        show_error=True,
        run_history=False,
        footer_links=[],
        allowed_paths=[str(service.folder)],
        blocked_paths=[str(service.private)],
        max_file_size=MAX_UPLOAD,
        enable_monitoring=False,
        ssr_mode=False,
        pwa=False,
        mcp_server=False,
        theme=theme(),
        css_paths=[STYLE],
        js=SCRIPT.read_text("utf-8"),
        prevent_thread_lock=True,
    )
    serve_runs(server, service.training.folder)
    service.start()
    if warm:
        service.warm_soon()
    return Running(page, service, url.rstrip("/"))


def launch(settings: Settings) -> None:
    """Serve the app until Ctrl-C."""
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    log.setLevel(logging.INFO)
    running = start(settings)
    if not running.url.endswith(f":{settings.port}"):
        log.info("port %d is taken by another program; using the next free one", settings.port)
    log.info("Emotion Studio is at %s (Ctrl-C ends it)", running.url)
    log.info("loading the model takes a few seconds the first time")
    try:
        while True:
            time.sleep(3600)
    except KeyboardInterrupt:
        log.info("stopping; unfinished jobs go on at the next start")
    finally:
        running.stop()


def free_port(host: str, wanted: int) -> int:
    """`wanted`, or the next port after it that nobody listens on. Raises InputError when all are taken."""
    for port in range(wanted, min(wanted + PORTS_TRIED, 65536)):
        with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
            if os.name != "nt":  # on Windows this option would let two programs share the port
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except PermissionError:
                raise InputError("port", wanted, f"port {port} needs an administrator", "7860") from None
            except OSError:
                continue
            return port
    why = f"ports {wanted} to {wanted + PORTS_TRIED - 1} on {host} are all taken or cannot be used"
    raise InputError("port", wanted, why)


def _has_browser() -> bool:
    """Whether a person sits here, with a window system to open a browser in."""
    has_windows = sys.platform in {"win32", "darwin"} or bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    )
    return sys.stdout.isatty() and has_windows
