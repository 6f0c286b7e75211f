import type { KeyObject } from 'node:crypto';

/** A signed document of The Update Framework: what is signed, and signatures over its canonical JSON. */
export interface SignedDocument {
  /** Root or targets metadata (TUF specification 1.0, sections 4.3 and 4.5). */
  signed: Record<string, unknown>;
  /** One for each key that signed, in hex. */
  signatures: {
    /** Identifier of the key. */
    keyid: string;
    /** Ed25519, in hex. */
    sig: string;
  }[];
}

/** A file of keys that is itself signed. */
export interface KeySet {
  /** `procvision-key-set-v1` */
  format: string;
  /** Root metadata, the oldest first: each names the keys that sign the next. */
  root: SignedDocument[];
  /** Targets metadata: who signs which packages, and the lowest version that is accepted of each. */
  targets: SignedDocument;
}

/** Keys, and how many of them must sign. */
export interface KeyHolders {
  /** Ed25519 public keys, as PEM (SPKI) or key object. */
  keys: readonly (string | KeyObject)[];
  /** So many of them are needed, from 1 to all. */
  threshold: number;
}

/** Who signs packages. */
export interface PackageSigner {
  /** A name of its own, such as that of a company. */
  name: string;
  /** Its keys: one of them signs a package. */
  keys: readonly (string | KeyObject)[];
  /** Names of packages that it may sign, `*` for a part of any letters. @defaultValue every name */
  packages?: readonly string[];
}

/** What a key set says. */
export interface KeySetContent {
  /** Who may change the set, and how many of them it takes. */
  root: KeyHolders;
  /** Until when the root holds, as ISO 8601 in UTC or a date. */
  rootExpires: string | Date;
  /** Who names the signers of packages. @defaultValue the holders of the root */
  targets?: KeyHolders;
  /** Who signs packages. */
  signers: readonly PackageSigner[];
  /** Lowest version (PEP 440) that is accepted of a package, by its name. */
  lowestVersions?: Readonly<Record<string, string>>;
  /** Until when signers and lowest versions hold. */
  expires: string | Date;
}

/** Where a station has its keys. */
export interface KeySetPolicy {
  /** File of the key set; it may come with packages, from anywhere. */
  file: string;
  /** File of the root metadata that this station was set up with: `rootOf()` of any earlier set. Nobody else may write it. */
  root: string;
  /**
   * File in which the versions are remembered that were seen, so that an older set is refused from then on.
   * @defaultValue `<root>.seen`
   */
  seen?: string;
}

/** What came of checking a key set. */
export interface KeySetReport {
  /** Version of the newest root. */
  rootVersion: number;
  /** Until when that root holds, ISO 8601. */
  rootExpires: string;
  /** Version of signers and lowest versions. */
  version: number;
  /** Until when these hold, ISO 8601. */
  expires: string;
  /** Who signs which packages. */
  signers: {
    name: string;
    /** Identifiers of its keys. */
    keyIds: string[];
    /** Names of packages, with `*`. */
    packages: string[];
  }[];
  /** Lowest accepted version, by name of package. */
  lowestVersions: Record<string, string>;
}
