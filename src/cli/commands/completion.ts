import { usage } from '../host.js';
import { nearest } from '../nearest.js';
import type { Call } from '../spec.js';

const PROGRAM = 'procvision-runner';

/**
 * Each hands the words so far to `procvision-runner complete`, which prints what the last one may become, and offers that; files
 * where it prints nothing. Names and ids come from packages: a script must quote them, and never have them evaluated
 * (`compgen -W` would run `$(…)` in one).
 */
const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `_procvision_runner() {
  local word
  COMPREPLY=()
  while IFS= read -r word; do
    COMPREPLY+=("$(printf '%q' "$word")")
  done < <(${PROGRAM} complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _procvision_runner ${PROGRAM}`,
  zsh: `#compdef ${PROGRAM}
_procvision_runner() {
  local -a found
  found=("\${(@f)$(${PROGRAM} complete "\${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "$found" ]]; then compadd -- "\${found[@]}"; else _files; fi
}
if [[ "$funcstack[1]" = _procvision_runner ]]; then
  _procvision_runner "$@"
else
  (( $+functions[compdef] )) || { autoload -Uz compinit && compinit; }
  compdef _procvision_runner ${PROGRAM}
fi`,
  fish: `function __procvision_runner
  set -l found (${PROGRAM} complete (commandline -opc)[2..] (commandline -ct) 2>/dev/null)
  if test (count $found) -gt 0
    printf '%s\\n' $found
  else
    __fish_complete_path (commandline -ct)
  end
end
complete -c ${PROGRAM} -f -a '(__procvision_runner)'`,
};

export function run({ words: [shell = ''], out }: Call): Promise<undefined> {
  const script = SCRIPTS[shell];
  if (script === undefined) {
    const near = nearest(shell, Object.keys(SCRIPTS));
    const hint =
      near === undefined
        ? `: it is written for ${Object.keys(SCRIPTS).join(', ')}`
        : `. Did you mean ${near}?`;
    throw usage(`There is no completion for ${shell}${hint}`);
  }
  out.result({ shell, script }, script);
  return Promise.resolve(undefined);
}
