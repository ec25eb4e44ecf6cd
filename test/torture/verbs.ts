import { mkdirSync } from 'node:fs';
import { join } from 'node:path';

import type { Host } from '../../src/containers/host.js';
import { pullImage } from '../../src/containers/fetch-image.js';
import { recoverAll } from '../../src/containers/recover-all.js';
import { rollback } from '../../src/containers/rollback.js';
import { uninstall } from '../../src/containers/uninstall.js';
import { OperationalError } from '../../src/errors/operational-error.js';
import { pathsInFolder } from '../support/host-tree-paths.js';
import { addSmallImage } from './small-image.js';
import { installOn, updateOn } from './tree-host.js';

/** A command to torture, with what is to come before and after it. */
export interface TorturedVerb {
  readonly name: string;
  /** Brings a tree that has the folders of every system to where the command starts. */
  prepare(host: Host): Promise<void>;
  /** A command that is killed before the one in question starts: what it leaves is the start. */
  readonly broken?: BrokenStart;
  /** Whether a failure leaves everything as it was; what removes goes on with the next command instead. */
  readonly takesBack: boolean;
  /** The command line, after `berth --root ROOT`. */
  readonly argv: readonly string[];
  /** The same in this process; that everything is done already is success. */
  again(host: Host): Promise<unknown>;
  /** Whether the opposite, where nothing was done, leaves everything as it is before the command. */
  readonly oppositeMayStay: boolean;
  /** Takes back what the command does, whether it was done or not. */
  opposite(host: Host): Promise<unknown>;
}

/** A command that is killed, and where: at the first of these calls whose place fits. */
export interface BrokenStart {
  readonly argv: readonly string[];
  readonly call: string;
  /** Part of the path of what the call is about. */
  readonly place: string;
}

/** How large the images are: more files are more calls. */
export interface VerbSize {
  readonly files: number;
  readonly layers: number;
  readonly hostFiles: number;
}

/** About twenty files in all, each kind of file among them. */
export const SMALL: VerbSize = { files: 1, layers: 2, hostFiles: 2 };
/** As {@link SMALL}, with enough of them for at least 300 calls of each verb. */
export const LARGE: VerbSize = { files: 40, layers: 4, hostFiles: 24 };

const NAME = 'small';

/** The verbs, their images in `folder`. */
export function torturedVerbs(folder: string, size: VerbSize): readonly TorturedVerb[] {
  mkdirSync(folder, { recursive: true });
  const layout = join(folder, 'layout');
  const reference = addSmallImage(layout, { tag: 'one', version: '1', ...size });
  const wanted = { name: NAME, reference };
  const gone = (host: Host): Promise<void> => unlessMissing(uninstall(host, NAME, { purge: true }));
  const install: TorturedVerb = {
    name: 'install',
    prepare: () => Promise.resolve(),
    takesBack: true,
    oppositeMayStay: false,
    argv: ['install', '--name', NAME, reference],
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
  return [
    install,
    uninstallVerb,
    pullVerb,
    updateVerb,
    rollbackVerb,
    ...recoverVerbs({ install, uninstall: uninstallVerb, update: updateVerb, gone }),
  ];
}

/** Updating from one image to the next, and back. */
function updateVerbs(
  wanted: { readonly name: string; readonly reference: string },
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
    argv: ['update', '--rebase', next, NAME],
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

async function unlessMissing(done: Promise<unknown>): Promise<void> {
  try {
    await done;
  } catch (error) {
    if (!(error instanceof OperationalError) || error.code !== 'CONTAINER_NOT_FOUND') throw error;
  }
}
