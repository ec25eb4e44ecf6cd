import {
  closeSync,
  constants,
  lstatSync,
  openSync,
  readdirSync,
  readlinkSync,
  type Dirent,
} from 'node:fs';

import { readFileBoundedNow } from '../base/bounded-read.js';
import { isErrno } from '../errors/is-errno.js';
import { openInRoot, readFileInRoot } from '../sys/open-in-root.js';
import { templateOf, type UnitName } from './unit-name.js';

/** Largest unit file that is read; systemd takes lines of up to a megabyte. */
const MAX_UNIT_BYTES = 1_048_576;

const DIRECTORY = constants.O_RDONLY | constants.O_DIRECTORY;

/** Where system units lie, first wins (systemd.unit(5), "Unit File Load Path"), below /etc. */
const VENDOR_DIRECTORIES = [
  '/run/systemd/system',
  '/usr/local/lib/systemd/system',
  '/usr/lib/systemd/system',
  '/lib/systemd/system',
];

/** The same for units of users. */
export const USER_VENDOR_DIRECTORIES = [
  '/etc/systemd/user',
  '/run/systemd/user',
  '/usr/local/lib/systemd/user',
  '/usr/lib/systemd/user',
  '/lib/systemd/user',
];

/** A unit as it was found in a tree. */
export interface TreeUnit {
  /** As the tree sees it: `/usr/lib/systemd/system/sshd.service`. */
  readonly path: string;
  readonly kind: 'file' | 'masked' | 'alias' | 'linked';
  /** Read when it is asked for, while the tree is open; `''` where it is masked. */
  readonly text: string;
  /** Name of the file that it is: the target of an alias, the template of an instance. */
  readonly fileName: string;
}

/** Who is told what lies in the unit directory. */
interface EntryVisitor {
  /** `name` is that below the unit directory: `multi-user.target.wants/web.service`. */
  readonly onLink: (name: string, readTarget: () => string | undefined) => void;
  readonly onFile?: (name: string) => void;
}

/**
 * The unit directories of an operating system tree. Every path is resolved as if the tree were the root, so links in it
 * lead where they will lead when it runs, never onto the host that builds it.
 */
export class UnitTree implements Disposable {
  /** Where units are written and enable links are made, as the tree sees it. */
  readonly unitDirectory: string;
  /** Undefined for the root of this process: no path can lead out of it, and opening there needs no native call. */
  readonly #rootFd: number | undefined;
  /** Directories of units in which something was looked for: open, or a look at a thousand units would open one a thousand times. */
  readonly #open = new Map<string, number>();

  /** Where units lie beside the unit directory. */
  readonly #vendorDirectories: readonly string[];

  constructor(
    root: string,
    unitDirectory: string,
    vendorDirectories: readonly string[] = VENDOR_DIRECTORIES,
  ) {
    this.unitDirectory = unitDirectory;
    this.#vendorDirectories = vendorDirectories;
    this.#rootFd = root === '' ? undefined : openSync(root, DIRECTORY);
  }

  [Symbol.dispose](): void {
    for (const fd of this.#open.values()) closeSync(fd);
    this.#open.clear();
    if (this.#rootFd !== undefined) closeSync(this.#rootFd);
  }

  /** The unit of that name from the directory that wins; an instance falls back to its template. */
  find(unit: UnitName): TreeUnit | undefined {
    const template = templateOf(unit);
    const names = template === undefined || template === unit ? [unit] : [unit, template];
    for (const name of names) {
      for (const directory of this.directories) {
        const at = this.#openDirectory(directory);
        const found =
          at === undefined ? undefined : this.#read(`${at}/${name}`, `${directory}/${name}`);
        if (found !== undefined) return found;
      }
    }
    return undefined;
  }

  /** The directories in which units lie, first wins. */
  get directories(): readonly string[] {
    return [this.unitDirectory, ...this.#vendorDirectories];
  }

  /** The drop-ins of units (`UNIT.d/*.conf`) in the order of their names; of two with one name, that of the first directory. */
  listDropIns(units: readonly UnitName[]): readonly { path: string; text: string }[] {
    const paths = new Map<string, string>();
    for (const unit of units) {
      for (const directory of this.directories) {
        const folder = `${directory}/${unit}.d`;
        const entries = this.inDirectory(folder, entriesOf) ?? [];
        for (const { name } of entries) {
          if (name.endsWith('.conf') && !paths.has(name)) paths.set(name, `${folder}/${name}`);
        }
      }
    }
    return [...paths]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, path]) => ({ path, text: this.#text(path) }));
  }

  /** All links in the unit directory and in its `.wants`, `.requires` and `.upholds`: name below it → target. */
  listLinks(): ReadonlyMap<string, string> {
    const links = new Map<string, string>();
    this.eachEntry({
      onLink: (name, readTarget) => {
        const target = readTarget();
        if (target !== undefined) links.set(name, target);
      },
    });
    return links;
  }

  /**
   * Visits the same links, and the files of the unit directory itself. The target of a link is read where it is asked for, and
   * undefined if the link has gone meanwhile.
   */
  eachEntry({ onLink, onFile }: EntryVisitor): void {
    const collect = (prefix: string): readonly string[] =>
      this.inDirectory(`${this.unitDirectory}/${prefix}`, (at) => {
        const folders: string[] = [];
        for (const entry of entriesOf(at)) {
          if (entry.isSymbolicLink())
            onLink(`${prefix}${entry.name}`, () => readLinkIfThere(`${at}/${entry.name}`));
          else if (entry.isDirectory()) folders.push(entry.name);
          else if (prefix === '' && entry.isFile()) onFile?.(entry.name);
        }
        return folders;
      }) ?? [];
    for (const folder of collect('')) {
      if (/\.(?:wants|requires|upholds)$/.test(folder)) collect(`${folder}/`);
    }
  }

  /**
   * Runs `body` with a path under which a directory of the tree can be reached without being resolved again; undefined if
   * there is no such directory.
   */
  inDirectory<T>(path: string, body: (at: string) => T): T | undefined {
    let fd: number;
    try {
      fd = this.#openFolder(path);
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
      throw error;
    }
    try {
      return body(`/proc/self/fd/${fd}`);
    } finally {
      closeSync(fd);
    }
  }

  #openDirectory(path: string): string | undefined {
    let fd = this.#open.get(path);
    try {
      fd ??= this.#openFolder(path);
    } catch (error) {
      if (isErrno(error, 'ENOENT', 'ENOTDIR')) return undefined;
      throw error;
    }
    this.#open.set(path, fd);
    return `/proc/self/fd/${fd}`;
  }

  #openFolder(path: string): number {
    return this.#rootFd === undefined
      ? openSync(path, DIRECTORY)
      : openInRoot(this.#rootFd, path, { flags: DIRECTORY });
  }

  #read(at: string, path: string): TreeUnit | undefined {
    const fileName = path.slice(path.lastIndexOf('/') + 1);
    const stat = lstatSync(at, { throwIfNoEntry: false });
    if (stat === undefined) return undefined;
    if (!stat.isSymbolicLink()) {
      if (!stat.isFile() || stat.size === 0) return { path, kind: 'masked', text: '', fileName };
      return this.#withText({ path, kind: 'file', fileName });
    }
    const target = readLinkIfThere(at);
    if (target === undefined) return undefined;
    if (target === '/dev/null') return { path, kind: 'masked', text: '', fileName };
    const targetName = target.slice(target.lastIndexOf('/') + 1);
    const kind = targetName === fileName ? 'linked' : 'alias';
    return this.#withText({ path, kind, fileName: targetName });
  }

  #withText(unit: Omit<TreeUnit, 'text'>): TreeUnit {
    const read = (): string => this.#text(unit.path);
    let text: string | undefined;
    return {
      ...unit,
      get text() {
        return (text ??= read());
      },
    };
  }

  /** A link that dangles in the tree stands for a unit without content: systemd says "not found" of it at boot. */
  #text(path: string): string {
    try {
      const content =
        this.#rootFd === undefined
          ? readFileBoundedNow(path, { maxBytes: MAX_UNIT_BYTES })
          : readFileInRoot(this.#rootFd, path, { maxBytes: MAX_UNIT_BYTES });
      return content.toString('utf8');
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return '';
      throw error;
    }
  }
}

/** What lies in an open directory; nothing if another command removed it since, which the kernel says as ENOENT. */
export function entriesOf(at: string): readonly Dirent[] {
  try {
    return readdirSync(at, { withFileTypes: true });
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return [];
    throw error;
  }
}

/** The target of a link; undefined if it went, since another command may take away the links of its own container at the same time. */
export function readLinkIfThere(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch (error) {
    if (isErrno(error, 'ENOENT')) return undefined;
    throw error;
  }
}
