import { execFileSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { compare, type Contender } from './measure.js';
import { mustRun } from './must-run.js';

/*
 * On the host: one program that says READY=1 at once, as instances of a unit of berth, of a native unit, and of one that Quadlet
 * has made. The image is in place already, in berth's store and in podman's.
 */

const SINGLE_ROUNDS = 30;
const AT_ONCE = 50;
const AT_ONCE_ROUNDS = 5;
const SETTLE_MS = 200;

const [reference = ''] = process.argv.slice(2);
const berth = '/opt/berth/dist/bin/berth.cjs';

mustRun('node', [berth, 'install', '--system', '--name', 'ready@', reference]);
const program = execFileSync(
  'sh',
  ['-c', 'find / -xdev -path "*/rootfs/probe" -type f | head -n 1'],
  {
    encoding: 'utf8',
  },
).trim();
put('/usr/local/bin/probe', '');
mustRun('install', [program, '/usr/local/bin/probe']);
put(
  '/etc/systemd/system/native@.service',
  '[Unit]\nDescription=native\n[Service]\nType=notify\nExecStart=/usr/local/bin/probe ready\n',
);
put('/etc/containers/policy.json', '{"default":[{"type":"insecureAcceptAnything"}]}');
put(
  '/etc/containers/storage.conf',
  '[storage]\ndriver = "vfs"\nrunroot = "/run/containers/storage"\ngraphroot = "/var/lib/containers/storage"\n',
);
put('/etc/containers/containers.conf', '[containers]\npids_limit = 0\nnetns = "none"\n');
mustRun('podman', ['pull', '--quiet', '--tls-verify=false', reference]);
put(
  '/etc/containers/systemd/quadlet@.container',
  `[Container]\nImage=${reference}\nExec=ready\nNotify=true\nReadOnly=true\nPull=never\n`,
);
mustRun('systemctl', ['daemon-reload']);

const unitsOf = (kind: string, count: number): readonly string[] =>
  Array.from({ length: count }, (_, index) => `${kind}@${index + 1}.service`);
const contenders = (count: number): readonly Contender[] =>
  [
    { what: 'berth', kind: 'ready' },
    { what: 'native unit of the same program', kind: 'native' },
    { what: 'Quadlet with crun', kind: 'quadlet' },
  ].map(({ what, kind }) => ({
    what,
    // What was stopped before is still being taken away: by podman for long enough to slow down whoever comes next.
    prepare: () => delay(SETTLE_MS),
    run: () => {
      mustRun('systemctl', ['start', ...unitsOf(kind, count)]);
    },
    cleanUp: () => {
      mustRun('systemctl', ['stop', ...unitsOf(kind, count)]);
    },
  }));

const podman = execFileSync('podman', ['--version'], { encoding: 'utf8' }).trim();
process.stdout.write(
  JSON.stringify([
    ...(await compare(
      `systemctl start of a service until it is ready; ${podman}`,
      SINGLE_ROUNDS,
      contenders(1),
    )),
    ...(await compare(
      `systemctl start of ${AT_ONCE} services at once until all are ready`,
      AT_ONCE_ROUNDS,
      contenders(AT_ONCE),
    )),
  ]),
);

function put(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
