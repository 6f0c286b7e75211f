/** What the public types promise. Nothing here runs: the compiler holds it against the types (`npm run typecheck`). */
import { describe, expectTypeOf, test } from 'vitest';
import {
  RunnerError,
  type ActiveMapping,
  type AlgorithmInfo,
  type AlgorithmSupervisor,
  type Deployer,
  type DeployerErrorEvent,
  type DeployerEvents,
  type DeployerProgressEvent,
  type Frame,
  type ImageInput,
  type InspectionRequest,
  type InspectionResult,
  type Manifest,
  type ManifestStep,
  type PackageValidator,
  type Rect,
  type Registry,
  type RegistryEntry,
  type ResultData,
  type Runner,
  type RunnerErrorCode,
  type RunnerErrorDetails,
  type StageEvent,
  type StepParameter,
  type SupervisorEvents,
  type VenvManager,
} from 'procvision-runner';
import type { CommonEvents } from 'procvision-runner/types';
import type { RunnerHandlerOptions } from 'procvision-runner/http';
import type { PackageSource } from 'procvision-runner/testing';

const image = { data: new Uint8Array(12), width: 2, height: 2 };

describe('errors', () => {
  test('narrow from unknown, and their code with the code asked for', () => {
    const look = (caught: unknown): void => {
      if (!RunnerError.is(caught)) return;
      expectTypeOf(caught).toExtend<RunnerError & { readonly code: RunnerErrorCode }>();
      expectTypeOf(caught.details.timeoutMs).toEqualTypeOf<number | undefined>();
      if (RunnerError.is(caught, 'timeout')) expectTypeOf(caught.code).toEqualTypeOf<'timeout'>();
    };
    expectTypeOf(look).parameters.toEqualTypeOf<[unknown]>();
  });

  test('have codes of a closed union', () => {
    expectTypeOf<'invalid_zip'>().toExtend<RunnerErrorCode>();
    expectTypeOf<'invalid_zpi'>().not.toExtend<RunnerErrorCode>();
  });

  test('have the facts that their code always has', () => {
    const look = (caught: unknown): void => {
      if (RunnerError.is(caught, 'timeout')) expectTypeOf(caught.details.timeoutMs).toEqualTypeOf<number>();
      if (RunnerError.is(caught, 'superseded')) {
        expectTypeOf(caught.details.productIds).toEqualTypeOf<string[]>();
        expectTypeOf(caught.details.by).toEqualTypeOf<string>();
      }
      if (RunnerError.is(caught, 'worker_exited')) {
        expectTypeOf(caught.details.exitCode).toEqualTypeOf<number | null>();
        expectTypeOf(caught.details.isOutOfMemory).toEqualTypeOf<boolean | undefined>();
      }
    };
    expectTypeOf(look).parameters.toEqualTypeOf<[unknown]>();
  });

  test('are made with these facts, and with none that another code has', () => {
    const make = () => [
      new RunnerError('timeout', 'x', { details: { timeoutMs: 5, stage: 'load' } }),
      new RunnerError('closed', 'x'),
      // @ts-expect-error a timeout has a limit
      new RunnerError('timeout', 'x'),
      // @ts-expect-error a timeout has a limit
      new RunnerError('timeout', 'x', { details: { stage: 'load' } }),
      // @ts-expect-error nobody holds a queue
      new RunnerError('queue_full', 'x', { details: { holder: undefined } }),
    ];
    expectTypeOf(make).returns.items.toExtend<RunnerError>();
  });

  test('are RunnerErrors by instanceof too', () => {
    const look = (caught: unknown): void => {
      if (caught instanceof RunnerError) expectTypeOf(caught).toEqualTypeOf<RunnerError>();
    };
    expectTypeOf(look).parameters.toEqualTypeOf<[unknown]>();
    expectTypeOf<RunnerError<'timeout'>>().toExtend<RunnerError>();
    expectTypeOf<RunnerError>().not.toExtend<RunnerError<'timeout'>>();
  });

  test('have details of known types, and no others', () => {
    expectTypeOf<RunnerError['details']['wheels']>().toEqualTypeOf<
      { file: string; tags: string[] }[] | undefined
    >();
    expectTypeOf<RunnerError['details']['exitCode']>().toEqualTypeOf<number | null | undefined>();
    // @ts-expect-error no error has this
    expectTypeOf<RunnerError['details']['anything']>().toBeUnknown();
  });
});

describe('event maps', () => {
  type Listener<Emitter extends { on: (...args: never) => unknown }> = Parameters<Emitter['on']>[0];

  test('name every event, with those that all emitters have', () => {
    expectTypeOf<Listener<Deployer>>().toEqualTypeOf<keyof DeployerEvents | keyof CommonEvents>();
    expectTypeOf<Listener<AlgorithmSupervisor>>().toEqualTypeOf<
      keyof SupervisorEvents | keyof CommonEvents
    >();
    for (const event of ['listenerError'] as const) {
      expectTypeOf(event).toExtend<Listener<Registry> & Listener<VenvManager> & Listener<PackageValidator>>();
    }
  });

  test('have no names of the DOM', () => {
    expectTypeOf<DeployerEvents['progress']>().toEqualTypeOf<[event: DeployerProgressEvent]>();
    expectTypeOf<DeployerEvents['error']>().toEqualTypeOf<[event: DeployerErrorEvent]>();
  });

  test('give each listener the arguments of its event', () => {
    const listen = (deployer: Deployer, supervisor: AlgorithmSupervisor) => {
      deployer.on('stage', (event) => {
        expectTypeOf(event).toEqualTypeOf<StageEvent>();
      });
      deployer.once('error', ({ error }) => {
        expectTypeOf(error).toEqualTypeOf<RunnerError>();
      });
      supervisor.on('state', ({ state, previous }) => {
        expectTypeOf(state).toEqualTypeOf(previous);
      });
      supervisor.on('listenerError', (error, event) => {
        expectTypeOf(error).toBeUnknown();
        expectTypeOf(event).toBeString();
      });
      // @ts-expect-error there is no such event
      deployer.on('stages', () => undefined);
      // @ts-expect-error the event of a stage is no number
      deployer.on('stage', (event: number) => event);
    };
    expectTypeOf(listen).parameters.toEqualTypeOf<[Deployer, AlgorithmSupervisor]>();
  });
});

describe('a request to inspect', () => {
  test('names a product id or a version, and an image', () => {
    const target = { name: 'sample', version: '1.0.0' };
    expectTypeOf({ pid: 'A01', stepIndex: 1, image }).toExtend<InspectionRequest>();
    expectTypeOf({ target, stepIndex: 1, image }).toExtend<InspectionRequest>();
    expectTypeOf({ pid: 'A01', target, stepIndex: 1, image }).toExtend<InspectionRequest>();
    expectTypeOf({ stepIndex: 1, image }).not.toExtend<InspectionRequest>();
    expectTypeOf({ target: { name: 'sample' }, stepIndex: 1, image }).not.toExtend<InspectionRequest>();
    expectTypeOf({ pid: 'A01', stepIndex: 1 }).not.toExtend<InspectionRequest>();
  });

  test('takes pixels, an encoded image or a frame', () => {
    expectTypeOf<{ encoded: Uint8Array; width: number; height: number }>().toExtend<ImageInput>();
    expectTypeOf<Frame>().toExtend<ImageInput>();
    expectTypeOf<{ data: Uint8Array }>().not.toExtend<ImageInput>();
    expectTypeOf<{ data: string; width: number; height: number }>().not.toExtend<ImageInput>();
  });

  test('is answered with a verdict of a closed union', () => {
    expectTypeOf<InspectionResult['status']>().toEqualTypeOf<'OK' | 'ERROR'>();
    expectTypeOf<InspectionResult['data']['result_status']>().toEqualTypeOf<'OK' | 'NG' | undefined>();
    expectTypeOf<ReturnType<AlgorithmSupervisor['execute']>>().resolves.toEqualTypeOf<InspectionResult>();
  });
});

describe('what is opened can be awaited away', () => {
  test('every owner of processes, timers, locks or files is an AsyncDisposable', () => {
    expectTypeOf<Registry>().toExtend<AsyncDisposable>();
    expectTypeOf<Deployer>().toExtend<AsyncDisposable>();
    expectTypeOf<AlgorithmSupervisor>().toExtend<AsyncDisposable>();
  });

  test('an install gives the entry of the registry', () => {
    expectTypeOf<ReturnType<Deployer['install']>>().resolves.toEqualTypeOf<RegistryEntry>();
  });
});

describe('the subpaths', () => {
  test('take the classes of the main entry', () => {
    expectTypeOf<RunnerHandlerOptions['registry']>().toEqualTypeOf<Registry>();
    expectTypeOf<RunnerHandlerOptions['supervisor']>().toEqualTypeOf<AlgorithmSupervisor | undefined>();
    expectTypeOf<PackageSource['generation']>().toEqualTypeOf<'phased' | 'execute-only' | undefined>();
  });
});

describe('what is not known beforehand', () => {
  interface Solder {
    solder: { voids: number };
  }
  const request = { productId: 'A01', stepIndex: 1, image };

  test('has a type where the caller gives one, and none where not', () => {
    const inspect = async (supervisor: AlgorithmSupervisor, runner: Runner) => {
      const { data } = await supervisor.execute<Solder>(request);
      expectTypeOf(data.solder.voids).toBeNumber();
      expectTypeOf(data.result_status).toEqualTypeOf<'OK' | 'NG' | undefined>();
      expectTypeOf((await supervisor.preExecute<Solder>(request)).data.solder.voids).toBeNumber();
      expectTypeOf((await runner.inspect<Solder>('A01', image)).data.solder.voids).toBeNumber();
      expectTypeOf((await supervisor.info<Solder>('sample', '1.0.0')).solder.voids).toBeNumber();
      // @ts-expect-error nobody said that there is such a field
      expectTypeOf((await supervisor.execute(request)).data.solder).toBeUnknown();
    };
    expectTypeOf(inspect).parameters.toEqualTypeOf<[AlgorithmSupervisor, Runner]>();
  });

  test('holds the parameters of a call against their type', () => {
    interface Params {
      threshold: number;
    }
    const inspect = (supervisor: AlgorithmSupervisor, runner: Runner) => [
      supervisor.execute<unknown, Params>({ ...request, userParams: { threshold: 0.5 } }),
      runner.inspect<unknown, Params>('A01', image, { userParams: { threshold: 0.5 } }),
      supervisor.execute({ ...request, userParams: { anything: 'goes' } }),
      // @ts-expect-error a threshold is a number
      supervisor.execute<unknown, Params>({ ...request, userParams: { threshold: 'half' } }),
    ];
    expectTypeOf(inspect).parameters.toEqualTypeOf<[AlgorithmSupervisor, Runner]>();
  });

  test('is in no index signature: a name that is wrong is found', () => {
    type Indexed<T> = T extends unknown ? (string extends keyof T ? true : false) : never;
    type Known = [Manifest, ManifestStep, StepParameter, RegistryEntry, ActiveMapping, AlgorithmInfo, Rect];
    expectTypeOf<Indexed<Known[number]>>().toEqualTypeOf<false>();
    expectTypeOf<Indexed<ResultData | RunnerErrorDetails>>().toEqualTypeOf<false>();
  });
});
