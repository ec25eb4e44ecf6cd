import {
  listRefs,
  OstreeError,
  readCommit,
  type Checksum,
  type Commit,
  type Repo,
  type Variant,
} from '../../../ostree-adapter/index.js';
import { parseDigest, type Digest } from '../../oci/digest.js';
import { CONTENT_BYTES, DIFF_ID, MANIFEST, TAKEN_OVER } from './commit-keys.js';
import { blobRef, IMAGE_REFS, parseImageRef } from './ref-names.js';

/** A commit below `ociimage/`. */
export interface CatalogueCommit {
  readonly ref: string;
  readonly commit: Commit;
}

/** The commit of a layer. */
export interface LayerCommit extends CatalogueCommit {
  /** Undefined before January 2018: the images that have the layer say it. */
  readonly diffId: Digest | undefined;
  /** Sum of the sizes of its files; undefined where another tool put it in. Then its tree is what the tree says. */
  readonly contentBytes: number | undefined;
  /** Nobody hashed its archive. */
  readonly isTakenOver: boolean;
}

/** What libostree calls a ref before it gives it its name, and lists as one (libglnx, glnx_link_tmpfile_at). */
const UNFINISHED_REF = /\/tmp\.[A-Za-z0-9]{6}$/;

/** Each one lost means that another process changed a ref within microseconds. */
const MAX_LOOKS = 100;

/**
 * What the refs below `ociimage/` lead to. Refs are read anew each time, since other processes change them; commits once,
 * since nobody can.
 */
export class CommitCatalogue {
  readonly #repo: () => Repo;
  readonly #commits = new Map<Checksum, Commit>();

  constructor(repo: () => Repo) {
    this.#repo = repo;
  }

  /** All refs below `ociimage/`. */
  refs(): ReadonlyMap<string, Checksum> {
    for (let look = 1; ; look += 1) {
      try {
        const refs = listRefs(this.#repo(), { prefix: IMAGE_REFS });
        return new Map([...refs].filter(([ref]) => !UNFINISHED_REF.test(ref)));
      } catch (error) {
        // libostree fails where a ref goes between its looks at the folder and at the file, or an unfinished one gets its name.
        const isGone = error instanceof OstreeError && error.isNotFound;
        if (!isGone || look === MAX_LOOKS) throw error;
      }
    }
  }

  /** The commit of a ref; undefined if there is no such ref. @throws `OstreeError`, `GVariantError` */
  find(ref: string): Commit | undefined {
    const checksum = this.refs().get(ref);
    return checksum === undefined ? undefined : this.read(checksum);
  }

  /** @throws `OstreeError`, `GVariantError` */
  read(checksum: Checksum): Commit {
    let commit = this.#commits.get(checksum);
    if (commit === undefined) {
      commit = readCommit(this.#repo(), checksum);
      this.#commits.set(checksum, commit);
    }
    return commit;
  }

  /** The layers that know their diff id. One that cannot be read is passed over: what needs it will say so. */
  layers(): (LayerCommit & { readonly diffId: Digest })[] {
    const found = [];
    for (const [ref, checksum] of this.refs()) {
      const kind = parseImageRef(ref)?.kind;
      if (kind !== 'blob' && kind !== 'taken-over') continue;
      const layer = this.#layer(ref, checksum);
      if (layer?.diffId !== undefined) found.push({ ...layer, diffId: layer.diffId });
    }
    return found;
  }

  /** The layer with a diff id; one that was hashed before one that was taken over. `blob` is the digest under which an image lists it, for layers that do not know their diff id. */
  findLayer(diffId: Digest, blob?: Digest): LayerCommit | undefined {
    const refs = this.refs();
    const direct = [blobRef(diffId), ...(blob === undefined ? [] : [blobRef(blob)])];
    for (const ref of direct) {
      const checksum = refs.get(ref);
      const layer = checksum === undefined ? undefined : this.#layer(ref, checksum);
      if (layer === undefined || layer.isTakenOver) continue;
      if (layer.diffId === diffId) return layer;
      if (layer.diffId === undefined && blob !== undefined && ref === blobRef(blob)) return layer;
    }
    const known = this.layers().filter((layer) => layer.diffId === diffId);
    return known.find((layer) => !layer.isTakenOver) ?? known[0];
  }

  #layer(ref: string, checksum: Checksum): LayerCommit | undefined {
    let commit: Commit;
    try {
      commit = this.read(checksum);
    } catch {
      return undefined; // damaged or gone meanwhile: as good as missing
    }
    const { metadata } = commit;
    if (metadata.has(MANIFEST)) return undefined;
    const contentBytes = numberOf(metadata.get(CONTENT_BYTES));
    const diffId = digestIn(metadata.get(DIFF_ID));
    const isTakenOver = metadata.has(TAKEN_OVER) || parseImageRef(ref)?.kind === 'taken-over';
    return { ref, commit, diffId, contentBytes, isTakenOver };
  }
}

/** The text of a metadata value; undefined if it is none. */
export function textOf(value: Variant | undefined): string | undefined {
  return value?.type === 's' && typeof value.value === 'string' ? value.value : undefined;
}

/** A decimal number that is written as text; undefined if it is none. */
export function numberOf(value: Variant | undefined): number | undefined {
  const text = textOf(value);
  return text !== undefined && /^\d{1,15}$/.test(text) ? Number(text) : undefined;
}

function digestIn(value: Variant | undefined): Digest | undefined {
  const text = textOf(value);
  if (text === undefined) return undefined;
  try {
    return parseDigest(text);
  } catch {
    return undefined; // whoever wrote it: it names no layer that an image could ask for
  }
}
