"""Scripts that teach a shell to complete commands, tiers and paths: completion."""

from __future__ import annotations

import argparse

from jupyter_storage.commands.command import Command, Context
from jupyter_storage.commands.results import Outcome, Text

__all__ = ["COMMANDS", "SCRIPTS"]

_BASH = r"""_jupyter_storage() {
    local line="${COMP_LINE:0:COMP_POINT}"
    case "$line" in
        jupyter[[:space:]]*)
            # Other commands of jupyter are none of ours.
            [[ "$line" =~ ^jupyter[[:space:]]+storage[[:space:]] ]] || return 0 ;;
    esac
    # Where bash breaks words at colons, it has what stands before the last one already.
    local form=--escaped
    [[ "$COMP_WORDBREAKS" == *:* ]] && form=--after-colon
    mapfile -t COMPREPLY < <(jupyter-storage __complete $form -- "$line" 2>/dev/null)
}
complete -o nospace -F _jupyter_storage jupyter-storage
complete -o nospace -o default -F _jupyter_storage jupyter
"""

_ZSH = r"""#compdef jupyter-storage
_jupyter_storage() {
    local -a candidates
    local line="${(j: :)words[1,CURRENT]}"
    case "$line" in
        jupyter\ storage\ *|jupyter-storage\ *) ;;
        *) _files; return ;;
    esac
    candidates=("${(@f)$(jupyter-storage __complete --raw -- "$line" 2>/dev/null)}")
    candidates=("${(@)candidates:#}")
    compadd -Q -S '' -- "${(@q)candidates}"
}
compdef _jupyter_storage jupyter-storage jupyter
"""

_FISH = r"""function __jupyter_storage
    jupyter-storage __complete --raw -- (commandline -cp) 2>/dev/null
end
complete -c jupyter-storage -f -a '(__jupyter_storage)'
complete -c jupyter -n '__fish_seen_subcommand_from storage' -f -a '(__jupyter_storage)'
"""

SCRIPTS = {"bash": _BASH, "zsh": _ZSH, "fish": _FISH}


def _configure(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("shell", choices=tuple(SCRIPTS), help="which shell")


def _completion(arguments: argparse.Namespace, context: Context) -> Outcome:
    script = SCRIPTS[arguments.shell]
    return Outcome(Text(script, {"shell": arguments.shell, "script": script}))


COMMANDS = (
    Command(
        "completion",
        "Print a script with which a shell completes commands, tiers and paths",
        (
            ('eval "$(jupyter storage completion bash)"', "in ~/.bashrc"),
            ('eval "$(jupyter storage completion zsh)"', "in ~/.zshrc, after compinit"),
            ("completion fish > ~/.config/fish/conf.d/jupyter-storage.fish", "for fish"),
        ),
        _configure,
        _completion,
    ),
)
