import type { Attributes, Context, Span } from '@opentelemetry/api';
import type { Deployer } from '../deploy/deployer.js';
import type { EndedEvent, OperationRef, StageEvent } from '../deploy/types.js';
import type { Spans } from './open-telemetry.js';

/** An operation, and the stage that it is in. */
interface OpenOperation {
  span: Span;
  context: Context;
  stage: Span;
}

/** A span for each operation of a deployer, and in it one for each stage. */
export class DeploySpans {
  readonly #spans: Spans;
  readonly #deployer: Deployer;
  readonly #open = new Map<string, OpenOperation>();
  readonly #onStage = (event: StageEvent) => {
    this.#stage(event);
  };
  readonly #onEnded = (event: EndedEvent) => {
    this.#ended(event);
  };

  constructor(spans: Spans, deployer: Deployer) {
    this.#spans = spans;
    this.#deployer = deployer;
    deployer.on('stage', this.#onStage);
    deployer.on('ended', this.#onEnded);
  }

  close(): void {
    this.#deployer.off('stage', this.#onStage);
    this.#deployer.off('ended', this.#onEnded);
    this.#open.clear();
  }

  #stage(event: StageEvent): void {
    const { api } = this.#spans;
    const known = this.#open.get(keyOf(event));
    const { operation, stage: name } = event;
    const attributes = attributesOf(event);
    // The event comes in the context of the caller: its span is the parent.
    const span =
      known?.span ?? this.#spans.start(`procvision ${operation}`, { attributes }, api.context.active());
    const context = known?.context ?? api.trace.setSpan(api.context.active(), span);
    if (known) this.#spans.end(known.stage);
    const stage = this.#spans.start(`procvision ${operation} ${name}`, { attributes }, context);
    this.#open.set(keyOf(event), { span, context, stage });
  }

  #ended(event: EndedEvent): void {
    const known = this.#open.get(keyOf(event));
    if (!known) return; // it failed before its first stage
    this.#open.delete(keyOf(event));
    known.span.setAttributes(attributesOf(event));
    this.#spans.end(known.stage, event.error);
    this.#spans.end(known.span, event.error);
  }
}

/** The prune after an install has the id of the install. */
function keyOf({ id, operation }: OperationRef): string {
  return `${operation} ${id}`;
}

function attributesOf({ id, name, version }: OperationRef): Attributes {
  return {
    'procvision.operation_id': id,
    ...(name !== undefined && { 'procvision.package': name }),
    ...(version !== undefined && { 'procvision.version': version }),
  };
}
