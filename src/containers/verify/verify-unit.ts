import { join } from 'node:path/posix';

import type { Deployment } from '../deployment.js';
import type { Host } from '../host.js';
import { listFolder } from '../list-folder.js';
import { finding, type VerifyFinding } from './finding.js';

/** Where systemd looks for the drop-ins of system units beside the unit directory (systemd.unit(5)). */
const DROP_IN_DIRECTORIES = [
  '/etc/systemd/system.control',
  '/run/systemd/system.control',
  '/run/systemd/transient',
  '/run/systemd/system',
  '/usr/local/lib/systemd/system',
  '/usr/lib/systemd/system',
];

/**
 * Checks how systemd sees the units of a deployment: masked, taken from elsewhere, not enabled, not read again since a
 * change; and which drop-ins of an administrator hold for them.
 */
export async function verifyUnits(host: Host, deployment: Deployment): Promise<VerifyFinding[]> {
  const found: VerifyFinding[] = [];
  for (const unit of deployment.units) {
    found.push(...(await verifyUnitFile(host, deployment, unit)));
    for (const path of await listOwnDropIns(host, deployment, unit)) {
      const problem = `a drop-in of the administrator's changes ${unit}`;
      found.push(finding({ area: 'drop-in', severity: 'note', path, problem }));
    }
  }
  return found;
}

async function verifyUnitFile(
  host: Host,
  deployment: Deployment,
  unit: string,
): Promise<VerifyFinding[]> {
  const manager = await host.openUnitManager();
  const file = await manager.findUnitFile(unit);
  const expected = deployment.files.find(
    ({ role, path }) => role === 'unit' && path.endsWith(`/${unit}`),
  )?.path;
  if (file === undefined) {
    const problem = `systemd knows no unit ${unit}`;
    return [finding({ area: 'unit', path: expected, problem })];
  }
  const found: VerifyFinding[] = [];
  if (file.state.startsWith('masked')) {
    found.push(
      finding({
        area: 'enablement',
        path: file.path === '' ? expected : file.path,
        problem: `${unit} is masked: the administrator forbade its start`,
        hint: `'systemctl unmask ${unit}' allows it again`,
      }),
    );
  } else if (expected !== undefined && file.path !== '' && file.path !== expected) {
    found.push(
      finding({ area: 'unit', path: file.path, problem: `systemd takes ${unit} from here` }),
    );
  } else if (file.state === 'disabled') {
    const problem = `${unit} is not enabled: it does not start at boot`;
    const hint = `'systemctl enable ${unit}' changes that`;
    found.push(finding({ area: 'enablement', severity: 'note', path: undefined, problem, hint }));
  }
  if (file.needDaemonReload) {
    const problem = `systemd has not read the files of ${unit} since they were changed`;
    found.push(finding({ area: 'unit', problem, hint: `'systemctl daemon-reload' makes it` }));
  }
  return found;
}

/** Drop-ins that hold for this unit by its name or by the beginning of it (`web-.service.d`), and are not berth's. */
async function listOwnDropIns(
  host: Host,
  deployment: Deployment,
  unit: string,
): Promise<readonly string[]> {
  const { paths } = host;
  const ours = new Set(deployment.files.map(({ path }) => path));
  const folders = [
    paths.unitDir,
    ...(paths.mode === 'system'
      ? DROP_IN_DIRECTORIES.filter((path) => path !== paths.unitDir)
      : []),
  ];
  const found: string[] = [];
  for (const folder of folders) {
    for (const name of dropInNames(unit)) {
      for (const file of await listFolder(paths.onDisk(join(folder, name)))) {
        const path = join(folder, name, file);
        if (file.endsWith('.conf') && !ours.has(path)) found.push(path);
      }
    }
  }
  return found.sort();
}

/** `a-b.service` → `a-b.service.d`, `a-.service.d` (systemd.unit(5)). What holds for all services is nobody's drift. */
function dropInNames(unit: string): readonly string[] {
  const dot = unit.lastIndexOf('.');
  const name = unit.slice(0, dot);
  const type = unit.slice(dot);
  const prefixes = [...name.matchAll(/-/g)].map(({ index }) => name.slice(0, index + 1));
  return [name, ...prefixes].map((prefix) => `${prefix}${type}.d`);
}
