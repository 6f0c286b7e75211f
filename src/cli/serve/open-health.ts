/** What load balancers and orchestrators ask, which cannot bring a token. */
const PROBES: ReadonlySet<string> = new Set([
  '/health',
  '/health/live',
  '/health/ready',
  '/v2/health/live',
  '/v2/health/ready',
]);

/** Whether a request only asks how the server is. */
export function isProbe({ method, url }: Request): boolean {
  return (method === 'GET' || method === 'HEAD') && PROBES.has(new URL(url).pathname);
}

/** The answer to a probe that brought no token: yes or no. Names of packages and their failures are for those who have one. */
export async function withoutReasons(response: Response): Promise<Response> {
  const { status, headers } = response;
  const text = await response.text();
  if (text === '') return new Response(null, { status, headers });
  const { live, ready } = JSON.parse(text) as { live?: boolean; ready?: boolean };
  const plain = new Headers(headers);
  plain.delete('content-length');
  return Response.json({ live, ready }, { status, headers: plain });
}
