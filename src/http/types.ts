import type { Deployer } from '../deploy/deployer.js';
import type { Registry } from '../registry/registry.js';
import type { AlgorithmSupervisor } from '../supervisor/algorithm-supervisor.js';
import type { PackageValidator } from '../validation/package-validator.js';

/** What a request asks for; `authorize` decides by it. */
export type RunnerAction = 'list' | 'describe' | 'install' | 'activate' | 'switch' | 'validate' | 'uninstall';

/** What {@link createRunnerHandler} composes. */
export interface RunnerHandlerOptions {
  /** The store that is served. */
  registry: Registry;
  /** Installs and uninstalls. */
  deployer: Deployer;
  /** Answers `validate`. */
  validator: PackageValidator;
  /** With it, `switch` warms the new version and drains the old one; without, it only remaps. */
  supervisor?: AlgorithmSupervisor;
  /** Asked for every request. @defaultValue only GET is allowed */
  authorize?: (request: Request, action: RunnerAction) => boolean | Promise<boolean>;
  /** Allows everything to everyone when there is no `authorize`. @defaultValue false */
  allowUnauthenticated?: boolean;
  /** Largest package taken as an upload. @defaultValue 8 GiB */
  maxUploadBytes?: number;
  /** Path the endpoints stand under, for example `/api`. @defaultValue '' */
  basePath?: string;
}

/** One request on its way to its endpoint. */
export interface Call {
  request: Request;
  url: URL;
  /** Named parts of the path, decoded. */
  params: Record<string, string>;
  options: Required<Pick<RunnerHandlerOptions, 'maxUploadBytes' | 'basePath'>> & RunnerHandlerOptions;
}
