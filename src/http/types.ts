import type { Deployer } from '../deploy/deployer.js';
import type { Registry } from '../registry/registry.js';
import type { AlgorithmSupervisor } from '../supervisor/algorithm-supervisor.js';
import type { PackageValidator } from '../validation/package-validator.js';

/** What a request asks for; `authorize` decides by it. */
export type RunnerAction =
  'list' | 'describe' | 'install' | 'activate' | 'deactivate' | 'switch' | 'validate' | 'uninstall';

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
  /**
   * Asked for every request that has an endpoint, before anything of its body is read. `request` is the whole request:
   * its headers tell who asks. @defaultValue only GET (and HEAD) is allowed
   */
  authorize?: (request: Request, action: RunnerAction) => boolean | Promise<boolean>;
  /**
   * Allows everything to everyone when there is no `authorize`. A browser on the same machine is everyone: any page may
   * post a form to a server it can reach. @defaultValue false
   */
  allowUnauthenticated?: boolean;
  /** Largest package taken as an upload. @defaultValue 8 GiB */
  maxUploadBytes?: number;
  /** Path the endpoints stand under, for example `/api`. @defaultValue '' */
  basePath?: string;
}

/** What an endpoint can answer with when all goes well. */
export type AnswerType = 'application/json' | 'text/event-stream';

/** One request on its way to its endpoint. */
export interface Call {
  request: Request;
  url: URL;
  /** What the client would rather have, of what the endpoint offers. */
  answerType: AnswerType | undefined;
  /** Named parts of the path, decoded. */
  params: Record<string, string>;
  options: Required<Pick<RunnerHandlerOptions, 'maxUploadBytes' | 'basePath'>> & RunnerHandlerOptions;
}
