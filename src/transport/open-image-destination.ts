import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import { ArchiveFile } from './archive-output.js';
import { DirDestination } from './dir-destination.js';
import { DockerArchiveDestination } from './docker-archive-destination.js';
import { EngineTarget } from './engine-target.js';
import type { BlobOrigin, ImageDestination } from './image-destination.js';
import { OciArchiveDestination } from './oci-archive-destination.js';
import { OciLayoutDestination } from './oci-layout-destination.js';
import { findMeanings, type TransportContext } from './open-image-source.js';
import { parseImageName } from './parse-image-name.js';
import { RegistryDestination } from './registry-destination.js';

/**
 * Opens what a user names as the place for an image (see {@link parseImageName}); nothing is written yet.
 *
 * @throws {@link OperationalError} REFERENCE_INVALID, TRANSPORT_UNKNOWN, REGISTRY_BLOCKED
 */
export function openImageDestination(
  text: string,
  context: TransportContext,
  options: { readonly signal: AbortSignal; readonly from: BlobOrigin | undefined },
): ImageDestination {
  const name = parseImageName(text, context.workingDirectory);
  switch (name.kind) {
    case 'registry': {
      const [meaning, ...others] = findMeanings(name, context);
      // Reading may search; writing must not guess where.
      if (meaning === undefined || others.length > 0) {
        throw new OperationalError(
          'REFERENCE_INVALID',
          `${quote(text)} is a short name that may mean several registries`,
          { hint: `name the registry too: REGISTRY/${name.reference.repository}` },
        );
      }
      return new RegistryDestination(meaning, context.registryClient, options.from);
    }
    case 'oci':
      return new OciLayoutDestination(name.path, name.imageName);
    case 'oci-archive':
      return new OciArchiveDestination(new ArchiveFile(name.path), name.imageName);
    case 'dir':
      return new DirDestination(name.path);
    case 'docker-archive': {
      if (name.index !== undefined) {
        throw new OperationalError(
          'REFERENCE_INVALID',
          `${quote(text)}: an archive is written with one image, which has a name, no place`,
        );
      }
      const { path, reference } = name;
      const shown = `docker-archive:${path}${reference === undefined ? '' : `:${reference}`}`;
      return new DockerArchiveDestination(shown, new ArchiveFile(path), reference);
    }
    case 'docker-daemon': {
      if (/^sha256:|@/.test(name.image)) {
        throw new OperationalError('REFERENCE_INVALID', `${quote(text)} has no tag`, {
          hint: 'write docker-daemon:NAME:TAG',
        });
      }
      const shown = `docker-daemon:${name.image}`;
      const doing = `cannot load ${quote(name.image)}`;
      const target = new EngineTarget(shown, {
        socket: context.engineSocket(),
        doing,
        signal: options.signal,
      });
      return new DockerArchiveDestination(shown, target, name.image);
    }
  }
}
