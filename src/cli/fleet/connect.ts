import { readFile } from 'node:fs/promises';
import path from 'node:path';
import type { FleetConnectOptions, FleetOperator, FleetServerConnection } from 'procvision-runner/fleet';
import { usage } from '../host.js';
import type { Call, OptionSpec } from '../spec.js';
import { findFile } from '../store.js';

/** The file that says where the fleet's server is, and by which keys this user looks and signs. */
export const FLEET: OptionSpec = {
  usage: '--fleet <file>',
  summary: 'where the server of the fleet is, and the keys',
  defaultValue: 'fleet.json',
  kind: 'file',
};

/** What the file has. Paths are relative to the file. */
interface FleetFile {
  servers: string[];
  plant: string;
  /** User of the server: answers come to its own inbox. */
  name: string;
  private_key_file?: string;
  public_key_files?: string[];
  /** Of a station: its group, and the addresses of sources of packages. */
  group?: string;
  sources?: string[];
  /** Of a station: whether it answers inspections of others. */
  inspections?: boolean;
  connect: Partial<FleetConnectOptions>;
}

/** How long to wait for the line: a person waits with it. */
const WAIT_MS = 10_000;

const REMEDY = ': write one (docs/fleet.md, "Commands"), or name yours by --fleet FILE';

const TEXTS = [
  'plant',
  'name',
  'group',
  'user',
  'password',
  'seed_file',
  'creds_file',
  'bucket',
  'stream',
  'private_key_file',
];
const LISTS = ['servers', 'public_key_files', 'sources'];
const SWITCHES = ['inspections'];
const TLS = ['ca_file', 'cert_file', 'key_file'];
const NEEDED = ['servers', 'plant', 'name'];

/** A line to the fleet, and what it is about. */
export interface Fleet {
  connection: FleetServerConnection;
  plant: string;
  keys: { privateKey?: string; publicKeys: string[] };
  operator: FleetOperator;
}

/** What a description of a fleet says. */
export interface DescribedFleet {
  plant: string;
  /** User of the server; of a station its name. */
  name: string;
  group?: string;
  sources: string[];
  /** Whether it answers inspections that come over the fleet's server. */
  inspections: boolean;
  keys: { privateKey?: string; publicKeys: string[] };
  connect: FleetConnectOptions;
}

/** Opens the line, hands it on and closes it. */
export async function withFleet<T>(call: Call, use: (fleet: Fleet) => Promise<T>): Promise<T> {
  const { plant, keys, connect } = await describedFleet(call, call.options.fleet as string);
  const { connectFleet, FleetOperator } = await import('procvision-runner/fleet');
  const connection = await connectFleet({ ...connect, waitMs: WAIT_MS });
  try {
    return await use({
      connection,
      plant,
      keys,
      operator: new FleetOperator({ connection, plant, ...keys }),
    });
  } finally {
    await connection.close();
  }
}

/** Reads the description of a fleet, and the keys that it names. */
export async function describedFleet(call: Call, given: string): Promise<DescribedFleet> {
  const file = await findFile(call, given, 'description of the fleet', REMEDY);
  const described = read(file, await readFile(file, 'utf8'));
  const at = (relative: string) => path.resolve(path.dirname(file), relative);
  const { private_key_file: privateFile, public_key_files: publicFiles = [] } = described;
  const publicKeys = await Promise.all(publicFiles.map((one) => readKey(file, at(one))));
  const isPrivate = publicKeys.findIndex((key) => key.includes('PRIVATE KEY'));
  if (isPrivate >= 0)
    throw usage(
      `${file}: public_key_files names a private key (${publicFiles[isPrivate] ?? ''}): name its public key, as openssl pkey -in PRIVATE -pubout writes it. Who has the private key commands the plant`,
    );
  const privateKey = privateFile === undefined ? undefined : await readKey(file, at(privateFile));
  if (privateKey === undefined && publicKeys.length === 0) {
    throw usage(
      `${file} must name private_key_file or public_key_files: what the fleet says is checked by them`,
    );
  }
  const { servers, plant, name, group, sources = [], inspections = false, connect } = described;
  return {
    ...{ plant, name, sources, inspections, connect: { servers, name, ...withPaths(connect, at) } },
    ...(group !== undefined && { group }),
    keys: { publicKeys, ...(privateKey !== undefined && { privateKey }) },
  };
}

async function readKey(file: string, key: string): Promise<string> {
  try {
    return await readFile(key, 'utf8');
  } catch (error) {
    throw usage(`${file} names a key that cannot be read: ${(error as Error).message}`);
  }
}

/** @throws CliFailure 2 that names the field and what it must be */
function read(file: string, text: string): FleetFile {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw usage(`${file} must be JSON: ${(error as Error).message}`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw usage(`${file} must be a JSON object with ${NEEDED.join(', ')}`);
  const fields = value as Record<string, unknown>;
  const tls = fields.tls as Record<string, unknown> | undefined;
  for (const [field, given] of Object.entries(fields)) check(file, field, given);
  for (const field of NEEDED) if (fields[field] === undefined) throw usage(`${file} must have ${field}`);
  const connect = {
    user: fields.user,
    password: fields.password,
    seedFile: fields.seed_file,
    credsFile: fields.creds_file,
    bucket: fields.bucket,
    stream: fields.stream,
    tls: tls && { caFile: tls.ca_file, certFile: tls.cert_file, keyFile: tls.key_file },
  };
  return { ...(fields as unknown as FleetFile), connect: given(connect) };
}

function check(file: string, field: string, value: unknown): void {
  const isText = (one: unknown) => typeof one === 'string' && one !== '';
  if (TEXTS.includes(field)) {
    if (!isText(value)) throw usage(`${file}: ${field} must be a text that is not empty`);
  } else if (LISTS.includes(field)) {
    if (!Array.isArray(value) || value.length === 0 || !value.every(isText))
      throw usage(`${file}: ${field} must be a list of texts`);
  } else if (SWITCHES.includes(field)) {
    if (typeof value !== 'boolean') throw usage(`${file}: ${field} must be true or false`);
  } else if (field === 'tls') {
    const parts = typeof value === 'object' && value !== null ? Object.entries(value) : [['', '']];
    if (!parts.every(([key, one]) => TLS.includes(key) && isText(one)))
      throw usage(`${file}: tls must be an object with ${TLS.join(', ')} at most`);
  } else {
    throw usage(
      `${file} has no field ${field}. Known are ${[...LISTS, ...TEXTS, ...SWITCHES, 'tls'].join(', ')}`,
    );
  }
}

function withPaths(
  { seedFile, credsFile, tls, ...rest }: Partial<FleetConnectOptions>,
  at: (relative: string) => string,
): Partial<FleetConnectOptions> {
  const paths = (files: Record<string, string | undefined>) =>
    Object.fromEntries(
      Object.entries(files).flatMap(([key, file]) => (file === undefined ? [] : [[key, at(file)]])),
    );
  return { ...rest, ...paths({ seedFile, credsFile }), ...(tls && { tls: paths({ ...tls }) }) };
}

/** Without what was not given. */
function given(fields: object): object {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined));
}
