import { callAside, type AsyncOptions } from './ffi/call.js';
import { native } from './ffi/library.js';
import { cString, readString } from './ffi/memory.js';
import { NativeObject } from './ffi/native-object.js';
import { takeVariant } from './gvariant/native-variant.js';
import { asArray } from './gvariant/value.js';
import { checksumArgument, pathArgument, type Checksum } from './object-name.js';
import type { Repo } from './repo.js';

/** A GPG signature of a commit. */
export interface GpgSignature {
  /** Good, and of a key in the keyrings that is neither expired nor revoked. */
  readonly isValid: boolean;
  readonly isKeyMissing: boolean;
  readonly isExpired: boolean;
  readonly isKeyRevoked: boolean;
  readonly fingerprint: string;
}

/**
 * Signs a commit by gpg with a key of a home directory; the signature goes into its detached metadata.
 *
 * @throws {@link OstreeError} (`isNotSupported` where libostree is built without), {@link OstreeInputError}
 */
export async function signCommitGpg(
  repo: Repo,
  {
    commit,
    keyId,
    homeDirectory,
  }: { readonly commit: Checksum; readonly keyId: string; readonly homeDirectory: string },
  options: AsyncOptions = {},
): Promise<void> {
  const args = [checksumArgument(commit), cString(keyId, 'key id'), pathArgument(homeDirectory)];
  await repo.handle.whileHeld((pointer) =>
    callAside('ostree_repo_sign_commit', [pointer, ...args], options),
  );
}

/**
 * The GPG signatures of a commit, each checked against the keyrings (`*.gpg`) of a directory.
 *
 * @throws {@link OstreeError}: also for a commit without any signature
 */
export async function verifyCommitGpg(
  repo: Repo,
  { commit, keyringDirectory }: { readonly commit: Checksum; readonly keyringDirectory: string },
  options: AsyncOptions = {},
): Promise<readonly GpgSignature[]> {
  const argument = checksumArgument(commit);
  // (transfer full)
  const directory = native().g_file_new_for_path(pathArgument(keyringDirectory));
  if (directory === null) throw new Error('internal error: no file');
  using keyrings = new NativeObject(directory, 'a directory');
  const pointer = await repo.handle.whileHeld((self) =>
    callAside('ostree_repo_verify_commit_ext', [self, argument, keyrings.pointer, null], options),
  );
  if (pointer === null) throw new Error('internal error: no result');
  // (transfer full)
  using result = new NativeObject(pointer, 'a result');
  const count = native().ostree_gpg_verify_result_count_all(result.pointer);
  return Array.from({ length: count }, (_, index) => signatureAt(result, index));
}

function signatureAt(result: NativeObject, index: number): GpgSignature {
  const call = native();
  // (transfer full)
  const variant = call.ostree_gpg_verify_result_get_all(result.pointer, index);
  if (variant === null) throw new Error('internal error: no signature');
  const type = call.g_variant_get_type_string(variant);
  if (type === null) throw new Error('internal error: no type');
  // In the order of OstreeGpgSignatureAttr.
  const [isValid, isExpired, isKeyExpired, isKeyRevoked, isKeyMissing, fingerprint] = asArray(
    takeVariant(readString(type), variant),
  );
  return {
    isValid: isValid === true,
    isExpired: isExpired === true || isKeyExpired === true,
    isKeyRevoked: isKeyRevoked === true,
    isKeyMissing: isKeyMissing === true,
    fingerprint: typeof fingerprint === 'string' ? fingerprint : '',
  };
}
