/** Of one product id: what `$SRV.STATS` says of an endpoint. */
export class EndpointFigures {
  requests = 0;
  errors = 0;
  lastError = '';
  processingMs = 0;

  add(elapsedMs: number, error?: Error): void {
    this.requests++;
    this.processingMs += elapsedMs;
    if (!error) return;
    this.errors++;
    this.lastError = error.message;
  }
}

/** A service as discovery tells it. */
export interface ServiceDescription {
  id: string;
  station: string;
  plant: string;
  startedAt: string;
  queue: string;
  /** By product id. */
  endpoints: ReadonlyMap<string, { subject: string; figures: EndpointFigures }>;
}

export const SERVICE = 'inspect';
/** Of the protocol of calls and answers, not of the library. */
const VERSION = '1.0.0';
const VERBS = ['PING', 'INFO', 'STATS'] as const;

/** Subjects of discovery, with what is answered on each: the micro protocol of NATS, ADR-32. */
export function discoverySubjects(id: string): { subject: string; verb: (typeof VERBS)[number] }[] {
  return VERBS.flatMap((verb) =>
    [`$SRV.${verb}`, `$SRV.${verb}.${SERVICE}`, `$SRV.${verb}.${SERVICE}.${id}`].map((subject) => ({
      subject,
      verb,
    })),
  );
}

/** The answer to a verb, as JSON. Times are in nanoseconds. */
export function describeService(verb: (typeof VERBS)[number], service: ServiceDescription): object {
  const { id, station, plant, startedAt, queue, endpoints } = service;
  const about = { name: SERVICE, id, version: VERSION, metadata: { station, plant } };
  const each = [...endpoints].map(([productId, { subject, figures }]) => ({
    productId,
    about: { name: 'inspect', subject, queue_group: queue },
    figures,
  }));
  switch (verb) {
    case 'PING':
      return { type: 'io.nats.micro.v1.ping_response', ...about };
    case 'INFO':
      return {
        type: 'io.nats.micro.v1.info_response',
        ...about,
        description: `Inspections of station ${station}`,
        endpoints: each.map((one) => ({ ...one.about, metadata: { product_id: one.productId } })),
      };
    case 'STATS':
      return {
        type: 'io.nats.micro.v1.stats_response',
        ...about,
        started: startedAt,
        endpoints: each.map(({ about: endpoint, figures }) => ({
          ...endpoint,
          num_requests: figures.requests,
          num_errors: figures.errors,
          last_error: figures.lastError,
          processing_time: Math.round(figures.processingMs * 1e6),
          average_processing_time: Math.round((figures.processingMs * 1e6) / Math.max(1, figures.requests)),
        })),
      };
  }
}
