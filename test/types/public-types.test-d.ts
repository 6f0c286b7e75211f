/** What the public types promise. Nothing here runs: the compiler holds it against the types (`npm run typecheck`). */
import { describe, expectTypeOf, test } from 'vitest';
import {
  RunnerError,
  type AlgorithmSupervisor,
  type CommonEvents,
  type Deployer,
  type DeployerEvents,
  type Frame,
  type ImageInput,
  type InspectionRequest,
  type InspectionResult,
  type PackageValidator,
  type Registry,
  type RegistryEntry,
  type RunnerErrorCode,
  type StageEvent,
  type SupervisorEvents,
  type VenvManager,
} from 'procvision-runner';
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

  test('have details of known types, and room for more', () => {
    expectTypeOf<RunnerError['details']['wheels']>().toEqualTypeOf<
      { file: string; tags: string[] }[] | undefined
    >();
    expectTypeOf<RunnerError['details']['exitCode']>().toEqualTypeOf<number | null | undefined>();
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
