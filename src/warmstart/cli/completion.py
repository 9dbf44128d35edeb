"""``warmstart completion``: a script with which bash, zsh or fish completes verbs, options and their values.

Made from the same parser as the help, so that it lists the options of this version and no others. The script asks nobody
when it completes: everything stands in it.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from warmstart.cli.command import settings_class
from warmstart.cli.parser import build_parser
from warmstart.cli.verb import EXPLAIN, EXPLAIN_SUMMARY, Verb
from warmstart.config.fields import choices
from warmstart.config.flags import Flag, flags_of
from warmstart.models.presets import PRESETS
from warmstart.objectives.table import OBJECTIVES
from warmstart.tasks.known.names import DATASET_NAMES
from warmstart.tasks.table import KINDS
from warmstart.text.clean import CLEANING_RULES
from warmstart.zeroshot.table import TASKS as ZEROSHOT_TASKS

NAMES = {
    "--task": (*KINDS, *DATASET_NAMES), "--model": tuple(PRESETS), "--objective": tuple(OBJECTIVES),
    "--clean": tuple(CLEANING_RULES), "zeroshot --task": tuple(ZEROSHOT_TASKS), "overlap --task": tuple(ZEROSHOT_TASKS),
}  # fmt: skip
"""Flags, of all verbs or of one, whose values are names in a table, not choices of their fields."""
_PATHS = ("FILE", "DIR", "RUN", "DEST", "CORPUS")


@dataclass(frozen=True, slots=True)
class Option:
    """One option of a verb, as a shell has to know it.

    Attributes:
        names: as they are typed; none for a word that belongs to no option.
        help: one line.
        is_switch: whether it takes no value.
        values: the words that it takes, where these are known.
        metavar: stands for the value.
        is_path: whether its value is a file or a folder.
    """

    names: tuple[str, ...]
    help: str
    is_switch: bool
    values: tuple[str, ...]
    metavar: str
    is_path: bool


@dataclass(frozen=True, slots=True)
class Words:
    """What can be typed.

    Attributes:
        verbs: first word of a command → its line in the list of verbs, ``explain`` among them.
        groups: first word → the words that stand behind it, with a line each: the verbs that ``explain`` explains, say.
        options: verb (of one word or two) → its options.
    """

    verbs: dict[str, str]
    groups: dict[str, dict[str, str]]
    options: dict[str, list[Option]]

    @staticmethod
    def of(verbs: Sequence[Verb]) -> "Words":
        """The words of ``verbs``, those that explain another among them."""
        groups: dict[str, dict[str, str]] = {}
        for verb in verbs:
            first, _, second = verb.name.partition(" ")
            if second:
                groups.setdefault(first, {})[second] = verb.summary
        lines = {name: ", ".join(behind) for name, behind in groups.items()} | {EXPLAIN: EXPLAIN_SUMMARY}
        lines = {verb.name: verb.summary for verb in verbs if " " not in verb.name} | lines
        return Words(lines, groups, {verb.name: list(_options(verb)) for verb in verbs})


def completion(shell: str, verbs: Sequence[Verb]) -> dict[str, str]:
    """{"shell", "script"}: the script for one of :data:`SCRIPTS`, of ``verbs`` and those that explain one of them."""
    return {"shell": shell, "script": "\n".join(SCRIPTS[shell](Words.of(verbs))) + "\n"}


def _options(verb: Verb) -> Iterator[Option]:
    kind = settings_class(verb)
    flags = {flag.name: flag for flag in flags_of(kind)}
    for action in build_parser(verb, kind)._actions:
        names = tuple(action.option_strings)
        flag = flags.get(names[-1] if names else action.dest)
        metavar = str(action.metavar or "VALUE")
        help_line = " ".join((action.help or "").replace("%%", "%").split())
        yield Option(names, help_line, action.nargs == 0, _values(verb, flag), metavar, _is_path(flag, metavar))


def _values(verb: Verb, flag: Flag | None) -> tuple[str, ...]:
    if flag is None or flag.is_switch:
        return ()
    return choices(flag.field) or NAMES.get(f"{verb.name} {flag.name}", NAMES.get(flag.name, ()))


def _is_path(flag: Flag | None, metavar: str) -> bool:
    named = flag is not None and flag.option.path is not None
    return named or any(word in metavar for word in _PATHS)


def _bash(words: Words) -> Iterator[str]:
    top = [*words.verbs, "--help", "--version"]
    reply = 'COMPREPLY=($(compgen -W "{}" -- "$current"))'
    yield from (
        "# Completion of warmstart for bash; warmstart completion bash makes it.",
        "_warmstart() {",
        "    local current=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]} verb=${COMP_WORDS[1]} first=2",
        "    local values= options= words=",
        f"    if ((COMP_CWORD == 1)); then {reply.format(' '.join(top))}; return; fi",
        "    case $verb in",
    )
    for name, behind in words.groups.items():
        yield f"        {name}) if ((COMP_CWORD == 2)); then {reply.format(' '.join(behind))}; return; fi"
        yield '            verb="$verb ${COMP_WORDS[2]}" ;;'
    yield from ("    esac", '    case "$verb $before" in')
    for name, options in words.options.items():
        for option in options:
            if option.names and option.values:
                places = " | ".join(f'"{name} {word}"' for word in option.names)
                yield f'        {places}) values="{" ".join(option.values)}" ;;'
            elif option.names and not option.is_switch:
                places = " | ".join(f'"{name} {word}"' for word in option.names)
                yield f"        {places}) return ;;"
    yield from ("    esac", '    case "$verb" in')
    for name, options in words.options.items():
        loose = " ".join(word for option in options if not option.names for word in option.values)
        listed = " ".join(word for option in options for word in option.names)
        yield f'        "{name}") options="{listed}"; words="{loose}" ;;'
    yield from (
        "    esac",
        "    if [[ -z $values && $current == -* ]]; then values=$options; fi",
        f"    {reply.format('${values:-$words}')}",
        "}",
        "complete -o default -F _warmstart warmstart",
    )


def _zsh(words: Words) -> Iterator[str]:
    yield from (
        "#compdef warmstart",
        "# Completion of warmstart for zsh; warmstart completion zsh makes it.",
        "_warmstart() {",
        "    local -a verbs behind",
        f"    verbs=({_zsh_described(words.verbs)})",
        "    if (( CURRENT == 2 )); then _describe verb verbs; return; fi",
        "    local verb=$words[2]",
        "    shift words; (( CURRENT -= 1 ))",
        "    case $verb in",
        *(f"        ({name}) behind=({_zsh_described(behind)}) ;;" for name, behind in words.groups.items()),
        "    esac",
        "    if (( $#behind )); then",
        "        if (( CURRENT == 2 )); then _describe verb behind; return; fi",
        '        verb="$verb $words[2]"',
        "        shift words; (( CURRENT -= 1 ))",
        "    fi",
        "    case $verb in",
    )
    for name, options in words.options.items():
        yield f"        ({_zsh_quote(name)}) _arguments \\"
        yield from (f"            {_zsh_quote(spec)} \\" for option in options for spec in _zsh_specs(option))
        yield "            ;;"
    yield from (
        "    esac",
        "}",
        'if [[ $funcstack[1] == _warmstart ]]; then _warmstart "$@"; else compdef _warmstart warmstart; fi',
    )


def _zsh_described(lines: dict[str, str]) -> str:
    """Words with a line each, as ``_describe`` takes them."""
    return " ".join(_zsh_quote(f"{name}:{line}") for name, line in lines.items())


def _zsh_specs(option: Option) -> Iterator[str]:
    """The words of ``_arguments`` for an option; any may be given again."""
    action = f"({' '.join(option.values)})" if option.values else "_files" if option.is_path else " "
    if not option.names:
        yield f"*:{_zsh_plain(option.metavar)}:{action if option.values else '_files'}"
    for name in option.names:
        value = "" if option.is_switch else f":{_zsh_plain(option.metavar)}:{action}"
        yield f"*{name}[{_zsh_plain(option.help)}]{value}"


def _zsh_plain(text: str) -> str:
    """Text that ``_arguments`` takes as it is."""
    for letter in "\\[]:":
        text = text.replace(letter, f"\\{letter}")
    return text


def _zsh_quote(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def _fish(words: Words) -> Iterator[str]:
    yield "# Completion of warmstart for fish; warmstart completion fish makes it."
    for name, line in words.verbs.items():
        yield f"complete -c warmstart -f -n __fish_use_subcommand -a {name} -d {_fish_quote(line)}"
    for name, behind in words.groups.items():
        after = f"__fish_seen_subcommand_from {name}; and not __fish_seen_subcommand_from {' '.join(behind)}"
        yield f"complete -c warmstart -f -n {_fish_quote(after)} -a {_fish_quote(' '.join(behind))}"
    for name, options in words.options.items():
        seen = "; and ".join(f"__fish_seen_subcommand_from {word}" for word in name.split())
        for option in options:
            yield f"complete -c warmstart -n {_fish_quote(seen)} {_fish_option(option)}"


def _fish_option(option: Option) -> str:
    """The rest of fish's ``complete`` for an option: its names, whether it takes a value and which, its help."""
    names = [f"-l {name[2:]}" if name.startswith("--") else f"-s {name[1:]}" for name in option.names]
    takes: Iterable[str] = ()
    if option.values:
        takes = ("-x" if names else "-f", "-a", _fish_quote(" ".join(option.values)))
    elif not option.is_switch and names:
        takes = ("-r", "-F") if option.is_path else ("-x",)
    return " ".join([*names, *takes, "-d", _fish_quote(option.help)])


def _fish_quote(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


SCRIPTS: dict[str, Callable[[Words], Iterator[str]]] = {"bash": _bash, "zsh": _zsh, "fish": _fish}
