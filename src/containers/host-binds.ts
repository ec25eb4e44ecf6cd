import { formatExactJson } from '../base/format-exact-json.js';
import { parseExactJson, type ExactJsonObject } from '../base/strict-json.js';

/** A folder or file of the host that the caller, not the image, binds into a container. */
export interface HostBind {
  readonly source: string;
  readonly destination: string;
  /** What is mounted below it comes along, and is read-only too. */
  readonly readOnly: boolean;
}

/** A config.json with further mounts, after those that it has. */
export function withHostBinds(config: string, binds: readonly HostBind[]): string {
  if (binds.length === 0) return config;
  const document = parseExactJson(config, { what: 'config.json' }) as ExactJsonObject;
  const mounts = (document['mounts'] ?? []) as readonly ExactJsonObject[];
  const added = binds.map(({ source, destination, readOnly }) => ({
    destination,
    type: 'bind',
    source,
    options: ['rbind', ...(readOnly ? ['ro', 'rro'] : ['rw']), 'nosuid', 'nodev', 'noexec'],
  }));
  return formatExactJson({ ...document, mounts: [...mounts, ...added] });
}
