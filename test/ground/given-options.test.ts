import { expect, test } from 'vitest';
import { createRunnerHandler } from '../../src/http/index.js';
import { AlgorithmSupervisor, Deployer } from '../../src/index.js';

/** What plain JavaScript may hand over. */
const NOTHING = [...[undefined, null, {}, { registry: undefined }, { registry: 'station' }]] as never[];

test.each([
  ['new AlgorithmSupervisor', (o: never) => new AlgorithmSupervisor(o)],
  ['new Deployer', (o: never) => new Deployer(o)],
  ['createRunnerHandler', (o: never) => createRunnerHandler(o)],
])('%s without a registry says so, by invalid_params', (what, make) => {
  for (const options of NOTHING) {
    expect(() => make(options)).toThrow(
      expect.objectContaining({
        ...{ name: 'RunnerError', code: 'invalid_params' },
        message: expect.stringMatching(new RegExp(`^${what}`)) as string,
      }),
    );
  }
});
