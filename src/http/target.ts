import { RequestFault } from './problem.js';

/** Letters of a path and of a query (RFC 3986): what else stands in one is changed by one reader and not by another. */
const PATH = /^\/(?:[\w\-.~!$&'()*+,;=:@/]|%[0-9A-Fa-f]{2})*$/;
const QUERY = /^(?:[\w\-.~!$&'()*+,;=:@/?]|%[0-9A-Fa-f]{2})*$/;

/** A host by name or address, and a port. No `#`, `?`, `/`, `\` or `@`, at which some reader ends the host. */
const AUTHORITY = /^(?:[\w\-.~]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/;

/** What a request was sent for, in the parts that the connection gives. */
export interface RawTarget {
  scheme: 'http' | 'https';
  /** `Host`, or `:authority` of HTTP/2. */
  host: string | undefined;
  /** As it stands in the first line of the request, or `:path`. */
  target: string;
}

/**
 * The address of a request, made once. Its path is the path that was sent, letter by letter: a target that a URL parser
 * would change (dot segments, backslashes, letters of no path) means one thing to it and another to a proxy, and is
 * refused, as is a host that would reach into the path.
 *
 * @throws RequestFault `bad_request`
 */
export function addressOf({ scheme, host, target }: RawTarget): URL {
  const absolute = /^(https?):\/\/([^/?#]*)(.*)$/i.exec(target);
  const [, , named, rest = ''] = absolute ?? [];
  if (absolute && host !== undefined && named?.toLowerCase() !== host.toLowerCase()) {
    throw refused('The target names another host than the header Host');
  }
  const authority = named ?? (host === undefined || host === '' ? 'localhost' : host);
  if (!AUTHORITY.test(authority))
    throw refused('The host is none: a name or an address, and a port, are taken');
  const local = absolute ? (rest.startsWith('/') ? rest : `/${rest}`) : target;
  const at = local.indexOf('?');
  const [path, query] = at < 0 ? [local, ''] : [local.slice(0, at), local.slice(at + 1)];
  if (!PATH.test(path)) throw refused('The target is no path of an address (RFC 3986), percent-encoded');
  if (!QUERY.test(query)) throw refused('The query has characters that must be percent-encoded (RFC 3986)');
  const url = parse(`${scheme}://${authority}${path}${query === '' ? '' : `?${query}`}`);
  if (url?.pathname !== path)
    throw refused('The path is read differently by different readers: write it plainly');
  return url;
}

/** Whether a text is the name of one host, with a port or without. */
export function isAuthority(host: string): boolean {
  return AUTHORITY.test(host);
}

/**
 * Refuses an address that has more than host, path and query, a path that cannot be decoded, or one in which a reader
 * that decodes before it divides would go up (`x%2F..%2Fy`).
 *
 * Another name with slashes or dots in it, percent-encoded, is a name like any other: it is divided before it is decoded,
 * and the store has none of that name.
 *
 * @throws RequestFault `bad_request`
 */
export function checkAddress({ pathname, hash, username, password }: URL): void {
  if (hash !== '') throw refused('path: a fragment (#) is not for a server');
  if (username !== '' || password !== '') throw refused('host: has a name or a password before it');
  let path: string;
  try {
    path = decodeURIComponent(pathname);
  } catch {
    throw refused(`path: ${pathname} is not percent-encoded UTF-8`);
  }
  if (path.split(/[\\/]/).includes('..')) throw refused('path: a name in it leads upwards (..)');
}

function parse(address: string): URL | undefined {
  try {
    return new URL(address);
  } catch {
    return undefined;
  }
}

function refused(message: string): RequestFault {
  return new RequestFault('bad_request', message);
}
