import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

import { listDeploymentNumbers, loadDeployment } from '../../src/containers/container-directory.js';
import type { DeployedFile, Deployment } from '../../src/containers/deployment.js';
import { compareFile } from '../../src/containers/file-state.js';
import type { Host } from '../../src/containers/host.js';
import { readDeployments } from '../../src/containers/list-containers.js';
import type { Report } from './violation.js';

interface HostFileOptions {
  readonly moment: 'interrupted' | 'recovered';
  readonly report: Report;
}

/** I3, I4 and I6: units and host files are there, whole, of one deployment, and refer to what exists. */
export async function checkHostFiles(
  host: Host,
  { moment, report }: HostFileOptions,
): Promise<void> {
  const { deployments } = await readDeployments(host);
  for (const { name, number } of deployments) {
    const deployment = await loadDeployment(host.paths, `${name}.${number}`);
    const versions = await versionsOf(host, name);
    for (const file of deployment.files) {
      const known =
        moment === 'recovered'
          ? [file]
          : versions.flatMap(({ files }) => files.filter(({ path }) => path === file.path));
      await checkFile(host, { file, known, moment, report });
    }
  }
  checkUnits(host, report);
}

/** All deployments of the name that are on disk: before recovery, a file of the host may be of any of them. */
async function versionsOf(host: Host, name: string): Promise<readonly Deployment[]> {
  const versions: Deployment[] = [];
  for (const number of await listDeploymentNumbers(host.paths, name))
    versions.push(await loadDeployment(host.paths, `${name}.${number}`));
  return versions;
}

async function checkFile(
  host: Host,
  options: HostFileOptions & {
    readonly file: DeployedFile;
    readonly known: readonly DeployedFile[];
  },
): Promise<void> {
  const { file, known, moment, report } = options;
  const path = host.paths.onDisk(file.path);
  const states = await Promise.all(known.map((version) => compareFile(path, version)));
  if (states.includes('same')) {
    const mode = lstatSync(path).mode & 0o7777;
    const planned = known.filter((_, index) => states[index] === 'same');
    if (file.kind === 'file' && !planned.some((version) => version.mode === mode))
      report('I4', `${file.path} has mode ${mode.toString(8)}`);
  } else if (states.includes('changed')) {
    report('I4', `${file.path} is of no deployment`);
  } else if (moment === 'recovered') report('I3', `${file.path} is missing`);
}

/** What units name below berth's folders is there, links of targets lead to units, drop-ins stand beside theirs. */
function checkUnits(host: Host, report: Report): void {
  const { paths } = host;
  const folder = paths.onDisk(paths.unitDir);
  if (!existsSync(folder)) return;
  for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
    const full = join(entry.parentPath, entry.name);
    const shown = full.slice(paths.root.length);
    if (entry.name.startsWith('.berth-tmp-')) continue;
    if (entry.isSymbolicLink()) {
      const target = readlinkSync(full);
      const isOurs = target.startsWith(`${paths.unitDir}/`);
      if (isOurs && !existsSync(paths.onDisk(target))) report('I6', `${shown} leads to no unit`);
    } else if (entry.isFile()) {
      for (const place of placesNamedIn(readFileSync(full, 'utf8'), paths.stateDir)) {
        if (!existsSync(paths.onDisk(place))) report('I6', `${shown} refers to ${place}`);
      }
    }
  }
}

function placesNamedIn(text: string, stateDir: string): ReadonlySet<string> {
  const places = new Set<string>();
  for (const line of text.split('\n')) {
    if (!/^(Exec\w+|RequiresMountsFor|WorkingDirectory|EnvironmentFile)=/.test(line)) continue;
    for (const word of line.split(/[\s="]+/)) if (word.startsWith(`${stateDir}/`)) places.add(word);
  }
  return places;
}
