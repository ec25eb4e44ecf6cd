import type { BerthConf } from '../config/berth-conf.js';
import type { HostPaths } from '../config/host-paths.js';
import { OperationalError } from '../errors/operational-error.js';
import type { CopyProgress, CopyResult } from '../images/copy-image.js';
import { copyIntoStore } from '../images/copy-into-store.js';
import { nameInStore } from '../images/repository-source.js';
import type { ManifestFormat } from '../oci/convert-manifest.js';
import type { Platform } from '../oci/platform.js';
import { openOstreeStore } from '../store/ostree/ostree-store.js';
import type { ImageSource } from '../transport/image-source.js';
import type { OstreeName } from '../transport/parse-image-name.js';
import type { ImageTrust } from '../trust/image-trust.js';
import { repositoryPath, sealingOf } from './open-store.js';

/** What {@link copyToRepository} works with. */
export interface RepositoryCopy {
  readonly source: ImageSource;
  readonly conf: BerthConf;
  /** Of the host whose repository is meant where none is named. */
  readonly paths: HostPaths;
  /** Undefined for all that an index lists, which a repository does not hold. */
  readonly platform: Platform | undefined;
  readonly format: ManifestFormat | undefined;
  readonly parallel: number | undefined;
  readonly signal: AbortSignal;
  readonly trust: ImageTrust;
  readonly onProgress: (event: CopyProgress) => void;
  readonly onWarning: (text: string) => void;
}

/**
 * Copies an image into an OSTree repository, which is made if there is none.
 *
 * @throws OperationalError USAGE; what source and repository give rise to
 */
export async function copyToRepository(
  { reference, repository }: OstreeName,
  copy: RepositoryCopy,
): Promise<CopyResult> {
  const { conf, paths, platform, format } = copy;
  if (platform === undefined) {
    throw new OperationalError('USAGE', '--all: an OSTree repository holds images, no indexes');
  }
  if (format !== undefined) {
    throw new OperationalError(
      'USAGE',
      '--format: an OSTree repository holds manifests as they are',
    );
  }
  if (reference.digest !== undefined) {
    throw new OperationalError('USAGE', 'an image is copied under a name, not under a digest', {
      hint: 'write ostree:NAME[:TAG][@/REPOSITORY]',
    });
  }
  const root = repository ?? repositoryPath(paths, conf);
  await using store = openOstreeStore(root, sealingOf(conf));
  const checkSpace = conf.storage['check-space'];
  const storeName = nameInStore(reference);
  return await copyIntoStore({ ...copy, platform, store, storeName, checkSpace });
}
