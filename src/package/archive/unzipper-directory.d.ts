/**
 * unzipper's reading of a directory, which `Open.custom` hands on to. Its main file also has readers of archives on servers, one
 * of which requires a package that is not there (`@aws-sdk/client-s3`): a bundler that follows it fails.
 */
declare module 'unzipper/lib/Open/directory.js' {
  import type { Readable } from 'node:stream';

  const directory: (source: {
    size: () => Promise<number>;
    stream: (start: number, length?: number) => Readable;
  }) => Promise<{ files: Promise<unknown[]> }>;
  export default directory;
}
