import { join } from 'node:path';

import { writeFileAtomically } from '../base/atomic-file.js';
import { readFileBounded } from '../base/bounded-read.js';
import { JsonReader } from '../base/json-reader.js';
import { mkdir, readdir, unlink } from '../base/quick-files.js';
import { parseStrictJson } from '../base/strict-json.js';
import { isErrno } from '../errors/is-errno.js';
import { OperationalError } from '../errors/operational-error.js';
import { digestAlgorithm, digestHex, type Digest } from '../oci/digest.js';
import { MAX_SIGNATURE_BYTES, type UntrustedSignature } from './signature-blob.js';

const FORMAT = 1;

/** Most signatures that are kept of one manifest: one for each requirement of a policy, and those have few. */
const MAX_KEPT = 16;

/** Largest file: what is kept in base64, twice as large for what sigstore has beside its documents. */
const MAX_FILE_BYTES = MAX_KEPT * MAX_SIGNATURE_BYTES * 4;

const FILE = /^sha(?:256-[0-9a-f]{64}|512-[0-9a-f]{128})\.json$/;

/**
 * The signatures of what the store has that were found good when it was pulled, so that it can be installed again where nobody can be
 * asked for them. Nothing here is believed: they are verified again whenever they are read.
 */
export class KeptSignatures {
  readonly #folder: string;

  constructor(folder: string) {
    this.#folder = folder;
  }

  /** Those of a manifest; none where there are none, or they cannot be understood. */
  async read(digest: Digest): Promise<readonly UntrustedSignature[]> {
    try {
      const path = this.#path(digest);
      const bytes = await readFileBounded(path, { maxBytes: MAX_FILE_BYTES });
      const what = 'the kept signatures';
      const reader = new JsonReader(parseStrictJson(bytes, { what }), what);
      if (reader.member('format').integer() !== FORMAT) return [];
      return reader.member('signatures').list().slice(0, MAX_KEPT).map(parseSignature);
    } catch (error) {
      if (error instanceof OperationalError || isErrno(error, 'ENOENT', 'ENOTDIR')) return [];
      throw error;
    }
  }

  /** Keeps signatures in place of what was kept of the manifest; durable when it returns. */
  async write(digest: Digest, signatures: readonly UntrustedSignature[]): Promise<void> {
    const kept = signatures.slice(0, MAX_KEPT).flatMap(formatSignature);
    if (kept.length === 0) return;
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const text = `${JSON.stringify({ format: FORMAT, signatures: kept })}\n`;
    if (text.length <= MAX_FILE_BYTES) await writeFileAtomically(this.#path(digest), text);
  }

  /**
   * Removes what is kept of other manifests than those that `listDigests` gives. It is asked after what is kept was looked at:
   * another berth may bring an image in meanwhile, and keeps its signatures once it is there.
   */
  async keepOnly(listDigests: () => Promise<Iterable<Digest>>): Promise<void> {
    const names = await this.#names();
    const keep = new Set([...(await listDigests())].map(fileName));
    for (const name of names) {
      if (!FILE.test(name) || keep.has(name)) continue;
      try {
        await unlink(join(this.#folder, name));
      } catch (error) {
        if (!isErrno(error, 'ENOENT')) throw error;
      }
    }
  }

  async #names(): Promise<readonly string[]> {
    try {
      return await readdir(this.#folder);
    } catch (error) {
      if (isErrno(error, 'ENOENT')) return [];
      throw error;
    }
  }

  #path(digest: Digest): string {
    return join(this.#folder, fileName(digest));
  }
}

function fileName(digest: Digest): string {
  return `${digestAlgorithm(digest)}-${digestHex(digest)}.json`;
}

function formatSignature(signature: UntrustedSignature): readonly object[] {
  const { kind } = signature;
  if (kind === 'simple') return [{ kind, blob: signature.blob.toString('base64') }];
  if (kind === 'bundle') return [{ kind, bundle: signature.bundle.toString('base64') }];
  if (kind !== 'sigstore') return [];
  const { payload, annotations } = signature;
  return [{ kind, payload: payload.toString('base64'), annotations }];
}

function parseSignature(reader: JsonReader, index: number): UntrustedSignature {
  const name = `kept signature ${index + 1}`;
  const bytes = (key: string): Buffer => Buffer.from(reader.member(key).string(), 'base64');
  switch (reader.member('kind').string()) {
    case 'simple':
      return { kind: 'simple', blob: bytes('blob'), name };
    case 'bundle':
      return { kind: 'bundle', bundle: bytes('bundle'), name };
    case 'sigstore': {
      const annotations = reader.member('annotations').stringMap();
      return { kind: 'sigstore', payload: bytes('payload'), annotations, name };
    }
    default:
      return { kind: 'unknown', name };
  }
}
