// Uses the types of each subpath; compiled as an ES module, as CommonJS and for a bundler, against all declarations.
import {
  Deployer,
  PackageValidator,
  Registry,
  RunnerError,
  VenvManager,
  type DeployerOptions,
  type RunnerErrorCode,
} from 'procvision-runner';
import { createRunnerHandler, type RunnerAction, type RunnerHandlerOptions } from 'procvision-runner/http';
import { buildPackage, type PackageSource } from 'procvision-runner/testing';

export async function deploy(root: string, source: PackageSource): Promise<string> {
  const registry = await Registry.open(root);
  const options: DeployerOptions = { registry };
  const deployer = new Deployer(options);
  deployer.on('stage', ({ stage }) => void stage.toUpperCase());
  // @ts-expect-error there is no such event
  deployer.on('stages', () => undefined);
  const allowed: readonly RunnerAction[] = ['list', 'install'];
  const handlerOptions: RunnerHandlerOptions = {
    registry,
    deployer,
    validator: new PackageValidator({ venvs: new VenvManager() }),
    authorize: (_request, action) => allowed.includes(action),
  };
  const response: Response = await createRunnerHandler(handlerOptions)(new Request('http://station/'));
  const bytes: Uint8Array = await buildPackage(source);
  try {
    const { name, version } = await deployer.install(root);
    return `${name} ${version} ${bytes.byteLength} ${response.status}`;
  } catch (error) {
    if (!RunnerError.is(error)) throw error;
    const code: RunnerErrorCode = error.code;
    return code;
  }
}
