"""How the app looks: paper, ink, system fonts. Nothing is fetched from anywhere."""

from __future__ import annotations

from pathlib import Path

import gradio as gr
from gradio.themes.utils.colors import Color

STYLE = Path(__file__).with_name("style.css")
SCRIPT = Path(__file__).with_name("page.js")
FONTS = ("ui-sans-serif", "system-ui", "-apple-system", "Segoe UI", "Roboto", "sans-serif")
MONO = ("ui-monospace", "SFMono-Regular", "Menlo", "Consolas", "monospace")

# fmt: off
INK = Color("#eef1f8", "#dfe4f1", "#c3cce3", "#9fadd0", "#7788b8", "#57699d", "#455583", "#3a476c", "#323c59",
            "#2c344b", "#1b2031", name="ink")
PAPER = Color("#fbf9f5", "#f4f0e9", "#e8e2d8", "#d5cdc0", "#aaa193", "#7d766b", "#5d574f", "#47423d", 
              "#2b2825", "#1e1c1a", "#151412", name="paper")
# fmt: on


def theme() -> gr.themes.Base:
    """Light and dark."""
    base = gr.themes.Base(
        primary_hue=INK, secondary_hue=INK, neutral_hue=PAPER, radius_size="lg", font=FONTS, font_mono=MONO
    )
    return base.set(
        body_background_fill="*neutral_50",
        body_background_fill_dark="*neutral_950",
        body_text_color_subdued="*neutral_600",
        background_fill_primary="#ffffff",
        background_fill_primary_dark="*neutral_900",
        block_background_fill="#ffffff",
        block_background_fill_dark="*neutral_900",
        block_border_color="*neutral_200",
        block_border_color_dark="*neutral_800",
        block_label_background_fill="transparent",
        block_label_background_fill_dark="transparent",
        block_shadow="none",
        block_title_text_weight="500",
        button_primary_background_fill="*primary_700",
        button_primary_background_fill_hover="*primary_600",
        button_primary_background_fill_dark="*primary_300",
        button_primary_background_fill_hover_dark="*primary_200",
        button_primary_text_color="#ffffff",
        button_primary_text_color_dark="*neutral_950",
        input_background_fill="*neutral_50",
        input_background_fill_dark="*neutral_950",
        slider_color="*primary_600",
        slider_color_dark="*primary_400",
    )
