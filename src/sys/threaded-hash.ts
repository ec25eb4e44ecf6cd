import { availableParallelism } from 'node:os';

import type { KoffiFunc } from 'koffi';

import { loadKoffi } from './libc.js';

/** Less is hashed before koffi is loaded, which takes 8 ms. */
const MIN_CONTENT_BYTES = 8 * 1024 * 1024;

/** Handing a piece to another thread takes 10 µs, in which 20 KB are hashed here. */
const MIN_PIECE_BYTES = 64 * 1024;

const EVP = {
  create: 'void *EVP_MD_CTX_new(void)',
  free: 'void EVP_MD_CTX_free(void *ctx)',
  sha256: 'const void *EVP_sha256(void)',
  sha512: 'const void *EVP_sha512(void)',
  begin: 'int EVP_DigestInit_ex(void *ctx, const void *type, void *engine)',
  update: 'int EVP_DigestUpdate(void *ctx, const void *data, size_t count)',
  end: 'int EVP_DigestFinal_ex(void *ctx, uint8_t *digest, unsigned int *size)',
} as const;

type Bindings = Readonly<
  Record<keyof typeof EVP, KoffiFunc<(...args: readonly unknown[]) => unknown>>
>;

let bindings: Bindings | 'missing' | undefined;

/** OpenSSL as Node itself uses it, whether it is part of Node or a library beside it. */
function bindOpenSsl(): Bindings | undefined {
  if (bindings === undefined) {
    try {
      const symbols = loadKoffi().load(null);
      bindings = Object.fromEntries(
        Object.entries(EVP).map(([name, prototype]) => [name, symbols.func(prototype)]),
      ) as unknown as Bindings;
    } catch {
      bindings = 'missing';
    }
  }
  return bindings === 'missing' ? undefined : bindings;
}

/**
 * A hash that is computed on the threads that Node keeps for such things, so that whoever reads a network does not wait for
 * it: copying 400 MB takes a third less time on two processors. One piece at a time.
 */
export class ThreadedHash implements Disposable {
  readonly #evp: Bindings;
  readonly #context: unknown;
  readonly #algorithm: 'sha256' | 'sha512';
  /** What is hashed elsewhere just now: the call there has its address only. */
  #held: Uint8Array | undefined;
  #isDisposed = false;

  /** @throws Error if OpenSSL does */
  constructor(evp: Bindings, algorithm: 'sha256' | 'sha512') {
    this.#evp = evp;
    this.#algorithm = algorithm;
    this.#context = evp.create();
    check(evp.begin(this.#context, evp[algorithm](), null));
  }

  /**
   * Takes a piece in. What comes back has to be waited for, if it is a promise, before the next piece, and before anything is
   * written to this one.
   */
  update(piece: Uint8Array): Promise<void> | undefined {
    if (this.#isDisposed) throw new Error('internal error: this hash was given back');
    if (piece.length < MIN_PIECE_BYTES) {
      check(this.#evp.update(this.#context, piece, piece.length));
      return undefined;
    }
    this.#held = piece;
    return new Promise((resolve, reject) => {
      this.#evp.update.async(
        this.#context,
        piece,
        piece.length,
        (error: Error | null, result: unknown) => {
          this.#held = undefined;
          if (this.#isDisposed) this.#free();
          if (error !== null) reject(error);
          else if (result !== 1) reject(failure());
          else resolve();
        },
      );
    });
  }

  /** The hash of all pieces, in hexadecimal. Once only. */
  digest(): string {
    const bytes = Buffer.alloc(this.#algorithm === 'sha256' ? 32 : 64);
    check(this.#evp.end(this.#context, bytes, null));
    return bytes.toString('hex');
  }

  /** Also while a piece is hashed. */
  [Symbol.dispose](): void {
    if (this.#isDisposed) return;
    this.#isDisposed = true;
    if (this.#held === undefined) this.#free();
  }

  #free(): void {
    this.#evp.free(this.#context);
  }
}

function check(result: unknown): void {
  if (result !== 1) throw failure();
}

function failure(): Error {
  return new Error('internal error: OpenSSL could not go on with a hash');
}

/** A {@link ThreadedHash} where it gains something: for much content, if there is another processor. */
export function createThreadedHash(
  algorithm: 'sha256' | 'sha512',
  expectedBytes: number,
): ThreadedHash | undefined {
  if (expectedBytes < MIN_CONTENT_BYTES || availableParallelism() < 2) return undefined;
  const evp = bindOpenSsl();
  return evp === undefined ? undefined : new ThreadedHash(evp, algorithm);
}
