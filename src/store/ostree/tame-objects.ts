import { lstatSync, realpathSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

import { readFileHeader, type Checksum } from '../../../ostree-adapter/index.js';
import type { FileNode, NodeMeta, Xattr } from '../../layer/tree.js';
import type { ComingFile } from '../layer-collector.js';
import type { RepositoryObjectWriter } from './library-object-writer.js';
import type { RepositoryPlace } from './repository-place.js';

/*
 * In a `bare` repository a content object is the very file, and the repository of an OSTree-booted host lets everybody in: there,
 * a setuid program of an image could be run by all users of the host, and a file of uid 1000 be changed by whoever has that uid
 * (containerd CVE-2021-41103). Such files become objects of root's that do nothing; the record of the layer says what they
 * are, and checkouts, which nobody else can enter, get copies of their own.
 */

/** Set on execution, or others may write. */
const DANGEROUS_MODE = 0o6022;
/** Attributes that give nobody anything: file capabilities and access lists do. */
const HARMLESS_XATTR = /^(?:user|trusted)\.|^security\.selinux$/;

/** Whether all users of the host can get at what is in a directory, as far as its own mode goes. */
export function isOpenToOthers(path: string): boolean {
  for (let at = realpathSync(path); ; at = dirname(at)) {
    if ((statSync(at).mode & 0o011) === 0) return false;
    if (at === dirname(at)) return true;
  }
}

/** Whether a file gives a user of the host nothing but its content. */
export function isTame({ mode, uid, xattrs }: NodeMeta): boolean {
  return uid === 0 && (mode & DANGEROUS_MODE) === 0 && xattrs.every(isHarmless);
}

/** The same without what it would give. */
export function tameMeta(meta: NodeMeta): NodeMeta {
  const { mode, xattrs } = meta;
  return { ...meta, uid: 0, mode: mode & ~DANGEROUS_MODE, xattrs: xattrs.filter(isHarmless) };
}

/** Whether an object of a `bare` repository is the file with all that makes it dangerous, and was not made tame. */
export function isWild(place: RepositoryPlace, object: Checksum, meta: NodeMeta): boolean {
  const path = place.path('objects', object.slice(0, 2), `${object.slice(2)}.file`);
  const found = lstatSync(path, { throwIfNoEntry: false });
  if (found?.uid !== meta.uid || (found.mode & 0o7777) !== meta.mode) return false;
  const dangerous = meta.xattrs.filter((xattr) => !isHarmless(xattr));
  if (dangerous.length === 0) return true;
  const names = readFileHeader(place.repo, object).xattrs.map(([name]) => name);
  return dangerous.every(({ name }) => names.includes(name));
}

/** Has another writer make tame objects; the nodes are those of the files. */
export class TameObjectWriter implements RepositoryObjectWriter {
  readonly #inner: RepositoryObjectWriter;
  #meta: NodeMeta | undefined;

  constructor(inner: RepositoryObjectWriter) {
    this.#inner = inner;
  }

  begin(file: ComingFile): void {
    this.#meta = isTame(file.meta) ? undefined : file.meta;
    const { meta } = file;
    this.#inner.begin(this.#meta === undefined ? file : { ...file, meta: tameMeta(meta) });
  }

  write(chunk: Uint8Array): void {
    this.#inner.write(chunk);
  }

  end(): FileNode {
    const node = this.#inner.end();
    return this.#meta === undefined ? node : { ...node, meta: this.#meta };
  }

  ready(): Promise<void> | undefined {
    return this.#inner.ready();
  }

  drain(): Promise<void> {
    return this.#inner.drain();
  }

  publish(): Promise<void> {
    return this.#inner.publish();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#inner[Symbol.asyncDispose]();
  }
}

function isHarmless({ name }: Xattr): boolean {
  return HARMLESS_XATTR.test(name);
}
