"""The command line: `python -m studio COMMAND`. Every check and default is the studio's."""

from __future__ import annotations

import contextlib
import io
import logging
import os
import sys
from collections.abc import Iterator, Sequence

from studio.cli.parser import parse
from studio.errors import Cancelled, PromptsFileError, StudioError


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns the exit code: 0 done, 2 a problem (one line on stderr), 130 cancelled."""
    _let_any_text_through()
    try:
        args = parse(sys.argv[1:] if argv is None else list(argv))
        with _log_shown(quiet=getattr(args, "quiet", False)):
            code: int = args.run(args)
            return code
    except KeyboardInterrupt:
        print("cancelled; finished files are kept", file=sys.stderr)
        return Cancelled.exit_code
    except Cancelled as error:
        print(f"cancelled: {error}", file=sys.stderr)
        return error.exit_code
    except StudioError as error:
        print(f"error: {_message(error)}", file=sys.stderr)
        return error.exit_code
    except BrokenPipeError:  # the reader of a pipe went away: say nothing more to it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1


def _message(error: StudioError) -> str:
    """One line, whatever was in the value; a prompts file has one line for each bad line."""
    lines = str(error).splitlines()
    return str(error) if isinstance(error, PromptsFileError) else " ".join(line.strip() for line in lines)


def _let_any_text_through() -> None:
    """A file or console of an old encoding, as on Windows, gets escapes for letters that it cannot hold."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


@contextlib.contextmanager
def _log_shown(quiet: bool) -> Iterator[None]:
    """What the studio says while it works ("loading ...") goes to stderr as it is."""
    log, handler = logging.getLogger("studio"), logging.StreamHandler(sys.stderr)
    before = log.level, log.propagate
    log.addHandler(handler)
    log.setLevel(logging.WARNING if quiet else logging.INFO)
    log.propagate = False
    try:
        yield
    finally:
        log.removeHandler(handler)
        log.setLevel(before[0])
        log.propagate = before[1]
