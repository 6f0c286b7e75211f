import { kind, REINSTALL } from './kind.js';

/** Of deployed versions and packages, of keys, and of the workers of a running host. */
export const VERSION_KINDS = {
  'version.incomplete': kind('error', 'A deployed version is not complete', REINSTALL),
  'version.unlisted': kind(
    'warning',
    'A folder in deployed/ is not in the registry',
    'Install it from its zip, or remove the folder',
  ),
  'version.changed': kind('error', 'Files of a deployed version were changed, removed or added', REINSTALL),
  'version.byte-code': kind(
    'error',
    'Byte code of a deployed version is not what its sources say: it may be forged',
    REINSTALL,
    'removes byte code that was added; changed byte code wants an install',
  ),
  'version.no-byte-code': kind(
    'note',
    'A version was installed without byte code: each start compiles its sources',
    `${REINSTALL}, with compileBytecode on`,
  ),
  'version.writable-by-others': kind(
    'warning',
    'Other users may change files that workers of a version run',
    'Take the right from them: chmod -R go-w FOLDER, or run doctor --fix',
    'takes the right to write from group and others',
  ),
  'environment.no-python': kind('error', 'The environment of a version has no interpreter', REINSTALL),
  'environment.python-missing': kind(
    'error',
    'The Python that an environment was made from is gone',
    'Install that Python again, or the package: procvision-runner install ZIP --force',
  ),
  'environment.python-changed': kind(
    'error',
    'The Python that an environment was made from is another version now',
    REINSTALL,
  ),
  'library.missing': kind(
    'error',
    'A library of the system is missing that a wheel needs',
    'Install the package of the system that has it',
  ),
  'library.too-old': kind(
    'error',
    'A library of the system is older than a wheel needs',
    'Have the package made with wheels for an older system (-w manylinux_2_28_x86_64), or upgrade this one',
  ),
  'library.optional': kind(
    'note',
    'A part of a wheel that is no module needs a library that is missing: a plugin may not load',
    'Nothing, if the algorithm works; else install the package of the system that has it',
  ),
  'library.damaged': kind(
    'error',
    'A compiled file of a wheel is damaged',
    'Have the wheel built or copied again, then install the package again',
  ),
  'library.foreign': kind(
    'error',
    'A compiled module of a wheel is for another processor',
    'Pack the package again for this processor (-w manylinux_2_28_aarch64 or …_x86_64)',
  ),
  'start.failed': kind('error', 'A version does not start', 'Do what the cause says, then start it again'),
  'start.slow': kind(
    'warning',
    'A version takes more than half of the time that its start may take',
    'Raise policy.limits.loadMs, keep a spare worker (policy.warmSpares), or let new workers be forked from a process that has imported the version (policy.warmStart: auto)',
  ),
  'keys.invalid': kind(
    'error',
    'A key of the policy is no Ed25519 public key',
    'Name the public key (SPKI, PEM) of the maker: generateSigningKeys().publicKey',
  ),
  'keys.none': kind(
    'error',
    'The policy demands signatures and has no key: every package is refused',
    'Name the keys of the makers in integrity.publicKeys, or a key set',
  ),
  'keys.unusable': kind(
    'error',
    'The key set cannot be used: no package is installed',
    'Do what the cause says; a set comes from the holders of its root keys',
  ),
  'keys.expiring': kind(
    'warning',
    'The key set expires soon: after that no package is installed',
    'Have its holders renew it: rotateKeySet(), then copy it here',
  ),
  'keys.writable-by-others': kind(
    'error',
    'Other users may replace the keys that packages are checked by',
    'Take the right from them: chmod go-w FILE, or run doctor --fix',
    'takes the right to write from group and others',
  ),
  'keys.private': kind(
    'error',
    'A private key lies in the store: who reads it can sign packages',
    'Move it to a machine without network, and have the makers change that key',
  ),
  'worker.not-started': kind(
    'warning',
    'An active version has no worker that is ready',
    'Start it: procvision-runner start NAME VERSION, or POST /algorithms/NAME/VERSION/start',
  ),
  'worker.circuit-open': kind(
    'error',
    'Workers of a version failed too often and are left alone for a while',
    'Mend the cause, then supervisor.resetCircuit(), or roll back: procvision-runner rollback ID',
  ),
  'worker.failing': kind(
    'warning',
    'Workers of a version were started again and again',
    'Do what the cause says; the events exit and restart tell each case',
  ),
  'worker.queue': kind(
    'warning',
    'More calls wait for a version than it has workers',
    'More workers (supervisor.scale()), a faster algorithm, or fewer pictures',
  ),
  'worker.bounds': kind(
    'warning',
    'A worker runs without some of its bounds',
    'Run the host as root, or allow user namespaces to its user',
  ),
};
