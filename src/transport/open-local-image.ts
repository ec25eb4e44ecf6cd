import { quote } from '../base/escape-text.js';
import {
  DOCKER_HUB,
  parseReference,
  qualifyReference,
  type QualifiedReference,
} from '../oci/reference.js';
import { ArchiveFiles } from './archive-files.js';
import { DirSource } from './dir-source.js';
import { DockerArchiveSource } from './docker-archive-source.js';
import { callEngine } from './docker-engine.js';
import { FolderFiles } from './folder-files.js';
import type { ImageSource } from './image-source.js';
import { OciLayoutSource } from './oci-layout-source.js';
import { openArchive, spool } from './open-archive.js';
import type { LocalName } from './parse-image-name.js';
import type { TransportContext } from './transport-context.js';

/** Opens an image that is on this host: in a folder, in an archive, or in the docker engine. Nothing is read yet. */
export function openLocalImage(
  name: LocalName,
  context: TransportContext,
  signal: AbortSignal,
): ImageSource {
  const { spoolDirectory, createDecompressor } = context;
  const archive = (path: string): ArchiveFiles =>
    new ArchiveFiles(path, () => openArchive(path, { spoolDirectory, createDecompressor, signal }));
  switch (name.kind) {
    case 'oci':
    case 'oci-archive': {
      const files = name.kind === 'oci' ? new FolderFiles(name.path) : archive(name.path);
      return new OciLayoutSource({ transport: name.kind, files, imageName: name.imageName });
    }
    case 'docker-archive': {
      const { path, reference, index } = name;
      const chosen = reference ?? (index === undefined ? undefined : `@${index}`);
      const shown = `docker-archive:${path}${chosen === undefined ? '' : `:${chosen}`}`;
      const identity = { transport: name.kind, path };
      return new DockerArchiveSource(shown, archive(path), { reference, index, identity });
    }
    case 'dir':
      return new DirSource(new FolderFiles(name.path));
    case 'docker-daemon': {
      const shown = `docker-daemon:${name.image}`;
      const doing = `cannot read ${quote(name.image)}`;
      const files = new ArchiveFiles(shown, async () => {
        const path = `/images/${encodeURIComponent(name.image)}/get`;
        const socket = context.engineSocket();
        const answer = await callEngine({ socket, method: 'GET', path, doing, signal });
        return await spool(answer, { spoolDirectory, signal, what: quote(shown) });
      });
      const identity = { transport: name.kind, reference: engineReference(name.image) };
      return new DockerArchiveSource(shown, files, { identity });
    }
  }
}

/** What the engine's image is called; undefined where it is named by its id. */
function engineReference(image: string): QualifiedReference | undefined {
  if (/^sha256:[0-9a-f]{64}$/.test(image)) return undefined;
  const reference = qualifyReference(parseReference(image), DOCKER_HUB);
  return reference.digest === undefined ? reference : { ...reference, tag: undefined };
}
