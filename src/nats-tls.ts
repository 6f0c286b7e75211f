import { isIP } from 'node:net';
import { checkServerIdentity } from 'node:tls';
import type { ConnectionOptions } from '@nats-io/transport-node';

/** Files of PEM for the line. */
interface Files {
  caFile?: string;
  certFile?: string;
  keyFile?: string;
}

/**
 * What makes a client of NATS encrypt its line where `tls://` or `tls` asks for that. The client drops the scheme of an address: by `tls://`
 * alone it would talk in the clear to a server that offers no TLS, or to who stands between.
 */
export function natsTls({
  servers,
  tls,
}: {
  servers: readonly string[];
  tls?: Files;
}): Pick<ConnectionOptions, 'tls'> {
  if (tls === undefined && !servers.some((server) => /^(?:tls|wss):/i.test(server))) return {};
  return { tls: { ...tls, checkServerIdentity: identityAmong(servers) } as ConnectionOptions['tls'] };
}

/**
 * For an address by number the client gives Node no name, and Node takes `localhost` for it: the certificate of that address would be refused,
 * and one of `localhost` taken. It must be that of one of these addresses.
 */
function identityAmong(servers: readonly string[]): typeof checkServerIdentity {
  const meant = servers.map(hostOf).filter((host) => isIP(host) !== 0 || host === 'localhost');
  return (name, certificate) => {
    if (name !== 'localhost' || meant.length === 0) return checkServerIdentity(name, certificate);
    const faults = meant.map((host) => checkServerIdentity(host, certificate));
    return faults.includes(undefined) ? undefined : faults[0];
  };
}

function hostOf(server: string): string {
  const url = server.includes('://') ? server : `nats://${server}`;
  return URL.canParse(url) ? new URL(url).hostname.replace(/^\[(.*)\]$/, '$1') : '';
}
