import { mkdirSync, readdirSync } from 'node:fs';

import {
  beginTransaction,
  createRepo,
  type Repo,
  type Transaction,
} from '../../../ostree-adapter/index.js';
import { isErrno } from '../../errors/is-errno.js';
import type { At } from '../../sys/libc.js';
import { AT_FDCWD } from '../../sys/libc.js';
import { renameNoReplaceAt } from '../../sys/rename.js';
import { syncFileSystemOf } from '../../sys/sync.js';
import { replaceAt } from '../replace-at.js';
import { TempArea } from '../temp-area.js';
import type { RepositoryPlace } from './repository-place.js';

/**
 * A repository beside the one that is damaged. libostree writes no object that is there already, sound or not: so a layer that
 * repairs is written here, and its objects are renamed into their places, each in one step.
 */
export class ScratchRepository implements AsyncDisposable {
  readonly transaction: Transaction;
  readonly #area: TempArea;
  readonly #repo: Repo;
  readonly #place: RepositoryPlace;

  private constructor(
    place: RepositoryPlace,
    opened: { readonly area: TempArea; readonly repo: Repo; readonly transaction: Transaction },
  ) {
    this.#place = place;
    this.#area = opened.area;
    this.#repo = opened.repo;
    this.transaction = opened.transaction;
  }

  static async open(place: RepositoryPlace): Promise<ScratchRepository> {
    const area = new TempArea(place.tempPath);
    let repo: Repo | undefined;
    try {
      repo = createRepo({ path: `${area.path}/repo`, mode: place.mode });
      const transaction = await beginTransaction(repo);
      return new ScratchRepository(place, { area, repo, transaction });
    } catch (error) {
      repo?.[Symbol.dispose]();
      area[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * Moves everything over. In the place of what is there already, where that is in `replace` or is no file of images: those
   * have names in checkouts, which a new one would not share.
   */
  async publish(replace: ReadonlySet<string>): Promise<void> {
    await this.transaction.commit();
    const objects = `${this.#area.path}/repo/objects`;
    for (const folder of readdirSync(objects)) {
      mkdirSync(this.#place.path('objects', folder), { recursive: true, mode: 0o775 });
      for (const name of readdirSync(`${objects}/${folder}`)) {
        const [checksum = '', type] = `${folder}${name}`.split('.');
        const from = at(`${objects}/${folder}/${name}`);
        const to = at(this.#place.path('objects', folder, name));
        if (replace.has(checksum) || !/^filez?$/.test(type ?? '')) replaceAt(from, to);
        else placeAt(from, to);
      }
    }
    await syncFileSystemOf(this.#place.root);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    try {
      await this.transaction[Symbol.asyncDispose]();
    } finally {
      this.#repo[Symbol.dispose]();
      this.#area[Symbol.dispose]();
    }
  }
}

function at(path: string): At {
  return { dirFd: AT_FDCWD, name: Buffer.from(path, 'utf8').toString('latin1') };
}

/** Where nothing stands. */
function placeAt(from: At, to: At): void {
  try {
    renameNoReplaceAt(from, to);
  } catch (error) {
    if (!isErrno(error, 'EEXIST')) throw error;
  }
}
