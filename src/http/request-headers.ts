import { RequestFault } from './problem.js';
import { isAuthority } from './target.js';

/**
 * Headers that a request has once. Of two, Node's own `headers` keeps the first, the web's `Headers` joins both, and a
 * proxy may pass on the last.
 */
const SINGLE = new Set([
  ...['host', 'authorization', 'proxy-authorization', 'cookie', 'origin', 'referer', 'user-agent', 'from'],
  ...['content-type', 'content-length', 'content-encoding', 'content-disposition', 'content-range', 'range'],
  ...['expect', 'max-forwards', 'date', 'last-event-id', 'if-modified-since', 'if-unmodified-since'],
  ...['x-http-method', 'x-http-method-override', 'x-method-override', 'idempotency-key', 'traceparent'],
]);

/** Headers that tell a framework to take the request for one of another method. */
const OVERRIDES = ['x-http-method', 'x-http-method-override', 'x-method-override'];

/** `type/subtype`, then parameters; nothing else, and no list (RFC 9110, 8.3.1). */
const TOKEN = "[\\w!#$%&'*+\\-.^`|~]+";
const CONTENT_TYPE = new RegExp(
  `^${TOKEN}/${TOKEN}(?:[ \\t]*;[ \\t]*(?:${TOKEN}=(?:${TOKEN}|"(?:[^"\\\\]|\\\\.)*"))?)*$`,
);

/**
 * The headers of a request as the web has them, from the list in which Node gives them: names and values in turn.
 *
 * @throws RequestFault `bad_request` for a header that is there twice and may be there once, or that `Headers` cannot hold
 */
export function readHeaders(rawHeaders: readonly string[], isHttp2: boolean): Headers {
  const headers = new Headers();
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = (rawHeaders[at] ?? '').toLowerCase();
    const value = rawHeaders[at + 1] ?? '';
    if (name.startsWith(':')) continue; // method, path and host of HTTP/2
    if (name.includes('_') && SINGLE.has(name.replaceAll('_', '-'))) {
      throw fault(`The header ${name} is taken for ${name.replaceAll('_', '-')} by some readers`);
    }
    if (headers.has(name) && SINGLE.has(name)) {
      // HTTP/2 sends cookies one by one (RFC 9113, 8.2.3).
      if (!(isHttp2 && name === 'cookie')) throw fault(`The header ${name} is there twice: send it once`);
      headers.set(name, `${headers.get(name) ?? ''}; ${value}`);
      continue;
    }
    try {
      headers.append(name, value);
    } catch {
      throw fault(`The header ${name} has a value that none can have`);
    }
  }
  return headers;
}

/**
 * Refuses headers that two readers could take two ways, also where a framework joined two of a name into one.
 *
 * @throws RequestFault `bad_request`, and `unsupported_media_type` for a body that is compressed or of another charset
 */
export function checkHeaders({ method, headers }: Request): void {
  for (const name of OVERRIDES) {
    const asked = headers.get(name);
    if (asked !== null && asked.toUpperCase() !== method) {
      throw fault(`The header ${name} asks for another method than the request has: send the method itself`);
    }
  }
  const host = headers.get('host');
  if (host !== null && host !== '' && !isAuthority(host)) throw fault('host is not the name of one host');
  const length = headers.get('content-length');
  if (length !== null && !/^\d{1,16}$/.test(length)) throw fault('content-length is no number of bytes');
  const type = headers.get('content-type');
  if (type !== null && type !== '' && !CONTENT_TYPE.test(type)) {
    throw fault('content-type is not one media type with its parameters');
  }
  const names = [...(type ?? '').matchAll(/;[ \t]*([^=;"\s]+)=/g)].map(([, name = '']) => name.toLowerCase());
  if (new Set(names).size < names.length) throw fault('content-type has a parameter twice: send it once');
  const encoding = headers.get('content-encoding') ?? 'identity';
  if (encoding.toLowerCase() !== 'identity') {
    throw new RequestFault(
      'unsupported_media_type',
      `A body is taken as it is, not ${encoding}: send it unpacked`,
    );
  }
}

/** Media type of a request, without parameters. */
export function mediaType({ headers }: Request): string {
  return (headers.get('content-type') ?? '').split(';')[0]?.trim().toLowerCase() ?? '';
}

/** The `charset` of a request's body, in lower case, where it gives one. */
export function charset({ headers }: Request): string | undefined {
  return /;[ \t]*charset="?([^\s;"]+)/i.exec(headers.get('content-type') ?? '')?.[1]?.toLowerCase();
}

function fault(message: string): RequestFault {
  return new RequestFault('bad_request', message);
}
