import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';

/** A problem in the specification's words. */
export class Refusal extends Error {
  readonly status: number;
  readonly code: string;
  readonly headers: Readonly<Record<string, string>>;

  constructor(status: number, code: string, headers: Readonly<Record<string, string>> = {}) {
    super(code.toLowerCase().replaceAll('_', ' '));
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

/** A manifest or index as it was pushed. */
export interface KeptManifest {
  readonly bytes: Buffer;
  readonly mediaType: string;
}

/** What a registry keeps below one name. */
export class Repository {
  readonly blobs = new Map<string, Buffer>();
  /** By digest. */
  readonly manifests = new Map<string, KeptManifest>();
  readonly tags = new Map<string, string>();
  readonly uploads = new Map<string, Buffer>();
}

/** One request to a repository. */
export interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  readonly name: string;
  readonly repository: Repository;
  /** Of the same registry. */
  readonly findRepository: (name: string) => Repository;
  /** The last component of the path. */
  readonly last: string;
}

const DIGEST = /^(?:sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128})$/;

/** Refuses what is no digest. */
export function requireDigest(text: string): void {
  if (!DIGEST.test(text)) throw new Refusal(400, 'DIGEST_INVALID');
}

/** The digest of bytes, by the algorithm that another digest was made with. */
export function digestLike(other: string, bytes: Uint8Array): string {
  const algorithm = other.startsWith('sha512:') ? 'sha512' : 'sha256';
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;
}

/** The body of a request; nothing here is large. */
export async function readBody(request: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}
