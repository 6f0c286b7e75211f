import type { VersionRef } from '../package/types.js';
import { isSame } from './mappings.js';
import { isRecord } from '../arguments.js';
import type { RegistryContent } from './registry-file.js';

/** What an operator set for one version, as `registry.json` holds it in `policies`. */
export interface PolicyRecord extends VersionRef {
  /** Options of a supervisor's policy, as they were given. */
  policy: Readonly<Record<string, unknown>>;
  /** ISO 8601, UTC. */
  configured_at: string;
  operator?: string;
}

/** The policy that is set for a version. A record that is none is nobody's. */
export function policyOf(
  content: Readonly<RegistryContent>,
  version: VersionRef,
): Readonly<Record<string, unknown>> | undefined {
  return recordsOf(content).find((record) => isSame(record, version))?.policy;
}

/** Replaces the policy of a version; an empty policy is removed. */
export function setPolicy(content: RegistryContent, record: PolicyRecord): void {
  dropPolicy(content, record);
  if (Object.keys(record.policy).length > 0) content.policies = [...recordsOf(content), record];
}

/** The version is gone, and its policy with it. */
export function dropPolicy(content: RegistryContent, version: VersionRef): void {
  if (content.policies === undefined) return;
  content.policies = recordsOf(content).filter((record) => !isSame(record, version));
}

function recordsOf({ policies }: Readonly<RegistryContent>): PolicyRecord[] {
  return Array.isArray(policies) ? policies.filter(isPolicy) : [];
}

function isPolicy(value: unknown): value is PolicyRecord {
  return (
    isRecord(value) &&
    typeof value.name === 'string' &&
    typeof value.version === 'string' &&
    isRecord(value.policy)
  );
}
