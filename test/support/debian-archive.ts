import { runCommand, runOk } from './run-command.js';

/**
 * The address of the Debian archive that this machine's own apt uses. Trees and images come from there, so a mirror or
 * a proxy is configured once, for the machine.
 *
 * @throws if apt knows no Debian archive
 */
export async function debianArchive(): Promise<string> {
  const targets = await runOk([
    'apt-get',
    'indextargets',
    '--format',
    '$(REPO_URI)',
    'Created-By: Packages',
    'Component: main',
    'Origin: Debian',
  ]);
  const security = /-security\/?$/;
  const address = targets.split('\n').find((line) => line !== '' && !security.test(line));
  if (address === undefined) {
    throw new Error("this machine's apt knows no Debian archive: run apt-get update as root");
  }
  return address;
}

/** Lines for an apt.conf that make another apt reach the archive the way this machine's does. */
export async function aptConnectionOptions(): Promise<readonly string[]> {
  const { stdout } = await runCommand(['apt-config', 'dump']);
  const transports = stdout
    .split('\n')
    .filter((line) => /^Acquire::https?::(?!User-Agent)/i.test(line) && !line.endsWith('"";'));
  // Snapshots and slow mirrors serve Release files whose validity is over; signatures are still checked.
  return ['Acquire::Check-Valid-Until "false";', 'Acquire::Retries "3";', ...transports];
}
