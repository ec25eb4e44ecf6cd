import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import type { Host } from '../../src/containers/host.js';
import { pullImage } from '../../src/containers/fetch-image.js';
import { pruneImages } from '../../src/containers/prune-images.js';
import { recoverAll } from '../../src/containers/recover-all.js';
import { rollback } from '../../src/containers/rollback.js';
import { uninstall } from '../../src/containers/uninstall.js';
import type { TorturedVerb, VerbSize } from './tortured-verb.js';
import { unlessMissing } from './unless-missing.js';
import { pathsInFolder } from '../support/host-tree-paths.js';
import { furtherVerbs } from './further-verbs.js';
import { addSmallImage, SECRET_VARIABLE } from './small-image.js';
import { installOn, updateOn, type Wanted } from './tree-host.js';

/** About twenty files in all, each kind of file among them. */
export const SMALL: VerbSize = { files: 1, layers: 2, hostFiles: 2 };
/** As {@link SMALL}, with enough of them for at least 300 calls of each verb that unpacks an image. */
export const MEDIUM: VerbSize = { files: 2, layers: 2, hostFiles: 8 };
/** As {@link SMALL}, with enough of them for at least 300 calls of each verb that only changes the host. */
export const LARGE: VerbSize = { files: 12, layers: 4, hostFiles: 64 };

/** Taking a file away is one call, putting it there are many: pruning needs so many more for as many calls. */
const UNLIKE_FILES = 5;

const NAME = 'small';
/** Stands in no image, and in no file but those for secrets. */
const SECRET = 'tr0ub4dor-and-3-more';

/** The verbs, their images in `folder`. */
export function torturedVerbs(folder: string, size: VerbSize): readonly TorturedVerb[] {
  mkdirSync(folder, { recursive: true });
  const layout = join(folder, 'layout');
  const reference = addSmallImage(layout, { tag: 'one', version: '1', ...size });
  const wanted = { name: NAME, reference, secret: SECRET };
  const password = join(folder, 'password');
  writeFileSync(password, SECRET, { mode: 0o600 });
  const gone = (host: Host): Promise<void> => unlessMissing(uninstall(host, NAME, { purge: true }));
  const install: TorturedVerb = {
    name: 'install',
    prepare: () => Promise.resolve(),
    takesBack: true,
    oppositeMayStay: false,
    argv: ['install', '--name', NAME, '--set', `${SECRET_VARIABLE}=@${password}`, reference],
    again: (host) => installOn(host, wanted),
    opposite: gone,
  };
  const uninstallVerb: TorturedVerb = {
    name: 'uninstall',
    prepare: async (host) => {
      await installOn(host, wanted);
    },
    takesBack: false,
    oppositeMayStay: false,
    argv: ['uninstall', '--purge', NAME],
    again: gone,
    opposite: (host) => installOn(host, wanted),
  };
  const pullVerb: TorturedVerb = {
    name: 'pull',
    prepare: () => Promise.resolve(),
    takesBack: true,
    oppositeMayStay: false,
    argv: ['pull', reference],
    again: (host) =>
      pullImage(host, { reference, platform: undefined, onProgress: () => undefined }),
    opposite: async (host) => {
      const store = await host.openStore();
      for (const image of await store.listImages())
        for (const name of image.names) await store.removeName(name);
      await store.prune({ keep: new Set() });
    },
  };
  const next = addSmallImage(layout, { tag: 'two', version: '2', ...size });
  const { updateVerb, rollbackVerb } = updateVerbs(wanted, next);
  const unlike = addSmallImage(layout, {
    ...{ tag: 'three', version: '3', isUnlike: true },
    ...{ ...size, files: size.files * UNLIKE_FILES },
  });
  const verbs = [
    install,
    uninstallVerb,
    pullVerb,
    updateVerb,
    rollbackVerb,
    pruneVerb(wanted, unlike),
    ...recoverVerbs({ install, uninstall: uninstallVerb, update: updateVerb, gone }),
    ...furtherVerbs(folder, { wanted, size, gone }),
  ];
  return verbs.map((verb) => ({ ...verb, secrets: [SECRET] }));
}

/** Taking an image away that shares nothing with the one that is installed. */
function pruneVerb(wanted: Wanted, unlike: string): TorturedVerb {
  const pull = (host: Host): Promise<unknown> =>
    pullImage(host, { reference: unlike, platform: undefined, onProgress: () => undefined });
  return {
    name: 'prune',
    prepare: async (host) => {
      await installOn(host, wanted);
      await pull(host);
    },
    takesBack: false,
    oppositeMayStay: false,
    argv: ['images', 'prune', '--all'],
    again: (host) => pruneImages(host, { all: true }),
    opposite: pull,
  };
}

/** Updating from one image to the next, and back. */
function updateVerbs(
  wanted: Wanted,
  next: string,
): { readonly updateVerb: TorturedVerb; readonly rollbackVerb: TorturedVerb } {
  const goTo = (host: Host, to: number): Promise<unknown> =>
    rollback(host, NAME, { to, watch: true, keepDeployments: 2 });
  const prepare = async (host: Host): Promise<void> => {
    await installOn(host, wanted);
  };
  const updateVerb: TorturedVerb = {
    name: 'update',
    prepare,
    takesBack: true,
    oppositeMayStay: true,
    argv: ['update', '-y', '--rebase', next, NAME],
    again: (host) => updateOn(host, NAME, next),
    opposite: (host) => goTo(host, 0),
  };
  const rollbackVerb: TorturedVerb = {
    name: 'rollback',
    prepare: async (host) => {
      await prepare(host);
      await updateOn(host, NAME, next);
    },
    takesBack: true,
    oppositeMayStay: true,
    argv: ['rollback', '--to', '0', NAME],
    again: (host) => goTo(host, 0),
    opposite: (host) => goTo(host, 1),
  };
  return { updateVerb, rollbackVerb };
}

/** Double faults: `berth recover` after a kill at moments that leave it different work, itself killed. */
function recoverVerbs(verbs: {
  readonly install: TorturedVerb;
  readonly uninstall: TorturedVerb;
  readonly update: TorturedVerb;
  readonly gone: TorturedVerb['opposite'];
}): readonly TorturedVerb[] {
  const recover = {
    takesBack: false,
    oppositeMayStay: false,
    argv: ['recover'],
    again: recoverAll,
    opposite: verbs.gone,
  };
  const { install, uninstall: undone, update: updated } = verbs;
  return [
    {
      ...recover,
      name: 'recover (finish install)',
      prepare: (host) => install.prepare(host),
      broken: { argv: install.argv, call: 'link', place: '/etc/' },
    },
    {
      ...recover,
      name: 'recover (undo install)',
      prepare: (host) => install.prepare(host),
      broken: { argv: install.argv, call: 'rename', place: '/.new-small.0' },
    },
    {
      ...recover,
      name: 'recover (finish uninstall)',
      prepare: (host) => undone.prepare(host),
      broken: { argv: undone.argv, call: 'unlink', place: '/etc/' },
    },
    {
      ...recover,
      name: 'recover (finish update)',
      prepare: (host) => updated.prepare(host),
      broken: { argv: updated.argv, call: 'rename', place: '/etc/small/0.conf' },
    },
    {
      ...recover,
      name: 'recover (undo update)',
      prepare: (host) => updated.prepare(host),
      broken: { argv: updated.argv, call: 'rename', place: '/.link-small' },
    },
  ];
}

/** A tree as every system has it, brought to where a verb starts. */
export async function prepareTree(
  root: string,
  verb: Pick<TorturedVerb, 'prepare'>,
  onTree: (root: string, body: (host: Host) => Promise<void>) => Promise<void>,
): Promise<void> {
  pathsInFolder(root);
  await onTree(root, (host) => verb.prepare(host));
}

/** The verbs whose sweeps are long also in their small form. */
export const CORE_VERBS: readonly string[] = [
  ...['install', 'uninstall', 'pull', 'update', 'rollback', 'recover'],
];

const UNPACKING: ReadonlySet<string> = new Set([
  ...['install', 'pull', 'update', 'auto-update', 'update of a set', 'install with dependencies'],
]);

/** The verbs with images of the size that each of them needs for enough calls, and no larger. */
export function longVerbs(folder: string): readonly TorturedVerb[] {
  const [medium, large] = [MEDIUM, LARGE].map((size, index) =>
    torturedVerbs(join(folder, String(index)), size),
  );
  return (large ?? []).map(
    (verb) =>
      (UNPACKING.has(verb.name) ? medium?.find(({ name }) => name === verb.name) : undefined) ??
      verb,
  );
}
