import { OperationalError } from '../errors/operational-error.js';
import type { TarEntryType, TarXattr } from '../tar/entry.js';
import { MAX_XATTR_NAME_BYTES, MAX_XATTR_VALUE_BYTES, type LayerLimits } from './limits.js';
import { showBytes } from './show-bytes.js';
import type { Xattr } from './tree.js';

/** The entry whose attributes are looked at. */
export interface XattrOwner {
  readonly type: TarEntryType;
  readonly path: string;
}

/**
 * Splits the attributes of an entry into those that berth keeps and the names of those that it drops. Kept:
 * `security.capability`, `trusted.*`, and `user.*` where the kernel allows it (files and directories). Dropped: labels,
 * measurements and ACLs, which mean something on the producer's host only, and overlayfs' own, which would make it hide or
 * redirect files (umoci drops the same).
 *
 * @throws `OperationalError` LAYER_LIMIT_EXCEEDED, LAYER_ENTRY_REFUSED (T30)
 */
export function filterXattrs(
  xattrs: readonly TarXattr[],
  owner: XattrOwner,
  limits: LayerLimits,
): { readonly kept: readonly Xattr[]; readonly dropped: readonly string[] } {
  if (xattrs.length > limits.maxXattrs) {
    throw new OperationalError(
      'LAYER_LIMIT_EXCEEDED',
      `refusing ${showBytes(owner.path)}: it has ${xattrs.length} extended attributes, the limit is ${limits.maxXattrs}`,
    );
  }
  const kept: Xattr[] = [];
  const dropped: string[] = [];
  for (const xattr of xattrs) {
    checkXattr(xattr, owner);
    if (isKept(xattr.name, owner.type)) kept.push(xattr);
    else dropped.push(xattr.name);
  }
  return { kept, dropped };
}

function isKept(name: string, type: TarEntryType): boolean {
  if (name === 'security.capability') return type === 'file';
  if (name.startsWith('trusted.')) return !name.startsWith('trusted.overlay.');
  if (!name.startsWith('user.') || name.startsWith('user.overlay.')) return false;
  return type === 'file' || type === 'directory'; // the kernel refuses user.* on everything else
}

function checkXattr(xattr: TarXattr, owner: XattrOwner): void {
  const { name, value } = xattr;
  // The kernel wants something behind the namespace's dot.
  if (name === '' || name.endsWith('.') || name.includes('\0') || !name.includes('.')) {
    throw new OperationalError(
      'LAYER_ENTRY_REFUSED',
      `refusing ${showBytes(owner.path)}: ${showBytes(name)} is not the name of an extended attribute`,
    );
  }
  if (name.length > MAX_XATTR_NAME_BYTES || value.length > MAX_XATTR_VALUE_BYTES) {
    throw new OperationalError(
      'LAYER_LIMIT_EXCEEDED',
      `refusing ${showBytes(owner.path)}: an extended attribute with ${name.length} bytes of name and ${value.length} of value (limits ${MAX_XATTR_NAME_BYTES} and ${MAX_XATTR_VALUE_BYTES})`,
    );
  }
}
