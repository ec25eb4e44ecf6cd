import { join } from 'node:path/posix';

import type { ContainerName } from '../base/container-name.js';
import { DROP_IN_NAME, formatDropIn } from '../systemd/drop-in.js';
import type { DeployedFile, FileRole } from './deployment.js';
import { sha256Of } from './file-state.js';
import type { Host } from './host.js';
import { planWithOwners } from './path-owners.js';
import { plannedFolder, type PlannedHostFile } from './plan-host-files.js';
import type { RenderedContainer } from './render-container.js';
import { findMissingParents } from './safe-parents.js';

/** The unit, those that start it, their drop-ins and its tmpfiles lines, with the folders that they need. */
export async function planUnitFiles(
  host: Host,
  from: {
    readonly name: ContainerName;
    readonly rendered: RenderedContainer;
    /** Paths of the deployment that is there already. */
    readonly own: ReadonlySet<string>;
  },
): Promise<readonly PlannedHostFile[]> {
  const { unitDir, tmpfilesDir } = host.paths;
  const { name, rendered, own } = from;
  const dropIn = dropInText(rendered);
  const wanted = [
    textFile({
      role: 'unit',
      path: join(unitDir, `${name}.service`),
      text: rendered.unit,
      source: `${name}.service`,
    }),
    textFile({
      role: 'drop-in',
      path: join(unitDir, `${name}.service.d`, DROP_IN_NAME),
      text: dropIn,
      source: DROP_IN_NAME,
    }),
  ];
  for (const { unit, text, directives } of rendered.activators) {
    const source = activatorDropIn(unit);
    wanted.push(
      textFile({ role: 'unit', path: join(unitDir, unit), text, source: unit }),
      textFile({
        role: 'drop-in',
        path: join(unitDir, `${unit}.d`, DROP_IN_NAME),
        text: dropInText({ directives }),
        source,
      }),
    );
  }
  if (rendered.tmpfiles !== '') {
    const source = `tmpfiles-${name}.conf`;
    wanted.push(
      textFile({
        role: 'tmpfiles',
        path: join(tmpfilesDir, source),
        text: rendered.tmpfiles,
        source,
      }),
    );
  }
  const mode = host.paths.mode === 'user' ? 0o700 : 0o755;
  return planWithOwners(host, name, async (ownerOf) => {
    const files: PlannedHostFile[] = [];
    for (const file of wanted) {
      const folders = await findMissingParents(
        host.paths,
        file.deployed.path,
        (path) => ownerOf(path) !== undefined || own.has(path),
      );
      files.push(...folders.map((folder) => plannedFolder(folder, mode)), file);
    }
    return files;
  });
}

function textFile(from: {
  role: FileRole;
  path: string;
  text: string;
  source: string;
}): PlannedHostFile {
  const { role, path, text, source } = from;
  const deployed: DeployedFile = {
    role,
    path,
    kind: 'file',
    sha256: sha256Of(text),
    mode: 0o644,
    source,
  };
  return { deployed, text, sizeBytes: Buffer.byteLength(text) };
}

/** Where a deployment keeps the drop-in of a unit that starts its service. */
export function activatorDropIn(unit: string): string {
  return `${unit}.${DROP_IN_NAME}`;
}

/** The text of berth's own drop-in. */
export function dropInText(rendered: Pick<RenderedContainer, 'directives'>): string {
  return formatDropIn(
    rendered.directives.map(([section, key, value]) => ({ section, key, value })),
  );
}
