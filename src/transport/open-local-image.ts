import { quote } from '../base/escape-text.js';
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
      return new DockerArchiveSource(shown, archive(path), name);
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
      return new DockerArchiveSource(shown, files, {});
    }
  }
}
