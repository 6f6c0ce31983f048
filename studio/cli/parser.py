"""What the command line accepts. The flags of `render` grow from the pipeline's own Params."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from typing import NoReturn

from studio import __version__, catalog
from studio.cli import adapters, commands, joining
from studio.errors import InputError, NotFoundError, StudioError, nearest
from studio.params import ParamSpec
from studio.settings import Settings

PROG = "python -m studio"
_DEFAULTS = Settings()
COMMANDS = ("render", "batch", "list", "inspect", "join", "bake", "adapters", "app")
_EXAMPLES = """examples:
  python -m studio render --prompt "a sailboat at dusk" --emotion awe:0.8 --seed 7
  python -m studio render --prompt "a mountain lake, gouache" --emotion "0.6 joy + 0.4 fear" --count 4
  python -m studio render --from outputs/00001-a-sailboat-at-dusk-awe-0-8.png --emotion calm
  python -m studio batch prompts.csv --out outputs/run1
  python -m studio list emotions mikels
  python -m studio adapters show vad-image
  python -m studio bake vad-image --emotion awe -o awe.safetensors
  python -m studio join calm.mp4 storm.mp4 --crossfade 0.5 --out story.mp4
  python -m studio app
"""
_RENDER_EXAMPLES = """an emotion is a word (joy), a strength (joy:0.6), a blend (0.6 joy + 0.4 fear), a point
(v=0.7 a=-0.2 d=0.1), a word of a taxonomy (mikels/awe), or a curve (sadness@0, calm@50%, joy@100%).

examples:
  python -m studio render image/sd --prompt "a sailboat at dusk" --emotion awe:0.8 --seed 7
  python -m studio render --prompt "a tree on a hill" --emotion "v=-0.6 a=0.4 d=-0.2" --adapter vad-image:0.7
  python -m studio render --prompt "a tree on a hill" --adapter none         the bare model
  python -m studio render --from picture.png                       the same file again, byte for byte
  python -m studio render --from picture.png --emotion joy         the same, but joyful
"""


class _Parser(argparse.ArgumentParser):
    """Problems become StudioErrors: one line, like every other problem."""

    def error(self, message: str) -> NoReturn:
        raise StudioError(message)


def parse(argv: list[str]) -> argparse.Namespace:
    """The arguments, with `run`: what to call with them. Raises StudioError for what cannot be read."""
    given = argv or ["--help"]
    command = given[0]
    if not command.startswith("-") and command not in COMMANDS:
        raise NotFoundError("command", command, COMMANDS)
    pipeline, prompt = _leading_words(given) if command == "render" else (None, None)
    parser, subparsers = _parsers()
    if command == "render":
        family = pipeline or _recorded_pipeline(given) or catalog.DEFAULT_PIPELINE
        specs = catalog.param_specs(family)
        _add_params(subparsers["render"], specs)
        files = _add_files(subparsers["render"], getattr(catalog.load("pipeline", family), "INPUTS", ()))
    args, extras = parser.parse_known_args(given)
    if extras:
        _refuse(extras[0], subparsers.get(command, parser))
    if args.command is None:
        raise StudioError(f"name a command: {', '.join(COMMANDS)}")
    if command == "render":
        args.pipeline, args.param_names = pipeline, [spec.name for spec in specs]
        args.file_names, args.prompt = files, _one_prompt(args.prompt, prompt)
    return args


def _leading_words(given: list[str]) -> tuple[str | None, str | None]:
    """`render PIPELINE PROMPT` or `render --pipeline PIPELINE`: both taken out of `given`."""
    words: list[str] = []
    while len(words) < 2 and len(given) > 1 and not given[1].startswith("-"):
        words.append(given.pop(1))
    finder = _Parser(add_help=False, allow_abbrev=False)
    finder.add_argument("--pipeline")
    named, given[1:] = finder.parse_known_args(given[1:])
    if named.pipeline is not None and words:
        why = f"{words[0]!r} names a pipeline already; leave one of the two out"
        raise InputError("--pipeline", named.pipeline, why)
    return (words[0] if words else named.pipeline), (words[1] if len(words) > 1 else None)


def _one_prompt(flag: str | None, word: str | None) -> str | None:
    if flag is not None and word is not None:
        raise InputError("--prompt", flag, f"{word!r} is a prompt already; leave one of the two out")
    return word if flag is None else flag


def _recorded_pipeline(argv: list[str]) -> str | None:
    """The pipeline that the file after `--from` was made with: its parameters are the flags."""
    finder = _Parser(add_help=False, allow_abbrev=False)
    finder.add_argument("--from", dest="source")
    source = finder.parse_known_args(argv)[0].source
    return None if source is None else str(commands.recorded(source)["request"].get("pipeline"))


def _refuse(extra: str, parser: argparse.ArgumentParser) -> NoReturn:
    if not extra.startswith("-"):
        why = f"unexpected word {extra!r}; put a text with spaces in quotes"
        raise InputError("command line", extra, why)
    flag = extra.partition("=")[0]
    known = [option for action in parser._actions for option in action.option_strings]
    raise InputError("command line", flag, f"unknown flag {flag!r}", nearest(flag, known))


def _parsers() -> tuple[_Parser, dict[str, _Parser]]:
    parser = _Parser(
        prog=PROG,
        description="Emotion Studio: pictures that feel the way you ask for.",
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"Emotion Studio {__version__}")
    made = parser.add_subparsers(metavar="COMMAND", dest="command")
    builders: dict[str, Callable[[_Parser], None]] = {
        "render": _render,
        "batch": _batch,
        "list": _list,
        "inspect": _inspect,
        "join": joining.add_join,
        "bake": adapters.add_bake,
        "adapters": adapters.add_adapters,
        "app": _app,
    }
    helps = {
        "render": "make one picture, or a few that differ by their seed",
        "batch": "render every line of a prompts file; run it again to go on where it stopped",
        "list": "show pipelines, models, adapters, emotions, voices, portraits",
        "inspect": "show how a file was made, or the memory that a model needs",
        "join": "put clips one after the other, with fades, speech or music",
        "bake": "write one feeling of an adapter as an ordinary LoRA file for other tools",
        "adapters": "list, show and measure adapters; make one of other tools' LoRA files",
        "app": "open the studio in the browser",
    }
    raw = argparse.RawDescriptionHelpFormatter
    subparsers = {}
    for name, build in builders.items():
        sub = made.add_parser(
            name, help=helps[name], description=f"{helps[name].capitalize()}.", formatter_class=raw,
            allow_abbrev=False,
        )  # fmt: skip
        sub.set_defaults(run=getattr(commands, f"run_{name}", None))  # or set by the builder
        build(sub)
        subparsers[name] = sub
    return parser, subparsers


def _render(parser: _Parser) -> None:
    parser.usage = f"{PROG} render [PIPELINE [PROMPT]] [options]"
    parser.epilog = _RENDER_EXAMPLES
    parser.add_argument("--prompt", metavar="TEXT", help="what to show; of music, its title")
    parser.add_argument("--pipeline", metavar="NAME", help="the same as the first word")
    parser.add_argument("--negative-prompt", metavar="TEXT", help="what to keep away from")
    parser.add_argument("--emotion", metavar="EMOTION", help="what it feels like (default neutral)")
    parser.add_argument(
        "--seed", metavar="N", help="start of the randomness; the same one makes the same file"
    )
    parser.add_argument("--model", metavar="NAME", help="an embedded model, a folder, or a hub id")
    _add_adapter(
        parser, "an adapter to wear, may be repeated; 'none' is the bare model (default: the model's own)"
    )
    parser.add_argument(
        "--input", metavar="NAME=FILE", action="append", dest="inputs", help="a file that the pipeline takes"
    )
    parser.add_argument(
        "--from", metavar="FILE", dest="source", help="take every value from the record in FILE"
    )
    parser.add_argument(
        "--count", metavar="N", default="1", help="how many, with seeds one apart (default 1)"
    )
    parser.add_argument("--out", metavar="FOLDER", help=f"where to write (default {_DEFAULTS.outputs})")
    _add_quiet(parser)


def _add_params(parser: _Parser, specs: Sequence[ParamSpec]) -> None:
    group = parser.add_argument_group("parameters of this pipeline")
    for spec in specs:
        flags = [f"--{name.replace('_', '-')}" for name in _names(spec, specs)]
        if spec.type is bool:
            group.add_argument(
                *flags, dest=spec.name, nargs="?", const="yes", metavar="yes|no", help=_help(spec)
            )
        else:
            metavar = "TEXT" if spec.type is str else "N"
            group.add_argument(*flags, dest=spec.name, metavar=metavar, help=_help(spec))


def _names(spec: ParamSpec, specs: Sequence[ParamSpec]) -> list[str]:
    """`length_s` is also `length`: a person may write the unit with the number."""
    short = spec.name.removesuffix(f"_{spec.unit}")
    return list(dict.fromkeys([spec.name, *([short] if short not in {one.name for one in specs} else [])]))


def _add_files(parser: _Parser, names: Sequence[str]) -> list[str]:
    """A flag for each input file of the pipeline; returns those that have one. A flag of another meaning, as
    a parameter's, keeps it, and the file is named by --input alone."""
    taken = {option for action in parser._actions for option in action.option_strings}
    flags = {name: f"--{name.replace('_', '-')}" for name in names}
    free = [name for name, flag in flags.items() if flag not in taken]
    group = parser.add_argument_group("files that this pipeline takes")
    for name in free:
        group.add_argument(
            flags[name], dest=f"file_{name}", metavar="FILE", help=f"the same as --input {name}=FILE"
        )
    return free


def _help(spec: ParamSpec) -> str:
    """`denoising steps (1 to 150, default 20)`."""
    facts = []
    if spec.choices:
        facts.append("one of " + ", ".join(map(str, spec.choices)))
    if spec.several:
        facts.append("any of " + ", ".join(spec.several))
    if spec.min is not None and spec.max is not None:
        facts.append(f"{spec.min:g} to {spec.max:g}{' ' + spec.unit if spec.unit else ''}")
    if spec.step and spec.type is int and spec.step != 1:
        facts.append(f"in steps of {spec.step:g}")
    if spec.default not in (None, ""):
        shown = {True: "yes", False: "no"}[spec.default] if spec.type is bool else spec.default
        facts.append(f"default {shown}")
    text = f"{spec.help} ({'; '.join(facts)})" if facts else spec.help
    return text.replace("%", "%%")


def _batch(parser: _Parser) -> None:
    parser.add_argument("file", metavar="FILE", help="prompts: .jsonl, .csv or .txt")
    parser.add_argument(
        "--out", metavar="FOLDER", help=f"the run's folder (default {_DEFAULTS.outputs}/<name of FILE>)"
    )
    parser.add_argument(
        "--keep-going", action="store_true", help="render the good lines of a file with bad ones"
    )
    parser.add_argument("--retry-failed", action="store_true", help="try again what failed in an earlier run")
    parser.add_argument("--pipeline", metavar="NAME", help="for lines that name none")
    parser.add_argument("--model", metavar="NAME", help="for lines that name none")
    parser.add_argument("--emotion", metavar="EMOTION", help="for lines that name none")
    parser.add_argument("--seed", metavar="N", help="for lines that name none")
    parser.add_argument("--negative-prompt", metavar="TEXT", help="for lines that name none")
    _add_adapter(parser, "for lines that name none")
    _add_quiet(parser)


def _list(parser: _Parser) -> None:
    parser.add_argument("topic", nargs="?", metavar="TOPIC", help=f"one of {', '.join(commands.TOPICS)}")
    parser.add_argument(
        "name", nargs="?", metavar="TAXONOMY", help="with 'emotions': show one taxonomy in full"
    )


def _inspect(parser: _Parser) -> None:
    parser.add_argument(
        "file", metavar="FILE", help="a rendered file, any clip, or a model (name, folder, hub id)"
    )
    parser.add_argument("--json", action="store_true", help="print the record as JSON")


def _app(parser: _Parser) -> None:
    parser.add_argument(
        "--host", metavar="NAME", help=f"address to serve on (default {_DEFAULTS.host}: this machine only)"
    )
    parser.add_argument("--port", metavar="N", help=f"port to serve on (default {_DEFAULTS.port})")


def _add_adapter(parser: _Parser, help: str) -> None:
    parser.add_argument("--adapter", metavar="NAME[:STRENGTH]", action="append", dest="adapters", help=help)


def _add_quiet(parser: _Parser) -> None:
    parser.add_argument(
        "--quiet", action="store_true", help="no progress and no notes; only paths and errors"
    )
