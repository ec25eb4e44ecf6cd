import { readFileSync, readlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { adopt } from '../../src/containers/adopt/adopt.js';
import { applyConfig } from '../../src/containers/apply-config.js';
import type { Host } from '../../src/containers/host.js';
import { recoverAll } from '../../src/containers/recover-all.js';
import { rollback } from '../../src/containers/rollback.js';
import { rollbackSet } from '../../src/containers/rollback-set.js';
import { uninstall } from '../../src/containers/uninstall.js';
import { updateSet } from '../../src/containers/update-set.js';
import { writeForerunner } from '../support/forerunner.js';
import { flipBit } from './flip-bit.js';
import { PROGRAM } from './program.js';
import { runOk } from '../support/run-command.js';
import { addSmallImage } from './small-image.js';
import { installOn, PLAIN_UPDATE, type Wanted } from './tree-host.js';
import { unlessMissing } from './unless-missing.js';
import type { TorturedVerb, VerbSize } from './tortured-verb.js';

interface Common {
  readonly wanted: Wanted;
  readonly size: VerbSize;
  /** Uninstalls `wanted`, where it is installed. */
  gone(host: Host): Promise<void>;
}

/** Verbs that change less, or several containers at once; their images in `folder`. */
export function furtherVerbs(folder: string, common: Common): readonly TorturedVerb[] {
  return [
    applyVerb(common),
    repairVerb(common),
    adoptVerb(common),
    autoUpdateVerb(join(folder, 'auto'), common),
    ...setVerbs(join(folder, 'set'), common),
    dependenciesVerb(join(folder, 'dependencies'), common),
  ];
}

async function berth(host: Host, ...args: readonly string[]): Promise<void> {
  await runOk([process.execPath, PROGRAM, '--root', host.paths.root, ...args]);
}

const stateOf = (host: Host, path: string): string =>
  host.paths.onDisk(join(host.paths.stateDir, path));

/** A limit, which stands in the drop-in and not in the launch plan, beside an argument, which stands in the plan. */
const EDIT = [
  '"deaf"\n    ],',
  '"ready"\n    ], "rlimits": [{"type": "RLIMIT_NOFILE", "soft": 64, "hard": 64}],',
] as const;

/** An edited config.json, and back to the one before. */
function applyVerb({ wanted }: Common): TorturedVerb {
  const { name } = wanted;
  const exchange = (host: Host, from: string, to: string): void => {
    const path = stateOf(host, `${name}/config.json`);
    const text = readFileSync(path, 'utf8');
    if (!text.includes(from)) throw new Error(`config.json has no ${from}: ${text}`);
    writeFileSync(path, text.replace(from, to));
  };
  const apply = (host: Host): Promise<unknown> => applyConfig(host, name, { planOnly: false });
  return {
    name: 'apply',
    prepare: async (host) => {
      await installOn(host, wanted);
      exchange(host, ...EDIT);
    },
    takesBack: true,
    oppositeMayStay: false,
    argv: ['apply', name],
    again: apply,
    opposite: async (host) => {
      await recoverAll(host);
      exchange(host, EDIT[1], EDIT[0]);
      await apply(host);
    },
  };
}

/** A store and a checkout that share a damaged file. */
function repairVerb({ wanted }: Common): TorturedVerb {
  const repair = (host: Host): Promise<void> => berth(host, 'fsck', '--repair');
  return {
    name: 'fsck --repair',
    prepare: async (host) => {
      await installOn(host, wanted);
      for (const file of ['l0/version', 'l0/deep/er/large', 'l1/owned', 'l1/attribute'])
        flipBit(stateOf(host, `${wanted.name}.0/rootfs/${file}`), 3);
    },
    isDamaged: true,
    takesBack: false,
    oppositeMayStay: false,
    argv: ['fsck', '--repair'],
    again: repair,
    opposite: repair,
  };
}

/** A container of atomic's with many files on the host. */
function adoptVerb({ size }: Common): TorturedVerb {
  const files = Array.from({ length: size.hostFiles }, (_, index) => [
    `/etc/old/${index}.conf`,
    `index=${index}\n`,
  ]);
  return {
    name: 'adopt',
    prepare: (host) => {
      writeForerunner(host.paths.root, {
        name: 'old',
        image: 'docker.io/library/old:1',
        tmpfiles: 'd /run/old 0755 - - -\n',
        hostFiles: Object.fromEntries(files) as Record<string, string>,
      });
      return Promise.resolve();
    },
    takesBack: true,
    oppositeMayStay: true,
    argv: ['adopt', 'old'],
    again: (host) => adopt(host, 'old', { planOnly: false }),
    opposite: (host) => unlessMissing(uninstall(host, 'old', { purge: true })),
  };
}

/** What the timer does where it may apply what is new. */
function autoUpdateVerb(layout: string, { wanted, size }: Common): TorturedVerb {
  const { name, secret } = wanted;
  const publish = (version: string): string =>
    addSmallImage(layout, { tag: 'latest', version, ...size });
  return {
    name: 'auto-update',
    prepare: async (host) => {
      await installOn(host, { name, secret, reference: publish('1') });
      await berth(host, 'policy', name, '--mode', 'apply', '--new-permissions', 'allow');
      publish('2');
    },
    takesBack: true,
    oppositeMayStay: true,
    argv: ['auto-update'],
    again: (host) => berth(host, 'auto-update'),
    opposite: (host) => rollback(host, name, { to: 0, watch: true, keepDeployments: 2 }),
  };
}

const SET = 'pair';
const MEMBERS = ['left', 'right'] as const;

/** Two containers that change versions together. */
function setVerbs(layout: string, { wanted, size }: Common): readonly TorturedVerb[] {
  // Half of the files each.
  const half = { ...size, hostFiles: Math.ceil(size.hostFiles / 2) };
  const publish = (version: string): void => {
    for (const name of MEMBERS) addSmallImage(layout, { tag: name, name, version, ...half });
  };
  const prepare = async (host: Host): Promise<void> => {
    publish('1');
    for (const name of MEMBERS)
      await installOn(host, { name, secret: wanted.secret, reference: `oci:${layout}:${name}` });
    await berth(host, 'sets', 'create', SET, ...MEMBERS);
    publish('2');
  };
  const update = (host: Host): Promise<unknown> => updateSet(host, SET, PLAIN_UPDATE);
  const goBack = (host: Host): Promise<unknown> =>
    rollbackSet(host, SET, { watch: true, keepDeployments: 2 });
  const isSecond = (host: Host): boolean => readlinkSync(stateOf(host, MEMBERS[0])).endsWith('.1');
  // Going back twice leads to where it came from.
  const goBackOnce = async (host: Host): Promise<void> => {
    await recoverAll(host);
    if (isSecond(host)) await unlessMissing(goBack(host));
  };
  return [
    {
      name: 'update of a set',
      prepare,
      takesBack: true,
      oppositeMayStay: true,
      argv: ['update', '-y', '--retry', `@${SET}`],
      again: update,
      opposite: goBackOnce,
    },
    {
      name: 'rollback of a set',
      prepare: async (host) => {
        await prepare(host);
        await update(host);
      },
      takesBack: true,
      oppositeMayStay: true,
      argv: ['rollback', `@${SET}`],
      again: goBackOnce,
      opposite: async (host) => {
        await recoverAll(host);
        if (!isSecond(host)) await update(host);
      },
    },
  ];
}

/** A container, and one that it requires. */
function dependenciesVerb(layout: string, { size }: Common): TorturedVerb {
  const half = { ...size, hostFiles: Math.ceil(size.hostFiles / 2) };
  addSmallImage(layout, { tag: 'needed', name: 'needed', version: '1', hasSecret: false, ...half });
  const manifest = { requires: ['needed'] };
  const reference = addSmallImage(layout, {
    ...{ tag: 'app', name: 'app', version: '1', hasSecret: false, manifest },
    ...half,
  });
  const argv = ['install', '--with-dependencies', '--name', 'app', reference];
  return {
    name: 'install with dependencies',
    prepare: () => Promise.resolve(),
    stages: [['install', '--name', 'needed', `oci:${layout}:needed`]],
    takesBack: true,
    oppositeMayStay: false,
    argv,
    again: (host) => berth(host, ...argv),
    opposite: async (host) => {
      for (const name of ['app', 'needed'])
        await unlessMissing(uninstall(host, name, { purge: true }));
    },
  };
}
