import { closeSync, openSync, readFileSync, symlinkSync } from 'node:fs';

import { quote } from '../../base/escape-text.js';
import { isErrno } from '../../errors/is-errno.js';
import { OperationalError } from '../../errors/operational-error.js';
import { linkAt } from '../../sys/at.js';
import { acquireLock, type LockFile } from '../../sys/lock-file.js';
import { AT_FDCWD } from '../../sys/libc.js';
import { setXattr } from '../../sys/xattrs.js';
import { isPrivileged } from '../apply-meta.js';
import { makeFolder } from '../make-folder.js';
import { diskError, onDisk } from '../disk-error.js';
import { OBJECT_FOLDERS } from './object-name.js';
import { StoreFolder } from '../store-folder.js';
import { TempArea } from '../temp-area.js';
import { writeRecord } from '../write-record.js';

/*
 * The embedded store on disk:
 *
 *   STORE/format            "berth-store 1"
 *   STORE/lock              shared: who takes in or reads objects; exclusive: who removes some. Never unlinked
 *   STORE/objects/ab/…      one file for each content and its owner, mode, time, attributes (object-name.ts)
 *   STORE/layers/ALG-HEX    the tree of a layer, by diff id (layer-file.ts)
 *   STORE/taken/ALG-HEX     the same of a layer that was taken over: nobody hashed its archive; made when needed
 *   STORE/images/ALG-HEX    manifest and configuration of an image, by the digest of its manifest
 *   STORE/names/HEX         which image a name means; the file name is the SHA-256 of the name
 *   STORE/tmp/…             what is being written (temp-area.ts)
 *
 * What refers comes after what it refers to, each made durable before the next: objects, layer, image, name. So whatever
 * a power cut leaves is complete or refers to nothing, and pruning removes the latter. No file is ever changed in place.
 */

/** Content of `format`, without the number. */
const FORMAT_NAME = 'berth-store';
const FORMAT = 1;
const FOLDERS = ['objects', 'layers', 'images', 'names', 'tmp'];

/** Options of {@link StorePlace}. */
export interface StorePlaceOptions {
  /** Gives the folder the security label that all that is made in it is to have; called before anything is. */
  readonly label?: ((root: string) => Promise<void>) | undefined;
}

/** The folder of the embedded store; its format is checked once. */
export class StorePlace extends StoreFolder {
  readonly #options: StorePlaceOptions;
  #checked = false;
  #prepared: Promise<void> | undefined;

  constructor(root: string, options: StorePlaceOptions = {}) {
    super(root);
    this.#options = options;
  }

  get tempPath(): string {
    return this.path('tmp');
  }

  /**
   * Whether there is a store at all.
   *
   * @throws `OperationalError` STORE_FORMAT if a newer berth wrote it, STORE_INVALID if it is no store
   */
  exists(): boolean {
    if (this.#checked) return true;
    let text: string;
    try {
      text = readFileSync(this.path('format'), 'latin1');
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return false;
      throw diskError(error, this.root);
    }
    const [name, number] = text.trimEnd().split(' ');
    if (name !== FORMAT_NAME || !/^\d{1,9}$/.test(number ?? '')) {
      throw new OperationalError('STORE_INVALID', `${quote(this.path('format'))} is damaged`);
    }
    if (Number(number) !== FORMAT) {
      throw new OperationalError(
        'STORE_FORMAT',
        `the store ${quote(this.root)} has format ${number}, which this berth does not know`,
        { hint: 'use the newer berth that wrote it' },
      );
    }
    this.#checked = true;
    return true;
  }

  /** Makes the store if there is none. @throws `OperationalError` STORE_UNSUITABLE, DISK_FULL, NEEDS_ROOT */
  async prepare(): Promise<void> {
    // The promise is kept: layers come in side by side, and the first of them makes the store for all.
    this.#prepared ??= this.#make();
    try {
      await this.#prepared;
    } catch (error) {
      this.#prepared = undefined;
      throw error;
    }
  }

  async #make(): Promise<void> {
    if (!this.exists()) {
      try {
        // Two at once do the same, and only the last step counts.
        makeFolder(this.root);
        await this.#options.label?.(this.root);
        for (const folder of FOLDERS) makeFolder(this.path(folder));
        this.#probe();
        for (const folder of OBJECT_FOLDERS) {
          makeFolder(this.path('objects', folder));
        }
        await writeRecord({
          tempPath: this.tempPath,
          path: this.path('format'),
          content: `${FORMAT_NAME} ${FORMAT}\n`,
          mode: 0o644,
        });
      } catch (error) {
        throw diskError(error, this.root);
      }
      this.exists();
    } else await this.#options.label?.(this.root);
  }

  async holdAlone(): Promise<LockFile> {
    return acquireLock(this.path('lock'), { mode: 'exclusive' });
  }

  protected async acquire(signal: AbortSignal | undefined): Promise<readonly LockFile[]> {
    return [await acquireLock(this.path('lock'), { mode: 'shared', signal })];
  }

  /** Tries what a store needs of its file system, so that the answer is one line now and not a riddle in the middle of a layer. */
  #probe(): void {
    using area = new TempArea(this.tempPath);
    const probe = area.path;
    const fd = openSync(`${probe}/file`, 'wx', 0o600);
    try {
      this.#needs('hard links', () => {
        linkAt(
          { dirFd: AT_FDCWD, name: byteString(`${probe}/file`) },
          { dirFd: AT_FDCWD, name: byteString(`${probe}/link`) },
        );
      });
      this.#needs('symbolic links', () => {
        symlinkSync('target', `${probe}/symlink`);
      });
      // A user's files have no attributes but those of users, which few images bring, and homes on NFS may not keep.
      if (isPrivileged()) {
        this.#needs('extended attributes', () => {
          setXattr(fd, { name: 'trusted.berth', value: Buffer.from('1') });
        });
      }
    } finally {
      closeSync(fd);
    }
  }

  #needs(what: string, attempt: () => void): void {
    try {
      onDisk(this.root, attempt);
    } catch (error) {
      const full = error instanceof OperationalError && error.code === 'DISK_FULL';
      if (full) throw error;
      throw new OperationalError(
        'STORE_UNSUITABLE',
        `cannot keep images in ${quote(this.root)}: its file system has no ${what}`,
        { hint: 'use ext4, XFS, btrfs or tmpfs: BERTH_STATE_DIR chooses the place', cause: error },
      );
    }
  }
}

function byteString(path: string): string {
  return Buffer.from(path, 'utf8').toString('latin1');
}
