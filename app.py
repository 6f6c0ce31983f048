"""Starts the web app: `python app.py`, then open the address it prints.

Settings come from the environment (EMOTION_STUDIO_PORT, EMOTION_STUDIO_OUTPUTS, ...; see docs/app.md).
"""

from __future__ import annotations

import sys

from studio.errors import StudioError
from studio.settings import Settings


def main() -> int:
    """Serve until Ctrl-C. Returns the exit code: 2 for a bad setting, 130 if stopped too early."""
    try:
        settings = Settings.from_environment()
        print("starting Emotion Studio ...", flush=True)
        from studio.web.launch import launch  # seconds of imports: after the first sign of life

        launch(settings)
    except StudioError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:  # while it was still starting
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
