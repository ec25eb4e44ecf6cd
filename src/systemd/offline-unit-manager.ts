import { lstatSync, mkdirSync, rmdirSync, symlinkSync, unlinkSync } from 'node:fs';

import { quote } from '../base/escape-text.js';
import { readFileBounded } from '../base/bounded-read.js';
import { runProgram } from '../base/subprocess.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import { findTreeVersion } from './host-systemd-version.js';
import { isLinkOf, readInstallRules } from './install-rules.js';
import { parseUnitName, type UnitName } from './unit-name.js';
import { parseUnit } from './unit-text.js';
import type {
  JobOutcome,
  UnitFileChange,
  UnitFileInfo,
  UnitManager,
  UnitState,
} from './unit-manager.js';
import { readTreeRelations } from './tree-relations.js';
import type { UnitRelations } from './unit-relations.js';
import { UnitFileStates } from './unit-file-states.js';
import { readLinkIfThere, UnitTree } from './unit-tree.js';

/** Options of {@link openOfflineUnitManager}. */
export interface OfflineOptions {
  /** The tree; `''` or `/` for the host itself without its bus. */
  readonly root: string;
  /** As the tree sees it; `/etc/systemd/system` unless given. */
  readonly unitDirectory?: string;
  /** Where units lie beside that; the system's directories unless given. */
  readonly vendorDirectories?: readonly string[];
}

/**
 * A unit manager for a tree that is not running: `systemctl --root`, without systemctl. What needs a running manager is
 * refused; {@link UnitManager.reload} has nothing to do, the next boot reads everything.
 */
export function openOfflineUnitManager(options: OfflineOptions): UnitManager {
  return new OfflineUnitManager(
    options.root === '/' ? '' : options.root,
    new UnitTree(
      options.root,
      options.unitDirectory ?? '/etc/systemd/system',
      options.vendorDirectories,
    ),
  );
}

class OfflineUnitManager implements UnitManager {
  readonly kind = 'offline';
  readonly #root: string;
  readonly #tree: UnitTree;

  constructor(root: string, tree: UnitTree) {
    this.#root = root;
    this.#tree = tree;
  }

  findSystemdVersion(): Promise<number | undefined> {
    return promised(() => findTreeVersion(this.#tree));
  }

  findUnitFolders(): Promise<readonly string[]> {
    return promised(() => this.#tree.directories);
  }

  findUnitFile(unit: string): Promise<UnitFileInfo | undefined> {
    return promised(() => {
      const name = parseUnitName(unit);
      const found = this.#tree.find(name);
      if (found === undefined) return undefined;
      const state = new UnitFileStates(this.#tree).of(name, found);
      return { path: found.path, state, needDaemonReload: false };
    });
  }

  reload(): Promise<void> {
    return Promise.resolve();
  }

  enable(units: readonly string[]): Promise<readonly UnitFileChange[]> {
    return promised(() => this.#enable(units));
  }

  reenable(units: readonly string[]): Promise<readonly UnitFileChange[]> {
    return promised(() => [
      ...this.#enable(units),
      ...this.#disable(units, new Set(this.#linksOf(units).keys())),
    ]);
  }

  disable(units: readonly string[]): Promise<readonly UnitFileChange[]> {
    return promised(() => this.#disable(units));
  }

  start(unit: string): Promise<JobOutcome> {
    return Promise.reject(notRunning('start', unit));
  }

  stop(unit: string): Promise<JobOutcome> {
    return Promise.reject(notRunning('stop', unit));
  }

  restart(unit: string): Promise<JobOutcome> {
    return Promise.reject(notRunning('restart', unit));
  }

  kill(unit: string): Promise<void> {
    return Promise.reject(notRunning('kill', unit));
  }

  resetFailed(): Promise<void> {
    return Promise.resolve();
  }

  getStates(units: readonly string[]): Promise<readonly UnitState[]> {
    return promised(() => {
      const states = new UnitFileStates(this.#tree);
      return units.map((unit) => {
        const name = parseUnitName(unit);
        const found = this.#tree.find(name);
        const loadState =
          found === undefined ? 'not-found' : found.kind === 'masked' ? 'masked' : 'loaded';
        return {
          ...STOPPED,
          unit,
          loadState,
          unitFileState: found === undefined ? '' : states.of(name, found),
          fragmentPath: found?.path ?? '',
        };
      });
    });
  }

  getSummaries(findUnits: () => readonly string[]): Promise<readonly UnitState[]> {
    return this.getStates(findUnits());
  }

  findDependents(unit: string): Promise<readonly string[]> {
    return Promise.reject(notRunning('look for what depends on', unit));
  }

  watchUnits(units: readonly string[]): Promise<AsyncDisposable> {
    return Promise.reject(notRunning('watch', units.join(', ')));
  }

  getRelations(unit: string): Promise<UnitRelations> {
    return promised(() => readTreeRelations(this.#tree, unit));
  }

  listInstances(): Promise<readonly string[]> {
    return Promise.resolve([]);
  }

  async createTmpfiles(file: string): Promise<void> {
    const input = await readFileBounded(`${this.#root}${file}`, { maxBytes: MAX_TMPFILES_BYTES });
    // By standard input: a path would be looked for on the host that builds, not in the tree.
    await runProgram(['systemd-tmpfiles', `--root=${this.#root}/`, '--create', '-'], { input });
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#tree[Symbol.dispose]();
    return Promise.resolve();
  }

  #enable(units: readonly string[]): readonly UnitFileChange[] {
    const changes: UnitFileChange[] = [];
    // All is looked at before the first link is made: a refusal leaves the tree as it was.
    const links = this.#linksOf(units);
    for (const [name, target] of links) this.#refuseOther(name, target);
    for (const [name, target] of links) {
      if (this.#makeLink(name, target)) {
        changes.push({
          kind: 'symlink',
          path: `${this.#tree.unitDirectory}/${name}`,
          source: target,
        });
      }
    }
    return changes;
  }

  /** The links that enabling units makes, and where each leads. */
  #linksOf(units: readonly string[]): ReadonlyMap<string, string> {
    const links = new Map<string, string>();
    const seen = new Set<string>();
    for (const unit of units)
      this.#collectLinks(parseUnitName(unit), { links, seen, required: true });
    return links;
  }

  #disable(
    units: readonly string[],
    staying: ReadonlySet<string> = new Set(),
  ): readonly UnitFileChange[] {
    const disabled = new Set<string>();
    for (const unit of units) this.#collectAlso(parseUnitName(unit), disabled);
    const changes: UnitFileChange[] = [];
    for (const [name, target] of this.#tree.listLinks()) {
      const slash = name.lastIndexOf('/') + 1;
      const isOurs =
        isLinkOf(disabled, name.slice(slash)) ||
        isLinkOf(disabled, target.slice(target.lastIndexOf('/') + 1));
      // A mask is not an enable link; it says that the unit must not start.
      if (!isOurs || target === '/dev/null' || staying.has(name)) continue;
      this.#removeLink(name);
      changes.push({ kind: 'unlink', path: `${this.#tree.unitDirectory}/${name}`, source: '' });
    }
    return changes;
  }

  #collectLinks(
    unit: UnitName,
    collected: {
      readonly links: Map<string, string>;
      readonly seen: Set<string>;
      readonly required: boolean;
    },
  ): void {
    if (collected.seen.has(unit)) return;
    collected.seen.add(unit);
    const found = this.#tree.find(unit);
    if (found === undefined) {
      if (!collected.required) return; // as systemd: an Also= of a unit that is not there is no failure
      throw new OperationalError(
        'SYSTEMD_CALL_FAILED',
        `cannot enable ${quote(unit)}: there is no such unit`,
      );
    }
    if (found.kind === 'masked') {
      throw new OperationalError('UNIT_MASKED', `${quote(unit)} is masked`, {
        hint: `remove the link ${found.path} in the tree`,
      });
    }
    const rules = readInstallRules(unit, parseUnit(found.text));
    for (const link of rules.links) {
      const other = collected.links.get(link);
      if (other !== undefined && other !== found.path) throw linkExists(link, other);
      collected.links.set(link, found.path);
    }
    for (const also of rules.also) this.#collectLinks(also, { ...collected, required: false });
  }

  #collectAlso(unit: UnitName, disabled: Set<string>): void {
    if (disabled.has(unit)) return;
    disabled.add(unit);
    const found = this.#tree.find(unit);
    if (found === undefined || found.kind === 'masked') return;
    for (const also of readInstallRules(unit, parseUnit(found.text)).also) {
      this.#collectAlso(also, disabled);
    }
  }

  #refuseOther(name: string, target: string): void {
    const existing = this.#tree.inDirectory(
      `${this.#tree.unitDirectory}/${parentOf(name)}`,
      (at) => {
        const path = `${at}/${name.slice(name.lastIndexOf('/') + 1)}`;
        const stat = lstatSync(path, { throwIfNoEntry: false });
        if (stat === undefined) return undefined;
        return stat.isSymbolicLink() ? readLinkIfThere(path) : 'a file';
      },
    );
    if (existing !== undefined && existing !== target) throw linkExists(name, existing);
  }

  #makeLink(name: string, target: string): boolean {
    // Another container that is disabled meanwhile takes the empty folder away, in time never for every attempt.
    for (let attempt = 0; attempt < MAX_LINK_ATTEMPTS; attempt += 1) {
      const made = this.#tryLink(name, target);
      if (made !== undefined) return made;
    }
    throw new OperationalError(
      'SYSTEMD_CALL_FAILED',
      `cannot make the link ${quote(name)}: there is no folder for it in the tree`,
    );
  }

  /** Whether it was made or stood there; undefined if there is no folder for it. */
  #tryLink(name: string, target: string): boolean | undefined {
    const folder = parentOf(name);
    this.#tree.inDirectory(this.#tree.unitDirectory, (at) => {
      if (folder !== '') makeFolder(`${at}/${folder}`);
    });
    return this.#tree.inDirectory(`${this.#tree.unitDirectory}/${folder}`, (at) => {
      try {
        symlinkSync(target, `${at}/${name.slice(name.lastIndexOf('/') + 1)}`);
        return true;
      } catch (error) {
        if (isErrno(error, 'EEXIST')) return false; // looked at before: it leads where it should
        if (isErrno(error, 'ENOENT')) return undefined; // removed since it was opened
        throw error;
      }
    });
  }

  #removeLink(name: string): void {
    const folder = parentOf(name);
    this.#tree.inDirectory(`${this.#tree.unitDirectory}/${folder}`, (at) => {
      try {
        unlinkSync(`${at}/${name.slice(name.lastIndexOf('/') + 1)}`);
      } catch (error) {
        // Two that both say `Also=` of one unit were disabled at the same time.
        if (!isErrno(error, 'ENOENT')) throw error;
      }
    });
    if (folder === '') return;
    this.#tree.inDirectory(this.#tree.unitDirectory, (at) => {
      try {
        rmdirSync(`${at}/${folder}`);
      } catch (error) {
        // ENOENT: another that was disabled at the same time removed it.
        if (!isErrno(error, 'ENOTEMPTY', 'EEXIST', 'ENOENT')) throw error;
      }
    });
  }
}

/** What a synchronous body gives or throws, as a promise. */
function promised<T>(body: () => T): Promise<T> {
  return new Promise((resolve) => {
    resolve(body());
  });
}

/** Each one lost means that another container was disabled within microseconds. */
const MAX_LINK_ATTEMPTS = 100;

/** Published tmpfiles are below 2 KiB. */
const MAX_TMPFILES_BYTES = 1_048_576;

const STOPPED = {
  activeState: 'inactive',
  subState: 'dead',
  serviceType: '',
  needDaemonReload: false,
  mainPid: undefined,
  result: 'success',
  statusText: '',
  execMainCode: 0,
  execMainStatus: 0,
  restarts: 0,
  invocationId: undefined,
  activeEnterTimestampUs: 0n,
  activeEnterMonotonicUs: 0n,
  memoryCurrentBytes: undefined,
  tasksCurrent: undefined,
} as const;

/** Not recursive, and so not through a link: whoever stands there already is looked at inside the tree. */
function makeFolder(path: string): void {
  try {
    mkdirSync(path, { mode: 0o755 });
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error;
  }
}

function parentOf(name: string): string {
  return name.includes('/') ? name.slice(0, name.lastIndexOf('/')) : '';
}

function linkExists(name: string, existing: string): OperationalError {
  return new OperationalError(
    'UNIT_EXISTS',
    `cannot make the link ${quote(name)}: ${quote(existing)} stands there`,
  );
}

function notRunning(verb: string, unit: string): OperationalError {
  return new OperationalError(
    'SYSTEMD_UNAVAILABLE',
    `cannot ${verb} ${quote(unit)}: the operating system in this tree is not running`,
  );
}
