import { OperationalError } from '../../errors/operational-error.js';
import {
  decodeByteString,
  type DirectoryNode,
  type FileNode,
  type TreeNode,
} from '../../layer/tree.js';
import type { ImageTree } from '../../store/image-store.js';
import {
  DatabaseUnreadable,
  MAX_DATABASE_BYTES,
  MAX_PACKAGES,
  type InstalledPackage,
  type PackageList,
} from './package-list.js';
import { parseApkInstalled } from './parse-apk.js';
import { parseDpkgStatus } from './parse-dpkg.js';
import { parseRpmNdb, parseRpmSqlite } from './parse-rpm.js';

/** Where package databases are, for whoever decides which files of an image to keep; relative byte-string paths. */
export const PACKAGE_DATABASES =
  /^(?:var\/lib\/dpkg\/status(?:\.d\/[^/]*)?|(?:usr\/)?lib\/apk\/db\/installed|(?:var\/lib\/rpm|usr\/lib\/sysimage\/rpm|usr\/share\/rpm)\/(?:rpmdb\.sqlite(?:-wal)?|Packages(?:\.db)?))$/;

const RPM_FOLDERS = ['var/lib/rpm', 'usr/lib/sysimage/rpm', 'usr/share/rpm'];

/**
 * Reads the package databases of an image: dpkg (with distroless' `status.d`), apk, and rpm's. No link is followed.
 * Nothing in them makes it throw: what cannot be read is listed in {@link PackageList.unread}.
 */
export async function readPackages(tree: ImageTree): Promise<PackageList> {
  const reader = new PackageReader(tree);
  await reader.file('dpkg', 'var/lib/dpkg/status', (content) =>
    parseDpkgStatus(content.toString('utf8')),
  );
  await reader.folder('dpkg (status.d)', 'var/lib/dpkg/status.d', (content) =>
    parseDpkgStatus(content.toString('utf8')),
  );
  for (const path of ['lib/apk/db/installed', 'usr/lib/apk/db/installed'])
    await reader.file('apk', path, (content) => parseApkInstalled(content.toString('utf8')));
  for (const folder of RPM_FOLDERS) {
    const path = `${folder}/rpmdb.sqlite`;
    await reader.file('rpm (sqlite)', path, async (content) =>
      parseRpmSqlite(content, await reader.content(`${path}-wal`)),
    );
    await reader.file('rpm (ndb)', `${folder}/Packages.db`, parseRpmNdb);
    await reader.file('rpm (Berkeley DB)', `${folder}/Packages`, () => {
      throw new DatabaseUnreadable('not read, rpm gave this form up in 4.17');
    });
  }
  return reader.result();
}

type Parse = (
  content: Buffer,
) => readonly InstalledPackage[] | Promise<readonly InstalledPackage[]>;

class PackageReader {
  readonly #tree: ImageTree;
  readonly #packages: InstalledPackage[] = [];
  readonly #read: string[] = [];
  readonly #unread: string[] = [];

  constructor(tree: ImageTree) {
    this.#tree = tree;
  }

  result(): PackageList {
    return {
      packages: this.#packages.sort(compare),
      read: [...new Set(this.#read)],
      unread: this.#unread,
    };
  }

  async file(database: string, path: string, parse: Parse): Promise<void> {
    const node = this.#find(path);
    if (node?.kind !== 'file') return;
    await this.#parse(database, path, { node, parse });
  }

  /** The content of a file that belongs to a database; undefined if there is none. */
  async content(path: string): Promise<Buffer | undefined> {
    const node = this.#find(path);
    if (node?.kind !== 'file') return undefined;
    return this.#tree.readFile(node, { maxBytes: MAX_DATABASE_BYTES });
  }

  /** One file a package; of each its checksums stand beside it (`NAME.md5sums`). */
  async folder(database: string, path: string, parse: Parse): Promise<void> {
    const node = this.#find(path);
    if (node?.kind !== 'directory') return;
    for (const [name, file] of node.entries) {
      if (file.kind !== 'file' || name.endsWith('.md5sums')) continue;
      const shown = `${path}/${decodeByteString(name)}`;
      await this.#parse(database, shown, { node: file, parse });
    }
  }

  async #parse(
    database: string,
    path: string,
    what: { readonly node: FileNode; readonly parse: Parse },
  ): Promise<void> {
    try {
      const content = await this.#tree.readFile(what.node, { maxBytes: MAX_DATABASE_BYTES });
      const found = await what.parse(content);
      if (this.#packages.length + found.length > MAX_PACKAGES)
        throw new DatabaseUnreadable(`more than ${MAX_PACKAGES} packages`);
      this.#packages.push(...found);
      this.#read.push(database);
    } catch (error) {
      const known = error instanceof DatabaseUnreadable || error instanceof OperationalError;
      if (!known) throw error;
      if (this.#unread.length < MAX_UNREAD)
        this.#unread.push(`${database}, /${path}: ${error.message}`);
    }
  }

  #find(path: string): DirectoryNode | FileNode | undefined {
    let node: DirectoryNode | FileNode = this.#tree.root;
    for (const part of path.split('/')) {
      const next: TreeNode | undefined =
        node.kind === 'directory' ? node.entries.get(part) : undefined;
      if (next?.kind !== 'directory' && next?.kind !== 'file') return undefined;
      node = next;
    }
    return node;
  }
}

/** Complaints that are kept. */
const MAX_UNREAD = 20;

function compare(a: InstalledPackage, b: InstalledPackage): number {
  const key = ({ name, architecture, version }: InstalledPackage): string =>
    `${name}\0${architecture}\0${version}`;
  return key(a) < key(b) ? -1 : 1;
}
