import { usage } from '../host.js';
import { nearest } from '../nearest.js';
import type { Call } from '../spec.js';

const PROGRAM = 'procvision-runner';

/** Each hands the words so far to `procvision-runner complete` and offers what it prints. */
const SCRIPTS: Readonly<Record<string, string>> = {
  bash: `_procvision_runner() {
  local IFS=$'\\n'
  COMPREPLY=($(compgen -W "$(${PROGRAM} complete "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _procvision_runner ${PROGRAM}`,
  zsh: `#compdef ${PROGRAM}
_procvision_runner() {
  local -a found
  found=("\${(@f)$(${PROGRAM} complete "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ -n "$found" ]]; then compadd -- $found; else _files; fi
}
compdef _procvision_runner ${PROGRAM}`,
  fish: `complete -c ${PROGRAM} -a '(${PROGRAM} complete (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'`,
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
