import { OstreeError, OstreeInputError } from './errors.js';
import { callAside, callSync, type AsyncOptions } from './ffi/call.js';
import { asciiString, filledSlot, slot, takeString } from './ffi/memory.js';
import { NativeObject } from './ffi/native-object.js';
import { NativeVariant } from './gvariant/native-variant.js';
import { variantBytes } from './gvariant/value.js';
import { checksumArgument, type Checksum } from './object-name.js';
import type { Repo } from './repo.js';

/** Seed and public key together, as libsodium has them. */
const SECRET_KEY_BYTES = 64;
const PUBLIC_KEY_BYTES = 32;

/** Whether this libostree can make and check ed25519 signatures. */
export function hasEd25519(): boolean {
  try {
    using sign = ed25519();
    return !sign.isDisposed;
  } catch (error) {
    if (error instanceof OstreeError) return false;
    throw error;
  }
}

/**
 * Signs a commit with an ed25519 key (64 bytes: the seed, then the public key); the signature goes into its detached metadata.
 *
 * @throws {@link OstreeError} where libostree is built without, {@link OstreeInputError}
 */
export async function signCommit(
  repo: Repo,
  { commit, secretKey }: { readonly commit: Checksum; readonly secretKey: Uint8Array },
  options: AsyncOptions = {},
): Promise<void> {
  checkKey(secretKey, SECRET_KEY_BYTES);
  const argument = checksumArgument(commit);
  using sign = ed25519();
  using key = NativeVariant.of(variantBytes(secretKey));
  callSync('ostree_sign_set_sk', sign.pointer, key.pointer);
  await repo.handle.whileHeld((pointer) =>
    callAside('ostree_sign_commit', [sign.pointer, pointer, argument], options),
  );
}

/**
 * Checks that a commit has a good signature of one of these ed25519 keys (32 bytes each); gives libostree's words on it.
 *
 * @throws {@link OstreeError} if it has none, {@link OstreeInputError}
 */
export async function verifyCommitSignature(
  repo: Repo,
  { commit, publicKeys }: { readonly commit: Checksum; readonly publicKeys: readonly Uint8Array[] },
  options: AsyncOptions = {},
): Promise<string> {
  // Without any key libostree would read those of the system.
  if (publicKeys.length === 0) throw new OstreeInputError('no public key is given');
  for (const publicKey of publicKeys) checkKey(publicKey, PUBLIC_KEY_BYTES);
  const argument = checksumArgument(commit);
  using sign = ed25519();
  for (const publicKey of publicKeys) {
    using key = NativeVariant.of(variantBytes(publicKey));
    callSync('ostree_sign_add_pk', sign.pointer, key.pointer);
  }
  const message = slot();
  await repo.handle.whileHeld((pointer) =>
    callAside('ostree_sign_commit_verify', [sign.pointer, pointer, argument, message], options),
  );
  // (transfer full)
  return takeString(filledSlot(message));
}

function ed25519(): NativeObject {
  const operation = 'ostree_sign_get_by_name';
  // (transfer full); NULL without an error where the name is known and the code is left out.
  const pointer = callSync(operation, asciiString('ed25519'));
  if (pointer === null) {
    throw new OstreeError('ed25519 signatures are not supported', {
      operation,
      domain: 'g-io-error-quark',
      code: 15,
    });
  }
  return new NativeObject(pointer, 'a signature');
}

function checkKey(key: Uint8Array, length: number): void {
  if (!(key instanceof Uint8Array) || key.length !== length) {
    throw new OstreeInputError(`an ed25519 key of this kind has ${length} bytes`);
  }
}
