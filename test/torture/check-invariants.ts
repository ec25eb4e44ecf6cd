import { lstatSync, readdirSync, readFileSync } from 'node:fs';

import { listContainers } from '../../src/containers/list-containers.js';
import { listJournal } from '../../src/containers/journal.js';
import type { Host } from '../../src/containers/host.js';
import { checkDeployments } from './check-deployments.js';
import { checkHostFiles } from './check-host-files.js';
import { checkLeftovers } from './check-leftovers.js';
import { onTree } from './tree-host.js';
import {
  compareStates,
  lineWithoutLinkCount,
  readTreeState,
  stateBelow,
  stateWithout,
  type TreeState,
  withoutLinkCounts,
} from './tree-state.js';
import type { Report, Violation } from './violation.js';

/*
 * What has to hold on a host at any instant (`interrupted`), and once the next command, or `berth recover`, has put things
 * in order (`recovered`). Violations are reported by these numbers:
 *
 *     I1   NAME is absent or leads to a complete deployment
 *     I2   which is the old or the new one, byte for byte
 *     I3   what berth placed on the host belongs to one deployment; before recovery, each file to the old or the new
 *     I4   nothing under a final name is torn, empty, or open to more than planned
 *     I5   the store passes fsck
 *     I6   no unit refers to what does not exist
 *     I7   nothing else on the host changed
 *     I12  no lock is held, nothing is mounted
 *     I13  leftovers are few; after recovery there are none
 *     I14  what only reads never fails
 *     I15  the journal is empty after recovery
 *     I16  no secret stands in a file
 *
 * I8 (the same command again), I9 (the opposite one), I10 (services) and I11 (power lost after success) are about what is
 * done next, and belong to whoever does that.
 */

/** What a tree is held against. */
export interface InvariantOptions {
  /** `recovered`: nothing of an interrupted change may be left. */
  readonly moment: 'interrupted' | 'recovered';
  /**
   * The states of the whole tree that a change leads between: before, after, and taken back where that differs. Without
   * them only what a tree says of itself is checked.
   */
  readonly between?: readonly TreeState[];
  /** Whether copies may stand where there would be links. */
  readonly hasCopies?: boolean;
  /** Texts that no file may hold but those for secrets, which nobody but root may open. */
  readonly secrets?: readonly string[];
}

/** Where the store is, relative to the root: what it holds may grow by what an interrupted command had fetched. */
export const STORE = 'var/lib/berth/.store';

/** Checks a tree (a folder that `berth --root` works on, or a disk of a host that is not running); gives all that is wrong. */
export async function checkInvariants(
  root: string,
  options: InvariantOptions,
): Promise<readonly Violation[]> {
  const violations: Violation[] = [];
  const report = (id: string, what: string): void => {
    violations.push({ id, what });
  };
  // First: the checks that follow hold the store themselves.
  await onTree(root, ({ paths }) => {
    checkLeftovers(paths, { moment: options.moment, report });
    return Promise.resolve();
  });
  await onTree(root, async (host) => {
    await checkDeployments(host, report);
    await checkHostFiles(host, { moment: options.moment, report });
    await checkStore(host, report);
    await checkReaders(host, report);
    if (options.moment === 'recovered') {
      for (const name of await listJournal(host.paths)) report('I15', `the journal has '${name}'`);
    }
  });
  if (options.between !== undefined) {
    const between = options.between.map((side) => looseIf(options.hasCopies, side));
    const state = looseIf(options.hasCopies, readTreeState(root));
    checkBetween(state, { ...options, between }, report);
  }
  checkSecrets(root, options.secrets ?? [], report);
  return violations;
}

function looseIf(hasCopies: boolean | undefined, state: TreeState): TreeState {
  return hasCopies === true ? withoutLinkCounts(state) : state;
}

async function checkStore(host: Host, report: Report): Promise<void> {
  const store = await host.openStore();
  for (const { kind, id, problem } of (await store.fsck()).problems)
    report('I5', `${kind} ${id}: ${problem}`);
}

async function checkReaders(host: Host, report: Report): Promise<void> {
  try {
    for (const { name, error } of (await listContainers(host)).damaged)
      report('I14', `list shows '${name}' as damaged: ${String(error)}`);
    const store = await host.openStore();
    await store.listImages({
      onDamaged: (digest, error) => {
        report('I14', `images list shows ${digest} as damaged: ${String(error)}`);
      },
    });
  } catch (error) {
    report('I14', `reading failed: ${String(error)}`);
  }
}

/** I2, I3 and I7 against what an undisturbed run made. */
function checkBetween(state: TreeState, options: InvariantOptions, report: Report): void {
  const known = (options.between ?? []).map((side) => stateWithout(side, [STORE]));
  const rest = stateWithout(state, [STORE]);
  if (options.moment === 'recovered') {
    const differences = known.map((side) => compareStates(side, rest));
    if (differences.every((lines) => lines.length > 0)) {
      const nearest = differences.reduce((a, b) => (b.length < a.length ? b : a));
      report('I3', `neither as before nor as after:\n  ${nearest.slice(0, 20).join('\n  ')}`);
    }
    return;
  }
  for (const [path, line] of rest) {
    if (known.some((side) => isSame(side.get(path), line)) || isInTheMaking(path)) continue;
    // A folder of systemd-tmpfiles gets its mode a moment after its name.
    if (line.startsWith('folder ') && known.some((side) => side.get(path)?.startsWith('folder ')))
      continue;
    report(path.startsWith('var/lib/berth/') ? 'I4' : 'I7', `+ /${path}: ${line}`);
  }
  for (const path of known[0]?.keys() ?? []) {
    if (!rest.has(path) && known.every((side) => side.has(path)))
      report('I7', `- /${path} is gone`);
  }
  for (const name of deploymentLinks(rest)) {
    const target = /to (\S+)/.exec(rest.get(name) ?? '')?.[1] ?? '';
    const place = `var/lib/berth/${target}`;
    // A file of a checkout is the store's: how many names it has depends on what else is checked out.
    const found = withoutLinkCounts(
      new Map([...stateBelow(rest, place)].filter(([path]) => !isInTheMaking(path))),
    );
    const differences = known
      .map((side) => withoutLinkCounts(stateBelow(side, place)))
      .filter((side) => side.size > 0)
      .map((side) => compareStates(side, found));
    if (differences.length > 0 && differences.every((lines) => lines.length > 0))
      report('I2', `${name} is a mix:\n  ${differences[0]?.slice(0, 20).join('\n  ') ?? ''}`);
  }
}

/** While a file is put in place, it has its temporary name, too. */
function isSame(known: string | undefined, line: string): boolean {
  return known !== undefined && lineWithoutLinkCount(known) === lineWithoutLinkCount(line);
}

function deploymentLinks(state: TreeState): readonly string[] {
  return [...state].flatMap(([path, line]) =>
    /^var\/lib\/berth\/[^./][^/]*$/.test(path) && line.startsWith('link ') ? [path] : [],
  );
}

/** berth's own temporary names, which nothing but recovery looks at; their number is what I13 is about. */
function isInTheMaking(path: string): boolean {
  return /(^|\/)(\.berth-tmp-[0-9a-f]{12}-[^/]*$|\.(new|trash|link)-|\.journal(\/|$)|\.(locks|settings)$|\.launch(\/|$))/.test(
    path,
  );
}

/** Where a deployment has its secrets, also while it is made or taken away. */
const CREDENTIALS = /^\/var\/lib\/berth\/[^/]+\/credentials(\/|$)/;
const FOR_OTHERS = 0o077;

/** I16, at whatever moment: a secret that could be opened for an instant was not one. */
function checkSecrets(root: string, secrets: readonly string[], report: Report): void {
  if (secrets.length === 0) return;
  for (const entry of readdirSync(root, { recursive: true, withFileTypes: true })) {
    const path = `${entry.parentPath}/${entry.name}`;
    const shown = path.slice(root.length);
    const isPlace = CREDENTIALS.test(shown);
    if (isPlace && (lstatSync(path).mode & FOR_OTHERS) !== 0)
      report('I16', `${shown} can be opened by others`);
    if (!entry.isFile() || isPlace) continue;
    const content = readFileSync(path);
    for (const secret of secrets)
      if (content.includes(secret)) report('I16', `a secret stands in ${shown}`);
  }
}
