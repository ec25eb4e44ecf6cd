import { quote } from '../../base/escape-text.js';
import { isErrno } from '../../errors/is-errno.js';
import { OperationalError } from '../../errors/operational-error.js';
import type { FileNode } from '../../layer/tree.js';
import { measureSeal } from '../../sys/fs-verity.js';
import type { SealedContent } from '../composefs/composefs-image.js';
import { objectMissing } from '../file-contents.js';
import { objectOf } from './layer-files.js';
import type { RepositoryPlace } from './repository-place.js';

/**
 * The objects of a repository as the content of sealed roots: the file of an object is its content in all kinds of repositories but
 * `archive`, whatever they keep beside it.
 *
 * @throws `OperationalError` STORE_UNSUITABLE for an `archive` repository, and by what is given for objects that are not sealed
 */
export function sealedContents(place: RepositoryPlace): (node: FileNode) => SealedContent {
  if (place.mode === 'archive') {
    throw new OperationalError(
      'STORE_UNSUITABLE',
      `${quote(place.root)} is an archive repository: its objects are compressed, and cannot be the content of a sealed root`,
    );
  }
  const known = new Map<string, SealedContent>();
  return (node) => {
    const object = objectOf(node) ?? '';
    const path = `${object.slice(0, 2)}/${object.slice(2)}.file`;
    let content = known.get(path);
    if (content === undefined) {
      content = { path, digest: measure(place, path, object) };
      known.set(path, content);
    }
    return content;
  };
}

function measure(place: RepositoryPlace, name: string, object: string): Buffer {
  let digest: Buffer | undefined;
  try {
    digest = measureSeal({ dirFd: place.objectsFd, name });
  } catch (error) {
    if (isErrno(error, 'ENOENT')) throw objectMissing(object);
    throw error;
  }
  if (digest !== undefined) return digest;
  throw new OperationalError(
    'STORE_UNSUITABLE',
    `object ${object} of ${quote(place.root)} is not sealed by fs-verity`,
    {
      hint: "the file system has to have fs-verity; then 'berth fsck --repair' seals what was taken in without",
    },
  );
}
