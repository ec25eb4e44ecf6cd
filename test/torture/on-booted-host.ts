import type { BootedHost } from '../support/booted-host.js';
import { REPEATABLE, supervise, type Supervised, type Supervision } from './supervise.js';

/** Where berth changes a host, as the host sees it. */
const CHANGED = ['/etc', '/var/lib', '/run/berth', '/usr/local'];

/** Runs berth on a booted host under supervision: what it tells systemd over the bus counts, too; systemd itself does not. */
export function superviseOn(
  host: BootedHost,
  args: readonly string[],
  supervision: Omit<Supervision, 'roots' | 'bus'> = {},
): Promise<Supervised> {
  const enter = ['nsenter', `--target=${host.leader}`, ...'-m -u -i -n -p -C -r -w'.split(' ')];
  return supervise(
    [...enter, '--', 'node', '/opt/berth/dist/bin/berth.cjs', ...args],
    { ...supervision, roots: CHANGED, bus: true },
    { env: { ...REPEATABLE, PATH: '/usr/sbin:/usr/bin:/sbin:/bin' } },
  );
}
