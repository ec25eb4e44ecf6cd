import { compareFile } from './file-state.js';
import type { Host } from './host.js';
import { planNewVersions, type FilesOfVersions } from './new-versions.js';
import { pathsThatStay } from './path-owners.js';
import { findChangedFiles } from './place-files.js';
import type { UpdateOutcome } from './update-outcome.js';

/** What an update would leave of files that were changed on this host, in the words of its outcome. */
export async function planKeptFiles(
  host: Host,
  versions: FilesOfVersions,
): Promise<Pick<UpdateOutcome, 'kept' | 'saved' | 'newVersions'>> {
  const { name, from, to } = versions;
  const changed = await findChangedFiles(host.paths, { files: to, previous: from });
  const newVersions = await planNewVersions(host, versions, changed);
  const kept = [...changed];
  const saved: string[] = [];
  const staying = new Set(to.map(({ path }) => path));
  const gone = from.filter(({ path, kind }) => kind !== 'directory' && !staying.has(path));
  const shared = gone.length === 0 ? new Set<string>() : await pathsThatStay(host, name);
  for (const file of gone) {
    if (shared.has(file.path)) continue;
    if ((await compareFile(host.paths.onDisk(file.path), file)) !== 'changed') continue;
    if (file.role === 'host-file') kept.push(file.path);
    else saved.push(`${file.path}.save`);
  }
  return { kept, saved, newVersions };
}
