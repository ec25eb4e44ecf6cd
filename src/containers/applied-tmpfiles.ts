import { existsSync } from 'node:fs';

import type { BindSource } from '../runtime/launch-plan.js';
import { parseTmpfiles } from '../systemd/tmpfiles-text.js';
import { generateTmpfiles } from '../templates/generate-tmpfiles.js';
import type { Deployment } from './deployment.js';
import type { Host } from './host.js';
import { pathsMadeByOthers } from './path-owners.js';
import { findPathsToCreate } from './tmpfiles-paths.js';

/**
 * The tmpfiles lines of a container with those that its edited config.json needs more: folders to bind from that are not
 * there and that no line makes yet. Lines that are there stay.
 */
export async function renderAppliedTmpfiles(
  host: Host,
  from: {
    readonly deployment: Deployment;
    readonly text: string;
    readonly bindSources: readonly BindSource[];
  },
): Promise<{ readonly text: string; readonly createdPaths: readonly string[] }> {
  const { text, bindSources, deployment } = from;
  const more = generateTmpfiles({
    bindSources: bindSources.filter(({ optional }) => !optional).map(({ path }) => path),
    exists: (path) => existsSync(host.paths.onDisk(path)),
    madeElsewhere: new Set(parseTmpfiles(text).map(({ path }) => path)),
    uid: process.geteuid?.() ?? 0,
    gid: process.getegid?.() ?? 0,
  });
  if (more === '') return { text, createdPaths: [] };
  return {
    text: `${text}${text === '' || text.endsWith('\n') ? '' : '\n'}${more}`,
    createdPaths: findPathsToCreate(
      host.paths,
      parseTmpfiles(more).map(({ path }) => path),
      await pathsMadeByOthers(host, deployment.name),
    ),
  };
}
