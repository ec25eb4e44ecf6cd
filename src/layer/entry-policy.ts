import { OperationalError } from '../errors/operational-error.js';
import type { TarEntry, TarHandler } from '../tar/entry.js';
import { cleanPath } from './clean-path.js';
import { filterXattrs } from './filter-xattrs.js';
import type { LayerSink } from './layer-sink.js';
import { MAX_TARGET_BYTES, type LayerLimits } from './limits.js';
import { showBytes } from './show-bytes.js';
import type { NodeMeta } from './tree.js';
import { classifyWhiteout } from './whiteout.js';

/** What {@link EntryPolicy} counted. */
export interface EntryCounts {
  readonly entries: number;
  readonly contentBytes: number;
}

/** Where {@link EntryPolicy} hands on what it lets pass. */
export interface PolicyOutput {
  readonly sink: LayerSink;
  readonly limits: LayerLimits;
  readonly onWarning: (message: string) => void;
}

/**
 * Judges what an archive holds and passes on to a sink what a layer may hold: paths made clean, limits kept, whiteouts
 * told from files (image-spec v1.1 layer.md), attributes filtered. Where a path leads is for the sink.
 */
export class EntryPolicy implements TarHandler {
  readonly #output: PolicyOutput;
  readonly #warned = new Set<string>();
  #entries = 0;
  #contentBytes = 0;
  #metadataBytes = 0;
  /** The file at hand is not taken (a whiteout with content). */
  #skipping = false;

  constructor(output: PolicyOutput) {
    this.#output = output;
  }

  get counts(): EntryCounts {
    return { entries: this.#entries, contentBytes: this.#contentBytes };
  }

  entry(entry: TarEntry): void {
    const path = cleanPath(entry.path, this.#output.limits);
    this.#count(entry);
    this.#skipping = false;
    if (path === '' && entry.type !== 'directory') {
      throw refused(entry.path, `the root of the image would be a ${entry.type}`);
    }
    if (path.includes('.wh.') && this.#whiteout(path, entry)) {
      this.#skipping = true;
      return;
    }
    this.#pass(path, entry);
  }

  content(chunk: Buffer): void {
    if (this.#skipping) return;
    this.#contentBytes += chunk.length;
    this.#output.sink.writeFile(chunk, true);
  }

  contentEnd(): void {
    if (!this.#skipping) this.#output.sink.endFile();
  }

  warning(message: string): void {
    // A million entries may have the same fault: one line for each kind.
    if (this.#warned.has(message)) return;
    this.#warned.add(message);
    this.#output.onWarning(message);
  }

  #count(entry: TarEntry): void {
    const { limits } = this.#output;
    this.#entries += 1;
    if (this.#entries > limits.maxEntries) throw limitExceeded(limits.maxEntries, 'entries');
    let bytes = entry.path.length + entry.link.length;
    for (const { name, value } of entry.xattrs) bytes += name.length + value.length;
    this.#metadataBytes += bytes;
    if (this.#metadataBytes > limits.maxMetadataBytes) {
      throw limitExceeded(limits.maxMetadataBytes, 'bytes of names and attributes');
    }
  }

  /** Whether the entry is a whiteout or AUFS' own, and so no file of the image. */
  #whiteout(path: string, entry: TarEntry): boolean {
    const found = classifyWhiteout(path);
    if (found === undefined) return false;
    if (found.kind === 'ignored') return true;
    if (entry.type === 'directory') throw refused(entry.path, 'a whiteout cannot be a directory');
    if (found.kind === 'opaque') this.#output.sink.addOpaque(found.path);
    else this.#output.sink.addWhiteout(found.path);
    return true;
  }

  #pass(path: string, entry: TarEntry): void {
    const { sink } = this.#output;
    switch (entry.type) {
      case 'file':
        sink.beginFile(path, { meta: this.#metaOf(entry), size: entry.size });
        return;
      case 'directory':
        sink.addDirectory(path, this.#metaOf(entry));
        return;
      case 'symlink':
        checkTarget(entry);
        sink.addSymlink(path, entry.link, this.#metaOf(entry));
        return;
      case 'hardlink':
        sink.addHardLink(path, this.#hardLinkTarget(entry));
        return;
      case 'character-device':
      case 'block-device':
      case 'fifo':
        // overlayfs takes 0:0 for "deleted below": the checkout may become a lower layer one day.
        if (entry.type === 'character-device' && entry.major === 0 && entry.minor === 0) {
          throw refused(entry.path, 'character device 0:0 is the whiteout of overlayfs');
        }
        if (entry.major > MAX_MAJOR || entry.minor > MAX_MINOR) {
          throw refused(entry.path, `there is no device ${entry.major}:${entry.minor}`);
        }
        sink.addSpecial(path, {
          kind: entry.type,
          meta: this.#metaOf(entry),
          major: entry.major,
          minor: entry.minor,
        });
    }
  }

  #metaOf(entry: TarEntry): NodeMeta {
    const { mode, uid, gid, mtimeSeconds, mtimeNanoseconds } = entry;
    if (entry.xattrs.length === 0) {
      return { mode, uid, gid, mtimeSeconds, mtimeNanoseconds, xattrs: NO_XATTRS };
    }
    const { kept, dropped } = filterXattrs(entry.xattrs, entry, this.#output.limits);
    for (const name of dropped) {
      this.warning(`extended attribute ${showBytes(name)} is not kept, ignoring it`);
    }
    return { mode, uid, gid, mtimeSeconds, mtimeNanoseconds, xattrs: kept };
  }

  #hardLinkTarget(entry: TarEntry): string {
    if (entry.link.startsWith('/')) {
      throw new OperationalError(
        'LAYER_PATH_ESCAPE',
        `refusing a hard link to an absolute path: ${showBytes(entry.path)} to ${showBytes(entry.link)}`,
      );
    }
    const target = cleanPath(entry.link, this.#output.limits);
    if (target === '' || classifyWhiteout(target) !== undefined) {
      throw refused(entry.path, `it is a hard link to ${showBytes(entry.link)}`);
    }
    return target;
  }
}

const NO_XATTRS: NodeMeta['xattrs'] = [];
/** Linux keeps 12 bits of major and 20 of minor number (include/linux/kdev_t.h). */
const MAX_MAJOR = 0xfff;
const MAX_MINOR = 0xfffff;

function checkTarget(entry: TarEntry): void {
  if (entry.link === '') throw refused(entry.path, 'it is a symbolic link to nothing');
  if (entry.link.length > MAX_TARGET_BYTES) {
    throw limitExceeded(MAX_TARGET_BYTES, 'bytes in the target of a symbolic link');
  }
}

function refused(path: string, why: string): OperationalError {
  return new OperationalError('LAYER_ENTRY_REFUSED', `refusing ${showBytes(path)}: ${why}`);
}

function limitExceeded(limit: number, what: string): OperationalError {
  return new OperationalError(
    'LAYER_LIMIT_EXCEEDED',
    `the layer has more than ${limit} ${what}, refusing it`,
  );
}
