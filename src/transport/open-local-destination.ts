import { quote } from '../base/escape-text.js';
import { OperationalError } from '../errors/operational-error.js';
import { ArchiveFile } from './archive-output.js';
import { DirDestination } from './dir-destination.js';
import { DockerArchiveDestination } from './docker-archive-destination.js';
import { EngineTarget } from './engine-target.js';
import type { ImageDestination } from './image-destination.js';
import { OciArchiveDestination } from './oci-archive-destination.js';
import { OciLayoutDestination } from './oci-layout-destination.js';
import type { LocalName } from './parse-image-name.js';
import type { TransportContext } from './transport-context.js';

/** What opening a place takes besides its name. */
export interface LocalPlace {
  /** The name as it was given, for messages. */
  readonly text: string;
  readonly context: TransportContext;
  readonly signal: AbortSignal;
}

/**
 * Opens a place on this host: a folder, an archive, or the docker engine. Nothing is written yet.
 *
 * @throws OperationalError REFERENCE_INVALID
 */
export function openLocalDestination(
  name: LocalName,
  { text, context, signal }: LocalPlace,
): ImageDestination {
  switch (name.kind) {
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
        signal,
      });
      return new DockerArchiveDestination(shown, target, name.image);
    }
  }
}
