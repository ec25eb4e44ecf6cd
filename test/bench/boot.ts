import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { pushProbeService } from '../support/probe-image.js';
import { startRegistry } from '../support/registry.js';
import { bootMachine, type WholeMachine } from '../support/whole-machine.js';
import { installMany } from './install-many.js';
import { compare, type Bench, type Contender, type Figure } from './measure.js';
import { mustRun } from './must-run.js';

/**
 * Fifty services when a machine boots: a kernel, a disk and a systemd of their own, in an emulator. What is measured is the machine's
 * own clock, from the first of their start jobs to the last service that is ready; all else of the boot is the same for both.
 * First that clock counts instructions, which gives the same within a hundredth in every run. Then it is ours: what is
 * slow in an emulator is not what is slow in a processor, and runs differ by a fifth.
 */
export const bootBench: Bench = { name: 'boot', isLong: true, peers: [], run: benchBoot };

const COUNT = 50;
const BOOTS = 5;

/** Who is started at a boot: one of two targets is wanted. */
const KINDS = ['berth', 'native'] as const;
type Kind = (typeof KINDS)[number];

const WANTS = '/etc/systemd/system/multi-user.target.wants';

async function benchBoot(): Promise<readonly Figure[]> {
  await using registry = await startRegistry();
  await pushProbeService(registry.target('boot'), {
    args: ['ready'],
    service: ['Type=notify'],
    wantedBy: targetOf('berth'),
  });
  const reference = registry.reference('boot');
  return [
    ...(await bootWith({ reference, hasInstructionClock: true })),
    ...(await bootWith({ reference, hasInstructionClock: false })),
  ];
}

/** What is booted, and by which clock. */
interface BootOptions {
  readonly reference: string;
  readonly hasInstructionClock: boolean;
}

async function bootWith({
  reference,
  hasInstructionClock,
}: BootOptions): Promise<readonly Figure[]> {
  await using machine = await bootMachine({
    suite: 'trixie',
    hasInstructionClock,
    prepare: async (tree) => {
      writeFileSync(join(tree, `etc/systemd/system/${targetOf('berth')}`), '[Unit]\n');
      await installMany(tree, namesOf('berth'), reference);
      putUnits(tree);
    },
  });
  return await compare(
    `${COUNT} services at boot, by ${hasInstructionClock ? 'instructions, 500 million a second' : "the emulator's time"}`,
    BOOTS,
    KINDS.map((kind) => contenderOf(machine, kind)),
  );
}

function contenderOf(machine: WholeMachine, kind: Kind): Contender {
  return {
    what: kind === 'berth' ? 'berth' : 'native units of the same program',
    prepare: async () => {
      await machine.sh(
        `rm -f ${WANTS}/bench-*; ln -s ../${targetOf(kind)} ${WANTS}/${targetOf(kind)}; sync`,
      );
      await machine.reboot();
    },
    run: async (_round, record) => {
      record({ ms: await readBootMs(machine, kind) });
    },
  };
}

/** From the first unit that left its rest to the last that was active. */
async function readBootMs(machine: WholeMachine, kind: Kind): Promise<number> {
  const units = namesOf(kind).map((name) => `${name}.service`);
  const shown = await machine.run(`systemctl --full --lines=5 status ${units[0] ?? ''}`);
  const text = await machine.sh(
    `systemctl show --property=InactiveExitTimestampMonotonic,ActiveEnterTimestampMonotonic ${units.join(' ')}`,
  );
  const valuesOf = (key: string): readonly number[] => {
    const found = [...text.matchAll(new RegExp(`^${key}=([1-9]\\d*)$`, 'gm'))].map((match) =>
      Number(match[1]),
    );
    if (found.length !== COUNT)
      throw new Error(`${found.length} of ${COUNT} units have ${key}\n${shown.stdout}`);
    return found;
  };
  const first = Math.min(...valuesOf('InactiveExitTimestampMonotonic'));
  return (Math.max(...valuesOf('ActiveEnterTimestampMonotonic')) - first) / 1000;
}

function putUnits(tree: string): void {
  const put = (path: string, text: string): void => {
    mkdirSync(join(tree, path, '..'), { recursive: true });
    writeFileSync(join(tree, path), text);
  };
  const [first = ''] = namesOf('berth');
  copyFileSync(
    join(tree, `var/lib/berth/${first}.0/rootfs/probe`),
    join(tree, 'usr/local/bin/probe'),
  );
  put(`/etc/systemd/system/${targetOf('native')}`, '[Unit]\n');
  for (const name of namesOf('native')) {
    put(
      `/etc/systemd/system/${name}.service`,
      '[Unit]\nDescription=native\n[Service]\nType=notify\nExecStart=/usr/local/bin/probe ready\n' +
        `[Install]\nWantedBy=${targetOf('native')}\n`,
    );
    mustRun('systemctl', [`--root=${tree}`, '--quiet', 'enable', `${name}.service`]);
  }
}

function namesOf(kind: Kind): readonly string[] {
  return Array.from({ length: COUNT }, (_, index) => `${kind}${index + 1}`);
}

function targetOf(kind: Kind): string {
  return `bench-${kind}.target`;
}
