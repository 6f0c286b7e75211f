type Handle = (request: Request) => Promise<Response>;

/** A handler that takes no more requests once it is closed. */
export interface ClosableDoor {
  handle: Handle;
  /** From now on requests are refused; those that are under way are answered, and are the last of their connections. */
  close: () => void;
}

/** A server that ends takes no new connection, but goes on reading requests of those that it has: they are refused here. */
export function closable(handle: Handle): ClosableDoor {
  let isClosed = false;
  return {
    handle: async (request) => {
      const response = isClosed ? ending() : await handle(request);
      if (isClosed) response.headers.set('connection', 'close');
      return response;
    },
    close: () => {
      isClosed = true;
    },
  };
}

function ending(): Response {
  const problem = {
    ...{
      type: 'urn:procvision-runner:closed',
      title: 'closed',
      status: 503,
      code: 'closed',
      retryable: true,
    },
    detail: 'This station ends: ask again when it has been started',
  };
  const headers = {
    'content-type': 'application/problem+json',
    'cache-control': 'no-store',
    'retry-after': '5',
  };
  return new Response(JSON.stringify(problem), { status: 503, headers });
}
